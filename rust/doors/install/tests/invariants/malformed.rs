//! 6: a malformed generation is reported and skipped, and nothing that might be its is collected.

use std::fs;

use crate::world::World;

#[test]
fn invariant_6_a_malformed_generation_is_skipped_and_collects_nothing() {
    let world = World::new();
    let broken = world.add(1);
    world.add(2);
    let third = world.add(3);
    world.install(&third);
    world.write("/boot/EFI/nixos/somebodys", "?");
    world.write(&format!("{broken}/boot.json"), "{ torn");
    fs::remove_file(world.at("/nix/var/nix/profiles/system-2-link")).unwrap();
    let report = world.install(&third);
    assert_eq!(report["skipped"][0]["generation"], 1);
    let why = report["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("boot.json"), "{why}");
    assert_eq!(world.entries(), [1, 2, 3]);
    assert!(world.at("/boot/EFI/nixos/somebodys").exists());
    // Once it is gone, so is the rest.
    fs::remove_file(world.at("/nix/var/nix/profiles/system-1-link")).unwrap();
    world.install(&third);
    assert_eq!(world.entries(), [3]);
    assert!(!world.at("/boot/EFI/nixos/somebodys").exists());
}

#[test]
fn invariant_6_settings_that_nobody_understands_are_not_taken_for_none() {
    let world = World::new();
    let (first, second, third) = (world.add(1), world.add(2), world.add(3));
    let document = |toplevel: &str| world.at(&format!("{toplevel}/touchstone/install.json"));
    let text = fs::read_to_string(document(&first)).unwrap();
    for torn in ["{ torn", &text.replace("sigsNeeded", "sigNeeded")] {
        fs::write(document(&first), torn).unwrap();
        let report = world.install(&third);
        assert_eq!(report["skipped"][0]["generation"], 1);
        let why = report["skipped"][0]["why"].as_str().unwrap();
        assert!(why.contains("install.json"), "{why}");
        assert_eq!(world.entries(), [2, 3]);
    }
    fs::write(document(&first), text).unwrap();
    // One of before Touchstone has none, and is installed.
    fs::remove_file(document(&second)).unwrap();
    world.install(&third);
    assert_eq!(world.entries(), [1, 2, 3]);
}

#[test]
fn invariant_6_nothing_that_boots_is_a_refusal() {
    let world = World::new();
    let only = world.add(1);
    world.install(&only);
    world.write(&format!("{only}/boot.json"), "{}");
    let error = world.refused(&only);
    assert!(error.contains("cannot be installed"), "{error}");
    assert!(error.contains("org.nixos.bootspec"), "{error}");
}

#[test]
fn invariant_6_artifacts_of_another_path_are_not_taken() {
    let world = World::new();
    let sealed = world.sealed("1", &[], false);
    let copy = crate::world::store_path("copied");
    for file in ["boot.json", "touchstone/uki.efi", "touchstone/install.json"] {
        let content = fs::read(world.at(&format!("{sealed}/{file}"))).unwrap();
        world.write(&format!("{copy}/{file}"), content);
    }
    world.register(1, &copy);
    let error = world.refused(&copy);
    assert!(error.contains(&sealed), "{error}");
}

#[test]
fn settings_with_a_key_that_is_unknown_missing_or_there_twice_are_refused() {
    let world = World::new();
    let toplevel = world.add(1);
    let file = world.at(&format!("{toplevel}/touchstone/install.json"));
    let text = fs::read_to_string(&file).unwrap();
    let cases = [
        ("{", r#"{"colour":"red","#, "colour"),
        (r#""sigsNeeded""#, r#""sigNeeded""#, "sigNeeded"),
        (r#""timeout""#, r#""timeout":"1","timeout""#, "timeout"),
        (r#""esp""#, r#""esp":"/other","esp""#, "esp"),
    ];
    for (from, to, named) in cases {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        fs::write(&file, changed).unwrap();
        let error = world.refused(&toplevel);
        assert!(error.contains("install.json"), "{error}");
        assert!(error.contains(named), "{error}");
    }
    fs::write(&file, text).unwrap();
    world.install(&toplevel);
}
