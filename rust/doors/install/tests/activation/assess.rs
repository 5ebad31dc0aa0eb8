//! `touchstone-install bless`, `bad` and `clear-entry-default`.

use serde_json::json;

use crate::world::World;

/// A machine that tries generation 2 for the first time.
fn trying() -> World {
    let world = World::new();
    world.done(&["boot", world.generation("2").as_str()]);
    let path = world.count(2, "+2-1");
    world.variable("LoaderBootCountPath", &path);
    world
}

#[test]
fn the_entry_that_is_being_tried_is_blessed() {
    let world = trying();
    let answer = world.done(&["bless"]);
    assert_eq!(answer["meant"], true);
    assert_eq!(
        answer["changes"][0]["to"],
        format!("loader/entries/{}", world.entry(2))
    );
    assert_eq!(world.entry(2).count, None);
    let again = world.run(&["bless"]);
    assert!(
        again.text.contains("is marked so already"),
        "{}",
        again.text
    );
    // What is installed next finds it good, and so it stays.
    world.done(&["boot", world.generation("3").as_str()]);
    assert_eq!(world.entry(2).count, None);
    assert_eq!(world.entry(3).count.unwrap().left, 3);
}

#[test]
fn the_entry_that_is_being_tried_can_be_marked_bad() {
    let world = trying();
    world.done(&["bad"]);
    assert_eq!(world.entry(2).count.unwrap().to_string(), "+0-1");
    assert_eq!(world.entry(1).count, None);
}

#[test]
fn an_entry_can_be_named() {
    let world = trying();
    let id = world.entry(1).id();
    world.done(&["bad", &id]);
    assert_eq!(world.entry(1).count.unwrap().to_string(), "+0");
    assert_eq!(world.entry(2).count.unwrap().to_string(), "+2-1");
    world.done(&["bless", &id]);
    assert_eq!(world.entry(1).count, None);
    assert!(
        world
            .refused(&["bless", "nixos-7.conf"])
            .contains("no boot entry nixos-7.conf")
    );
}

#[test]
fn a_boot_that_is_not_counted_needs_no_blessing_and_blames_no_entry() {
    let world = World::new();
    assert_eq!(
        world.done(&["bless"]),
        json!({ "meant": false, "changes": [] })
    );
    assert!(world.refused(&["bad"]).contains("name one"));
}

#[test]
fn the_default_of_the_firmware_goes_when_that_is_asked_for() {
    let world = World::new();
    world.variable("LoaderEntryDefault", "nixos-1.conf");
    let both = |default: Option<&str>, preferred: Option<&str>| json!({ "entryDefault": default, "entryPreferred": preferred });
    let answer = world.done(&["clear-entry-default"]);
    assert_eq!(answer, both(Some("nixos-1.conf"), None));
    assert_eq!(world.done(&["clear-entry-default"]), both(None, None));
    world.variable("LoaderEntryPreferred", "nixos-2.conf");
    let answer = world.done(&["clear-entry-default"]);
    assert_eq!(answer, both(None, Some("nixos-2.conf")));
    assert_eq!(world.done(&["clear-entry-default"]), both(None, None));
}
