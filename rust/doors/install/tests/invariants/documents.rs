//! What is read of a generation: v2, v1 alone, or nothing but the toplevel's links; and what others left on the partition.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::{Value, json};

use crate::world::{World, store_path};

/// The end of nixpkgs' script, where a configuration has no secrets, and where it has some.
const NOTHING: &str = "exit 0\n";
const SOMETHING: &str = "export PATH=/nix/store/x\ncp -a /etc/key tmp\n";

/// nixpkgs' program that appends secrets, in the manner of its script.
fn appender(world: &World, name: &str, end: &str) -> String {
    let script = format!(
        "#!/nix/store/x-bash/bin/bash -e\nfunction usage {{\n  echo usage\n}}\n\nif [ $# -ne 1 ]; then\n  usage\n  exit 1\nfi\n\n{end}"
    );
    world.store(name, script)
}

/// A generation with v1 alone, as nixpkgs writes it.
fn v1(world: &World, number: u64, end: &str) -> String {
    let toplevel = world.generation(&number.to_string(), &[]);
    let file = world.at(&format!("{toplevel}/boot.json"));
    let document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let v2 = &document["org.nixos.bootspec.v2"];
    let document = json!({
        "org.nixos.bootspec.v1": {
            "system": v2["system"], "init": v2["init"], "kernel": v2["kernel"], "kernelParams": v2["kernelParams"],
            "label": v2["label"], "toplevel": v2["toplevel"], "initrd": v2["initrds"][0],
            "initrdSecrets": appender(world, &format!("append-{number}"), end),
        },
        "org.nixos.specialisation.v1": {},
        "org.nixos.systemd-boot": { "sortKey": "a-nixos", "devicetree": world.store("tree.dtb", "tree") },
    });
    fs::write(file, document.to_string()).unwrap();
    world.register(number, &toplevel);
    toplevel
}

#[test]
fn v1_alone_is_installed_with_what_nixpkgs_says_beside_it() {
    let world = World::new();
    let toplevel = v1(&world, 1, NOTHING);
    world.install(&toplevel);
    let entry = fs::read_to_string(world.entry(1)).unwrap();
    let lines: Vec<&str> = entry.lines().collect();
    assert!(lines.contains(&"sort-key a-nixos"), "{entry}");
    assert!(
        lines.contains(&"machine-id 0123456789abcdef0123456789abcdef"),
        "{entry}"
    );
    assert!(lines.contains(&"version 1 NixOS 1"), "{entry}");
    let tree = lines
        .iter()
        .find_map(|line| line.strip_prefix("devicetree /"))
        .unwrap();
    assert_eq!(fs::read(world.at("/boot").join(tree)).unwrap(), b"tree");
    assert!(
        entry.contains(&format!("options init={toplevel}/init quiet")),
        "{entry}"
    );
}

#[test]
fn a_program_that_appends_secrets_is_never_started() {
    let world = World::new();
    let toplevel = v1(&world, 1, SOMETHING);
    let error = world.refused(&toplevel);
    assert!(
        error.contains("append-1") && error.contains("never started"),
        "{error}"
    );
}

