//! 3: running it again with the same input writes nothing, and keeps counters and marks.

use serde_json::json;

use crate::world::World;

#[test]
fn invariant_3_an_unchanged_run_writes_nothing() {
    let world = World::new();
    world.add(1);
    let sealed = world.sealed("2", &["rescue"], false);
    world.register(2, &sealed);
    assert_eq!(world.install(&sealed)["changed"], true);
    let before = world.everything("/");
    assert_eq!(world.install(&sealed)["changed"], false);
    assert_eq!(before, world.everything("/"));
}

#[test]
fn invariant_3_counters_and_good_marks_survive() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!({ "tries": 3 });
    let next = world.generation("3", &["blue"]);
    world.add(1);
    world.add(2);
    world.register(3, &next);
    world.install(&next);
    assert!(
        world
            .names("loader/entries")
            .iter()
            .all(|name| name.ends_with("+3.conf"))
    );
    let tried = world.count(3, "+1-2");
    let good = world.count(2, "");
    let bad = world.count(1, "+0-3");
    assert_eq!(world.install(&next)["changed"], false);
    let newer = world.add(4);
    world.install(&newer);
    for entry in [tried, good, bad] {
        assert!(entry.exists(), "{}", entry.display());
    }
    let blue = world.names("loader/entries");
    assert!(
        blue.iter()
            .any(|name| name.starts_with("nixos-3--blue-") && name.ends_with("+3.conf"))
    );
}

#[test]
fn invariant_3_what_runs_is_good_when_it_is_installed_first() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!({ "tries": 2 });
    let running = world.add(1);
    world.boot(&running);
    let next = world.add(2);
    world.install(&next);
    assert!(!world.entry(1).display().to_string().contains('+'));
    assert!(world.entry(2).display().to_string().ends_with("+2.conf"));
}

#[test]
fn invariant_3_an_entry_that_is_made_anew_keeps_its_counter() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!({ "tries": 3 });
    world.add(1);
    let second = world.add(2);
    world.install(&second);
    world.count(1, "+1-2");
    // Another name for the system: every text is another one.
    world.settings["distro"] = json!("Other");
    world.write_settings(&second);
    world.install(&second);
    assert!(world.entry(1).display().to_string().ends_with("+1.conf"));
    assert!(
        std::fs::read_to_string(world.entry(1))
            .unwrap()
            .contains("title Other")
    );
}
