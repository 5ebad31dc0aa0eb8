//! 12: what FAT is: no links, one case, short memories.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::json;

use crate::world::World;

#[test]
fn invariant_12_no_link_is_followed_or_made() {
    let world = World::new();
    let toplevel = world.add(1);
    fs::create_dir_all(world.at("/elsewhere")).unwrap();
    symlink(world.at("/elsewhere"), world.at("/boot/EFI")).unwrap();
    let error = world.run(&[&toplevel]).error;
    assert!(error.contains("EFI"), "{error}");
    assert!(world.everything("/elsewhere").is_empty());
}

#[test]
fn invariant_12_folders_of_another_case_are_the_same() {
    let world = World::new();
    fs::create_dir_all(world.at("/boot/efi/NIXOS")).unwrap();
    fs::create_dir_all(world.at("/boot/Loader/ENTRIES")).unwrap();
    let toplevel = world.add(1);
    world.install(&toplevel);
    assert_eq!(world.names("").len(), 2, "no second folder is made");
    assert_eq!(world.names("Loader/ENTRIES").len(), 1);
    assert_eq!(world.install(&toplevel)["changed"], false);
}

#[test]
fn invariant_12_names_that_fat_cannot_tell_apart_stay_two() {
    let world = World::new();
    let toplevel = world.generation("1", &["blue", "Blue", "a+b", "a-b"]);
    world.register(1, &toplevel);
    world.install(&toplevel);
    let names = world.names("loader/entries");
    assert_eq!(names.len(), 5);
    let mut folded: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    folded.dedup();
    assert_eq!(folded.len(), 5);
}

#[test]
fn invariant_12_a_name_that_is_too_long_is_refused_before_anything_is_written() {
    let world = World::new();
    let long = "A".repeat(90);
    let toplevel = world.generation("1", &[&long]);
    world.register(1, &toplevel);
    let error = world.refused(&toplevel);
    assert!(error.contains("255"), "{error}");
}

#[test]
fn invariant_12_two_extra_files_of_one_name_are_refused() {
    let mut world = World::new();
    let source = world.store("file", "content");
    world.settings["extraFiles"] = json!({ "EFI/tool/a.efi": source, "efi/TOOL/A.EFI": source });
    let toplevel = world.add(1);
    assert!(world.refused(&toplevel).contains("upper and lower case"));
}
