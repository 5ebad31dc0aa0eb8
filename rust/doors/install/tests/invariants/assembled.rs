//! Generations that hold no image: it is assembled, signed and verified on the machine.

use std::fs;

use serde_json::json;

use crate::machine::{boots, keys, written};
use crate::world::World;

#[test]
fn an_image_is_assembled_signed_and_made_once() {
    let mut world = World::signing("trixie");
    world.settings["profiles"] =
        json!([{ "id": "debug", "title": "Debug", "kernelParams": ["debug"] }]);
    world.settings["sections"] = json!([{ "name": ".fleet", "content": "rack 4" }]);
    let toplevel = world.generation("1", &["blue"]);
    world.write(
        &format!("{toplevel}/etc/os-release"),
        "ID=nixos\nNAME=NixOS\nVERSION_ID=25.11\n",
    );
    world.register(1, &toplevel);
    world.install(&toplevel);
    let images = world.names("EFI/Linux");
    assert_eq!(images.len(), 2);
    let image = world.entry(1);
    assert!(boots(&image));
    let text = String::from_utf8_lossy(&fs::read(&image).unwrap()).into_owned();
    for part in [
        "rack 4",
        "VERSION_ID=25.11",
        "ID=debug\nTITLE=Debug",
        "quiet debug",
        "initrd of 1",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let before = world.everything("/");
    assert_eq!(world.install(&toplevel)["changed"], false);
    assert_eq!(before, world.everything("/"));
    // Without its records it comes to the same.
    fs::remove_dir_all(world.at("/var/lib/touchstone")).unwrap();
    assert_eq!(world.install(&toplevel)["changed"], false);
    // And is made again where it is damaged.
    fs::write(&image, "damaged").unwrap();
    assert_eq!(written(&world.install(&toplevel)).len(), 1);
    assert!(boots(&image));
}

#[test]
fn an_older_generation_keeps_the_stub_that_its_configuration_named() {
    let mut world = World::signing("trixie");
    let first = world.add(1);
    world.install(&first);
    let before = world.entry(1);
    world.settings["stub"] = json!(world.program_of("stub", "sid"));
    let second = world.add(2);
    world.install(&second);
    assert_eq!(world.entry(1), before);
    assert!(boots(&world.entry(2)));
}

#[test]
fn a_key_that_is_not_the_certificates_signs_nothing() {
    let world = World::signing("trixie");
    let other = keys().parent().unwrap().join("others/db.key");
    fs::copy(other, world.at("/etc/keys/db.key")).unwrap();
    let toplevel = world.add(1);
    let error = world.refused(&toplevel);
    assert!(
        error.contains("db.key") && error.contains("help:"),
        "{error}"
    );
}

#[test]
fn keys_in_tokens_are_refused_by_the_static_program() {
    let mut world = World::signing("trixie");
    world.settings["signing"]["key"] = json!("pkcs11:token=boot;object=db?pin-value=1234");
    let toplevel = world.add(1);
    let program = touchstone_harness::inputs().installer.unwrap();
    let output = world.order(&program, &[&toplevel]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("this program does not open pkcs11: keys"),
        "{error}"
    );
    assert!(!error.contains("1234"), "{error}");
    assert!(world.names("EFI/Linux").is_empty());
}

#[test]
fn secrets_cannot_be_part_of_an_image() {
    let world = World::signing("trixie");
    world.write("/etc/secrets/key", "secret");
    let toplevel = world.add(1);
    let file = world.at(&format!("{toplevel}/boot.json"));
    let text = fs::read_to_string(&file).unwrap();
    let secrets = r#"{"org.nixos.initrd-secrets.v1":{"key":"/etc/secrets/key"},"#;
    fs::write(file, text.replacen('{', secrets, 1)).unwrap();
    let error = world.refused(&toplevel);
    assert!(error.contains("boot.initrd.secrets"), "{error}");
}

#[test]
fn an_image_that_turns_out_otherwise_than_remembered_is_planned_again() {
    let world = World::signing("trixie");
    let toplevel = world.add(1);
    world.install(&toplevel);
    let before = world.everything("/boot");
    let file = world.at("/var/lib/touchstone/esp.known.json");
    let mut known: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    for image in known["images"].as_object_mut().unwrap().values_mut() {
        image["sha256"] = json!("0".repeat(64));
    }
    fs::write(&file, known.to_string()).unwrap();
    assert_eq!(world.install(&toplevel)["changed"], false);
    assert_eq!(world.everything("/boot"), before);
    assert!(!world.at("/var/lib/touchstone/esp.work").exists());
}
