//! 10: the policy is there before the files that need it, and admits what runs.

use std::fs;

use serde_json::{Value, json};

use crate::sealed::inner;
use crate::world::World;

fn predicted(output: &str) -> World {
    let mut world = World::new();
    world.settings["images"] = json!("sealed");
    world.settings["policy"] =
        json!({ "output": output, "pcrs": [7, 11, 12, 13], "bank": "sha256" });
    world
}

/// How many outcomes a policy admits, and which of them runs.
fn admitted(world: &World, path: &str) -> (usize, String) {
    let policy: Value = serde_json::from_slice(&fs::read(world.at(path)).unwrap()).unwrap();
    let text = policy.to_string();
    (policy["branches"].as_array().unwrap().len(), text)
}

#[test]
fn invariant_10_the_policy_admits_everything_that_is_kept_and_what_runs() {
    let world = predicted("/var/lib/touchstone/policy.json");
    let first = world.sealed("1", &["rescue"], true);
    world.register(1, &first);
    world.boot(&inner("1"));
    let second = world.sealed("2", &[], true);
    world.register(2, &second);
    let report = world.install(&second);
    assert_eq!(report["policy_admits"], Value::Null);
    assert_eq!(report["policyAdmits"], 3);
    let (count, text) = admitted(&world, "/var/lib/touchstone/policy.json");
    assert_eq!(count, 3);
    for name in [
        "generation 1",
        "generation 1, specialisation rescue",
        "generation 2",
    ] {
        assert!(text.contains(name), "{text}");
    }
    assert_eq!(world.install(&second)["changed"], false);
}

#[test]
fn invariant_10_a_missing_prediction_is_refused_before_anything_changes() {
    let world = predicted("loader/policy.json");
    let first = world.sealed("1", &[], true);
    world.register(1, &first);
    world.boot(&inner("1"));
    world.install(&first);
    let before = world.everything("/");
    let second = world.sealed("2", &[], false);
    world.register(2, &second);
    let error = world.refused(&second);
    assert!(
        error.contains("generation 2 has no predicted PCR values"),
        "{error}"
    );
    let boot = |everything: &std::collections::BTreeMap<String, String>| {
        everything.get("boot/loader/policy.json").cloned()
    };
    assert_eq!(boot(&before), boot(&world.everything("/")));
}

#[test]
fn invariant_10_a_machine_that_runs_something_else_is_not_locked_out() {
    let world = predicted("/var/lib/touchstone/policy.json");
    let only = world.sealed("1", &[], true);
    world.register(1, &only);
    world.boot(&world.store("elsewhere", ""));
    let error = world.refused(&only);
    assert!(error.contains("would be locked out"), "{error}");
    let mut first = world.program(&[&only]);
    first.env("NIXOS_INSTALL_BOOTLOADER", "1");
    assert!(first.output().unwrap().status.success());
}

#[test]
fn invariant_10_a_failed_run_takes_its_policy_back() {
    let world = predicted("/var/lib/touchstone/policy.json");
    let first = world.sealed("1", &[], true);
    world.register(1, &first);
    world.boot(&inner("1"));
    world.install(&first);
    let (_, before) = admitted(&world, "/var/lib/touchstone/policy.json");
    let second = world.sealed("2", &[], true);
    world.register(2, &second);
    fs::write(
        world.at(&format!("{second}/touchstone/uki.efi")),
        "imAge of 2",
    )
    .unwrap();
    world.refused(&second);
    let (_, after) = admitted(&world, "/var/lib/touchstone/policy.json");
    assert_eq!(before, after);
}