#[test]
fn a_generation_without_a_document_is_installed_by_its_links() {
    let world = World::new();
    let toplevel = store_path("nixos-system-old");
    for (name, text) in [
        ("system", "x86_64-linux"),
        ("nixos-version", "21.05"),
        ("kernel-params", "quiet loglevel=4"),
    ] {
        world.write(&format!("{toplevel}/{name}"), text);
    }
    world.write_settings(&toplevel);
    let linux = store_path("linux-5.10");
    world.write(&format!("{linux}/bzImage"), "kernel");
    world.write(&format!("{linux}/lib/modules/5.10.1/modules.dep"), "");
    world.write(&format!("{}/initrd", store_path("initrd-old")), "initrd");
    let link =
        |to: String, name: &str| symlink(to, world.at(&format!("{toplevel}/{name}"))).unwrap();
    link(format!("{linux}/bzImage"), "kernel");
    link(linux.clone(), "kernel-modules");
    link(format!("{}/initrd", store_path("initrd-old")), "initrd");
    // A specialisation of the same parts.
    let child = store_path("nixos-system-old-blue");
    fs::create_dir_all(world.at(&child)).unwrap();
    for name in [
        "system",
        "nixos-version",
        "kernel-params",
        "kernel",
        "kernel-modules",
        "initrd",
    ] {
        symlink(
            format!("{toplevel}/{name}"),
            world.at(&format!("{child}/{name}")),
        )
        .unwrap();
    }
    fs::create_dir_all(world.at(&format!("{toplevel}/specialisation"))).unwrap();
    link(child, "specialisation/blue");
    world.register(1, &toplevel);
    world.install(&toplevel);
    assert_eq!(world.names("loader/entries").len(), 2);
    let entry = fs::read_to_string(world.entry(1)).unwrap();
    assert!(
        entry.contains("version 1 NixOS 21.05 (Linux 5.10.1)"),
        "{entry}"
    );
    assert!(
        entry.contains(&format!("options init={toplevel}/init quiet loglevel=4")),
        "{entry}"
    );
    assert!(entry.contains("-bzImage.efi"), "{entry}");
}

#[test]
fn what_nixpkgs_builder_left_is_replaced_by_the_same_generations() {
    let world = World::new();
    let running = world.add(1);
    world.boot(&running);
    for path in [
        "loader/entries/nixos-generation-1.conf",
        "EFI/nixos/hash-linux-bzImage.efi",
        "EFI/nixos/.extra-files/EFI/memtest86/memtest.efi",
        "EFI/memtest86/memtest.efi",
    ] {
        world.write(&format!("/boot/{path}"), path);
    }
    let next = world.add(2);
    world.install(&next);
    assert_eq!(world.entries(), [1, 2]);
    let left = world.everything("/boot");
    assert!(!left.contains_key("loader/entries/nixos-generation-1.conf"));
    assert!(
        !left
            .keys()
            .any(|path| path.contains("hash-linux") || path.contains(".extra-files"))
    );
    assert!(left.contains_key("EFI/memtest86/memtest.efi"));
}

#[test]
fn what_runs_and_cannot_be_made_keeps_what_others_installed_of_it() {
    let world = World::new();
    let running = v1(&world, 1, SOMETHING);
    world.boot(&running);
    for path in [
        "loader/entries/nixos-generation-1.conf",
        "EFI/nixos/hash-linux-bzImage.efi",
    ] {
        world.write(&format!("/boot/{path}"), path);
    }
    let next = world.add(2);
    let report = world.install(&next);
    assert_eq!(report["skipped"][0]["generation"], 1);
    let left = world.everything("/boot");
    assert!(left.contains_key("loader/entries/nixos-generation-1.conf"));
    assert!(left.contains_key("EFI/nixos/hash-linux-bzImage.efi"));
}

#[test]
fn other_profiles_come_behind_the_systems_own_whatever_their_numbers() {
    let world = World::new();
    let own = world.generation("1", &["blue"]);
    world.register(1, &own);
    let work = world.generation("work", &[]);
    world.register_in("/nix/var/nix/profiles/system-profiles/work", 7, &work);
    world.install(&own);
    let mut listed: Vec<_> = world
        .names("loader/entries")
        .iter()
        .map(|name| {
            let text = fs::read_to_string(world.at("/boot/loader/entries").join(name)).unwrap();
            let entry = touchstone_esp::type1::Type1::read(&text);
            touchstone_esp::order::Listed::text(name, &entry)
        })
        .collect();
    listed.sort_by(touchstone_esp::order::compare);
    let order: Vec<&str> = listed
        .iter()
        .map(|one| one.id.rsplit_once('-').unwrap().0)
        .collect();
    assert_eq!(order, ["nixos-1", "nixos-1--blue", "nixos--work-7"]);
}
