//! systemd-boot itself: at the configuration's version, signed, compared by Authenticode digest; and which entry it starts.

use std::fs;

use serde_json::json;

use crate::machine::{boots, keys, written};
use crate::world::World;

const OWN: &str = "EFI/systemd/systemd-bootx64.efi";
const FALLBACK: &str = "EFI/BOOT/BOOTX64.EFI";

#[test]
fn both_copies_of_the_loader_are_signed_and_left_alone_when_they_are_the_same() {
    let mut world = World::signing("trixie");
    let first = world.add(1);
    let report = world.install(&first);
    let files = written(&report);
    assert_eq!(
        files[1..],
        [OWN, FALLBACK, "loader/loader.conf"],
        "in this order"
    );
    for path in [OWN, FALLBACK] {
        assert!(boots(&world.on_boot(path)));
    }
    assert_eq!(world.install(&first)["changed"], false);
    // Nobody remembers who wrote it: the digest and the signature decide.
    fs::remove_dir_all(world.at("/var/lib/touchstone")).unwrap();
    assert_eq!(world.install(&first)["changed"], false);
    // An unsigned one of the same digest is no longer good enough.
    let unsigned = world.at(&world.program_of("loader", "trixie"));
    fs::copy(unsigned, world.on_boot(OWN)).unwrap();
    assert_eq!(written(&world.install(&first)), [OWN]);
    assert!(boots(&world.on_boot(OWN)));
    // Another version comes with another configuration, older or newer.
    world.settings["loader"] = json!({ "image": world.program_of("loader", "bookworm") });
    let second = world.add(2);
    assert!(written(&world.install(&second)).ends_with(&[
        OWN.to_owned(),
        FALLBACK.to_owned(),
        "loader/loader.conf".to_owned()
    ]));
}

#[test]
fn the_program_that_firmware_starts_by_itself_may_be_anothers() {
    let world = World::signing("trixie");
    world.write(&format!("/boot/{FALLBACK}"), "another system's");
    let toplevel = world.add(1);
    let report = world.install(&toplevel);
    assert_eq!(
        fs::read(world.on_boot(FALLBACK)).unwrap(),
        b"another system's"
    );
    assert!(report["notes"][0].as_str().unwrap().contains(FALLBACK));
    // One of systemd's own is taken over.
    let bootctl = world.at(&world.program_of("loader", "bookworm"));
    fs::copy(bootctl, world.on_boot(FALLBACK)).unwrap();
    world.install(&toplevel);
    assert!(boots(&world.on_boot(FALLBACK)));
}

#[test]
fn what_is_no_systemd_boot_is_not_installed_as_one() {
    let mut world = World::signing("trixie");
    world.settings["loader"] = json!({ "image": world.settings["stub"].clone() });
    let toplevel = world.add(1);
    assert!(world.refused(&toplevel).contains("is not systemd-boot"));
}

#[test]
fn a_signature_that_was_added_by_hand_stays_where_nobody_signs() {
    let mut world = World::signing("trixie");
    let first = world.add(1);
    world.install(&first);
    let signed = fs::read(world.on_boot(OWN)).unwrap();
    world.settings["signing"] = json!(null);
    let second = world.add(2);
    world.install(&second);
    assert_eq!(fs::read(world.on_boot(OWN)).unwrap(), signed);
    assert!(!boots(&world.entry(2)));
}

#[test]
fn a_sealed_generation_brings_its_own_signed_loader() {
    let world = World::signing("trixie");
    let sealed = world.sealed("1", &[], false);
    let loader = fs::read(world.at(&world.program_of("loader", "bookworm"))).unwrap();
    world.name_program(&sealed, "loader", &loader);
    world.register(1, &sealed);
    world.install(&sealed);
    for path in [OWN, FALLBACK] {
        assert_eq!(
            fs::read(world.on_boot(path)).unwrap(),
            loader,
            "byte for byte"
        );
    }
}

#[test]
fn shim_stands_in_front_where_the_sealed_generation_names_it() {
    let world = World::signing("trixie");
    let sealed = world.sealed("1", &[], false);
    // Any program that is not systemd-boot.
    let shim = fs::read(world.at(&world.program_of("stub", "trixie"))).unwrap();
    world.name_program(&sealed, "shim", &shim);
    world.register(1, &sealed);
    world.install(&sealed);
    assert_eq!(fs::read(world.on_boot(FALLBACK)).unwrap(), shim);
    let beside = fs::read(world.on_boot("EFI/BOOT/grubx64.efi")).unwrap();
    assert_eq!(beside, fs::read(world.on_boot(OWN)).unwrap());
    assert_eq!(world.install(&sealed)["changed"], false);
}

