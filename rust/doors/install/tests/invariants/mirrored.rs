//! 9: several partitions get the same; one that fails leaves the others consistent, and the exit status says so.

use std::fs;

use serde_json::json;

use crate::world::World;

fn mirrored() -> World {
    let mut world = World::new();
    world.settings["volumes"] = json!([
        { "esp": "/boot", "xbootldr": null },
        { "esp": "/boot2", "xbootldr": null },
    ]);
    world
}

#[test]
fn invariant_9_every_partition_gets_the_same() {
    let world = mirrored();
    fs::create_dir(world.at("/boot2")).unwrap();
    world.add(1);
    let toplevel = world.add(2);
    world.install(&toplevel);
    assert_eq!(world.everything("/boot"), world.everything("/boot2"));
    assert_eq!(world.install(&toplevel)["changed"], false);
}

#[test]
fn invariant_9_one_that_is_missing_leaves_the_others_consistent() {
    let world = mirrored();
    let toplevel = world.add(1);
    let said = world.run(&[&toplevel]);
    assert_eq!(said.status, 1);
    assert!(
        said.error.contains("/boot2") && said.error.contains("mount it"),
        "{}",
        said.error
    );
    assert_eq!(said.report["failed"].as_array().unwrap().len(), 1);
    assert_eq!(world.entries(), [1]);
    fs::create_dir(world.at("/boot2")).unwrap();
    world.install(&toplevel);
    assert_eq!(world.everything("/boot"), world.everything("/boot2"));
}

#[test]
fn invariant_9_one_that_cannot_be_written_changes_none() {
    let world = mirrored();
    fs::create_dir_all(world.at("/boot2/EFI")).unwrap();
    // A file where a folder has to be.
    fs::write(world.at("/boot2/EFI/nixos"), "in the way").unwrap();
    let toplevel = world.add(1);
    let error = world.refused(&toplevel);
    assert!(
        error.contains("/boot2") && error.contains("EFI/nixos"),
        "{error}"
    );
}

#[test]
fn invariant_9_entries_go_to_the_extended_partition() {
    let mut world = World::new();
    let toplevel = world.add(1);
    world.install(&toplevel);
    world.settings["volumes"] = json!([{ "esp": "/boot", "xbootldr": "/xbootldr" }]);
    fs::create_dir(world.at("/xbootldr")).unwrap();
    let toplevel = world.add(2);
    world.install(&toplevel);
    let esp: Vec<String> = world.everything("/boot").into_keys().collect();
    assert_eq!(esp, ["loader/loader.conf"], "the entries moved");
    let other = world.everything("/xbootldr");
    assert_eq!(
        other
            .keys()
            .filter(|path| path.starts_with("loader/entries/"))
            .count(),
        2
    );
    assert!(!other.contains_key("loader/loader.conf"));
}
