//! 7: a generation that cannot be made whole is never published half.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::world::World;

/// A generation whose initrd needs a secret of the machine.
fn with_secret(world: &World, number: u64) -> String {
    let toplevel = world.generation(&number.to_string(), &[]);
    let file = world.at(&format!("{toplevel}/boot.json"));
    let mut document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    document["org.nixos.initrd-secrets.v1"] = json!({ "key": "/etc/secrets/key" });
    fs::write(file, document.to_string()).unwrap();
    world.register(number, &toplevel);
    toplevel
}

#[test]
fn invariant_7_a_missing_secret_is_fatal_for_what_boots_next_and_skips_what_is_old() {
    let world = World::new();
    fs::set_permissions(world.at("/boot"), fs::Permissions::from_mode(0o700)).unwrap();
    world.write("/etc/secrets/key", "secret");
    let first = with_secret(&world, 1);
    world.install(&first);
    let entry = fs::read_to_string(world.entry(1)).unwrap();
    assert!(entry.contains("-secrets"), "{entry}");
    fs::remove_file(world.at("/etc/secrets/key")).unwrap();
    let error = world.refused(&first);
    assert!(
        error.contains("`key`") && error.contains("/etc/secrets/key"),
        "{error}"
    );
    let second = world.add(2);
    let report = world.install(&second);
    assert_eq!(report["skipped"][0]["generation"], 1);
    assert_eq!(
        world.entries(),
        [1, 2],
        "what is there of it is whole, and stays"
    );
    let named: Vec<&str> = entry
        .lines()
        .filter_map(|line| line.strip_prefix("initrd "))
        .collect();
    assert!(
        named
            .iter()
            .all(|path| world.at(&format!("/boot{path}")).exists())
    );
}

#[test]
fn invariant_7_one_that_was_never_whole_is_not_begun() {
    let world = World::new();
    fs::set_permissions(world.at("/boot"), fs::Permissions::from_mode(0o700)).unwrap();
    with_secret(&world, 1);
    let second = world.add(2);
    let report = world.install(&second);
    assert_eq!(report["skipped"][0]["generation"], 1);
    assert_eq!(world.entries(), [2]);
    let artifacts = world.names("EFI/nixos");
    assert_eq!(artifacts.len(), 2, "nothing of the first: {artifacts:?}");
}

#[test]
fn invariant_7_secrets_do_not_go_where_others_can_read_them() {
    let world = World::new();
    fs::set_permissions(world.at("/boot"), fs::Permissions::from_mode(0o755)).unwrap();
    world.write("/etc/secrets/key", "secret");
    let first = with_secret(&world, 1);
    let error = world.refused(&first);
    assert!(error.contains("umask=0077"), "{error}");
}

#[test]
fn invariant_7_a_generation_that_is_not_sealed_is_refused_where_none_is_made_here() {
    let mut world = World::new();
    world.settings["images"] = json!("sealed");
    let toplevel = world.add(1);
    let error = world.refused(&toplevel);
    assert!(error.contains("sealed.enable = true"), "{error}");
}
