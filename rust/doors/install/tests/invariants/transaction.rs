//! 1: space is checked before anything is written, and what is written gets its name when all of it is on the disk.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::world::{World, said};

/// Runs the program with a partition of so many bytes, which holds what the world's does, and is copied back. Needs util-linux' unshare.
fn on_small(world: &World, size: &str, toplevel: &str) -> crate::world::Said {
    let program = world.program(&[toplevel]);
    let script = r#"
        mount -t tmpfs -o "size=$1" none "$2.small"
        cp -a "$2/." "$2.small"
        mount --bind "$2.small" "$2"
        shift 2
        status=0
        "$@" || status=$?
        while read -r file; do echo "left: $file" >&2; done <<< "$(cd "$BOOT" && find . -name 'nixos-stage-*')"
        exit $status
    "#;
    let boot = world.at("/boot");
    fs::create_dir_all(boot.with_extension("small")).unwrap();
    let mut command = Command::new("unshare");
    command.args([
        "--user",
        "--map-root-user",
        "--mount",
        "bash",
        "-ec",
        script,
        "bash",
    ]);
    command.arg(size).arg(&boot).arg(program.get_program());
    command.args(program.get_args()).env("BOOT", &boot);
    said(command.output().unwrap())
}

#[test]
fn invariant_1_a_full_disk_is_found_before_anything_is_written() {
    let world = World::new();
    let first = world.add(1);
    world.install(&first);
    let toplevel = world.generation("2", &[]);
    let initrd = world.at(&crate::world::store_path("initrd-2"));
    fs::write(initrd, vec![7; 3 << 20]).unwrap();
    world.register(2, &toplevel);
    let said = on_small(&world, "3m", &toplevel);
    assert_eq!(said.status, 1);
    assert!(said.error.contains("bytes are needed"), "{}", said.error);
    assert!(!said.error.contains("left: ./"), "{}", said.error);
    // One MiB stays free.
    let said = on_small(&world, "3500k", &toplevel);
    assert_eq!(said.status, 1, "{}", said.report);
    let said = on_small(&world, "6m", &toplevel);
    assert_eq!(said.status, 0, "{}", said.error);
}

#[test]
fn invariant_1_loader_conf_changes_with_the_entries_or_not_at_all() {
    let world = World::new();
    let first = world.add(1);
    world.install(&first);
    let before = world.loader_conf();
    let sealed = world.sealed("2", &[], false);
    world.register(2, &sealed);
    fs::write(
        world.at(&format!("{sealed}/touchstone/uki.efi")),
        "imAge of 2",
    )
    .unwrap();
    let error = world.refused(&sealed);
    assert!(error.contains("uki.efi"), "{error}");
    assert_eq!(world.loader_conf(), before);
    fs::write(
        world.at(&format!("{sealed}/touchstone/uki.efi")),
        "image of 2",
    )
    .unwrap();
    world.install(&sealed);
    assert_ne!(world.loader_conf(), before);
}

#[test]
fn invariant_1_the_plan_says_what_it_costs_and_does_nothing() {
    let world = World::new();
    let toplevel = world.add(1);
    let before = world.everything("/");
    let said = world.run(&["--dry-run", &toplevel]);
    assert_eq!(said.status, 0, "{}", said.error);
    assert_eq!(said.report["dryRun"], true);
    let volume = &said.report["volumes"][0];
    assert_eq!(volume["written"].as_array().unwrap().len(), 4);
    assert!(volume["needed"].as_u64().unwrap() >= 4 * 4096, "{volume}");
    assert_eq!(before, world.everything("/"));
    let done = world.install(&toplevel);
    assert_eq!(done["volumes"][0]["written"], volume["written"]);
    assert_eq!(
        done["default"],
        json!({
            "profile": null,
            "generation": 1,
            "specialisation": null,
            "id": said.report["default"]["id"],
        })
    );
}