#[test]
fn what_the_firmware_would_refuse_is_not_installed() {
    let world = World::signing("trixie");
    world.enforce(&keys().join("db.esl"));
    let first = world.add(1);
    world.install(&first);
    // The sealed image of this world is no program at all.
    let sealed = world.sealed("2", &[], false);
    world.register(2, &sealed);
    let error = world.refused(&sealed);
    assert!(
        error.contains("would not be started by firmware"),
        "{error}"
    );
    // Of an old generation it is a reason to leave it out.
    let third = world.add(3);
    let report = world.install(&third);
    assert_eq!(report["skipped"][0]["generation"], 2);
    assert_eq!(world.entries(), [1, 3]);
    // A key that the firmware does not know.
    let others = keys().parent().unwrap().join("others/db.esl");
    world.enforce(&others);
    let fourth = world.add(4);
    let error = world.refused(&fourth);
    assert!(
        error.contains("would not be started by firmware"),
        "{error}"
    );
}

/// The world of a machine that a shim started, whose list alone has the key that signs here.
fn behind_shim() -> World {
    let world = World::signing("trixie");
    world.enforce(&keys().parent().unwrap().join("others/db.esl"));
    world.started_by_shim(&keys().join("db.esl"));
    world
}

#[test]
fn the_list_of_a_shim_counts_only_where_that_shim_stays_in_front() {
    // The firmware itself will start what is installed here.
    let world = behind_shim();
    let first = world.add(1);
    let error = world.refused(&first);
    assert!(
        error.contains("the boot loader") && error.contains("would not be started by firmware"),
        "{error}"
    );
    let mut world = behind_shim();
    world.settings["loader"] = json!(null);
    let first = world.add(1);
    world.install(&first);
    assert_eq!(world.entries(), [1]);
}

/// A world that counts boots, with two generations that are installed; the newest boots next.
fn counting(suite: &str) -> (World, [String; 2]) {
    let mut world = World::signing(suite);
    world.settings["bootCounting"] = json!({ "tries": 2 });
    let toplevels = [world.add(1), world.add(2)];
    world.install(&toplevels[1]);
    (world, toplevels)
}

#[test]
fn before_260_a_default_that_does_not_come_first_is_refused() {
    let (world, [older, _]) = counting("trixie");
    let conf = world.loader_conf();
    assert!(
        conf.ends_with("default nixos-*\n") && !conf.contains("preferred"),
        "{conf}"
    );
    let error = world.refused(&older);
    assert!(
        error.contains("systemd-boot 257") && error.contains("nixos-2-"),
        "{error}"
    );
    // When the newer one is bad, the older one comes first.
    world.count(2, "+0-2");
    world.install(&older);
}

#[test]
fn before_260_an_older_release_of_nixos_is_refused_though_its_generation_is_newer() {
    let mut world = World::signing("trixie");
    world.settings["bootCounting"] = json!({ "tries": 2 });
    for (number, release) in [(1, "25.11"), (2, "24.11")] {
        let toplevel = world.generation(&number.to_string(), &[]);
        let text = format!("ID=nixos\nNAME=NixOS\nVERSION_ID={release}\n");
        world.write(&format!("{toplevel}/etc/os-release"), text);
        world.register(number, &toplevel);
        match number {
            1 => drop(world.install(&toplevel)),
            _ => assert!(world.refused(&toplevel).contains("nixos-1-")),
        }
    }
}

#[test]
fn from_260_on_the_default_is_preferred_while_it_is_not_bad() {
    let (world, [older, _]) = counting("sid");
    let conf = world.loader_conf();
    assert!(
        conf.contains("preferred nixos-2-") && conf.ends_with("default nixos-*\n"),
        "{conf}"
    );
    world.install(&older);
    assert!(world.loader_conf().contains("preferred nixos-1-"));
    world.count(1, "+0-2");
    let report = world.install(&older);
    let note = report["notes"][0].as_str().unwrap();
    assert!(note.contains("is bad"), "{note}");
}

#[test]
fn a_variable_that_overrules_loader_conf_is_named() {
    let world = World::signing("trixie");
    world.variable("LoaderEntryDefault", "arch.conf");
    world.variable("LoaderEntryPreferred", "debian.conf");
    let toplevel = world.add(1);
    let report = world.install(&toplevel);
    let notes = report["notes"].to_string();
    assert!(
        notes.contains("LoaderEntryDefault") && notes.contains("arch.conf"),
        "{notes}"
    );
    assert!(
        notes.contains("LoaderEntryPreferred") && notes.contains("debian.conf"),
        "{notes}"
    );
}
