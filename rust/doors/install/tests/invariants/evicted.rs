//! 5: what runs, what is tried, what boots next and what is known to be good are never evicted; the limit counts what boots.

use serde_json::json;

use crate::world::World;

#[test]
fn invariant_5_four_kinds_of_generations_are_never_evicted() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!({ "tries": 2 });
    let toplevels: Vec<String> = (1..=6).map(|number| world.add(number)).collect();
    world.install(toplevels.last().unwrap());
    world.count(1, "");
    let tried = world.count(3, "+1-1");
    world.boot(&toplevels[1]);
    let name = tried.file_name().unwrap().to_str().unwrap().to_owned();
    world.variable("LoaderBootCountPath", &format!("\\loader\\entries\\{name}"));
    world.settings["configurationLimit"] = json!(1);
    let next = world.add(7);
    let report = world.install(&next);
    assert_eq!(world.entries(), [1, 2, 3, 7]);
    let reasons = |number: u64| {
        let kept = report["kept"].as_array().unwrap();
        let one = kept.iter().find(|one| one["generation"] == number).unwrap();
        one["reasons"].clone()
    };
    assert_eq!(reasons(7), json!(["default"]));
    assert_eq!(reasons(3), json!(["tried"]));
    assert_eq!(reasons(2), json!(["booted"]));
    assert_eq!(reasons(1), json!(["last-good"]));
    assert!(tried.exists(), "it is being blessed under this name");
}

#[test]
fn invariant_5_after_a_rollback_newer_generations_go_first() {
    let mut world = World::new();
    world.settings["configurationLimit"] = json!(2);
    let toplevels: Vec<String> = (1..=5).map(|number| world.add(number)).collect();
    world.boot(&toplevels[0]);
    let report = world.install(&toplevels[0]);
    assert_eq!(world.entries(), [1, 4, 5]);
    assert_eq!(report["default"]["generation"], 1);
    assert_eq!(report["evicted"].as_array().unwrap().len(), 2);
}

#[test]
fn invariant_5_the_limit_counts_what_boots() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!({ "tries": 2 });
    world.settings["configurationLimit"] = json!(2);
    let toplevels: Vec<String> = (1..=3).map(|number| world.add(number)).collect();
    world.install(&toplevels[2]);
    assert_eq!(world.entries(), [2, 3]);
    world.count(3, "+0-2");
    let next = world.add(4);
    world.install(&next);
    assert_eq!(world.entries(), [2, 3, 4], "the bad one takes no place");
}

#[test]
fn invariant_5_an_entry_that_runs_stays_though_its_generation_is_deleted() {
    let world = World::new();
    let running = world.add(1);
    let next = world.add(2);
    world.install(&next);
    world.boot(&running);
    let entry = world.entry(1);
    let id = entry.file_name().unwrap().to_str().unwrap().to_owned();
    world.variable("LoaderEntrySelected", &id);
    std::fs::remove_file(world.at("/nix/var/nix/profiles/system-1-link")).unwrap();
    world.install(&next);
    let text = std::fs::read_to_string(entry).unwrap();
    let initrd = text
        .lines()
        .find_map(|line| line.strip_prefix("initrd "))
        .unwrap();
    assert!(world.at(&format!("/boot{initrd}")).exists());
}
