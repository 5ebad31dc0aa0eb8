//! `touchstone boot verify`: artifacts that real Nix built, intact and damaged in every way.

use std::fs;

use serde_json::{Value, json};

use super::built::{Built, VERIFY};

#[test]
fn every_damage_is_found_and_what_is_intact_is_verified() {
    let built = Built::new();
    // Each on a fresh copy: building takes longer than all of them.
    for claim in [
        intact_artifacts_are_verified,
        a_changed_byte_is_found_whether_or_not_the_document_follows,
        another_authenticode_digest_is_found,
        parts_of_another_generation_are_found,
        missing_and_foreign_files_and_links_are_found,
        an_unsigned_image_is_found,
        documents_of_another_generation_are_found,
        documents_that_were_edited_are_found,
        a_damaged_boot_json_is_found,
        without_a_boot_json_there_is_no_verdict,
    ] {
        built.copy();
        claim(&built);
    }
}

fn finding(file: &str, rule: &str) -> (String, String) {
    (file.to_owned(), rule.to_owned())
}

fn intact_artifacts_are_verified(built: &Built) {
    let key = String::from_utf8(built.nix.work.read("keys/nix.public")).unwrap();
    let all = [&VERIFY[..], &["--trusted-key", key.trim()]].concat();
    let (status, verdict) = built.verdict("damaged", &all);
    assert_eq!(status, Some(0), "{verdict}");
    assert_eq!(verdict["findings"], json!([]));
    // The toplevels of the checks have no os-release.
    let notes = verdict["notes"].as_array().unwrap();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes
            .iter()
            .all(|note| note.as_str().unwrap().contains("os-release")),
        "{notes:?}"
    );
    assert_eq!(built.broken(&[]), [], "without variables");
}

fn a_changed_byte_is_found_whether_or_not_the_document_follows(built: &Built) {
    let mut uki = built.read("uki.efi");
    let middle = uki.len() / 2;
    uki[middle] ^= 1;
    built.write("uki.efi", &uki);
    built.assert_broken("a changed byte", &[("uki.efi", "content")]);
    built.rename("/uki", "uki.efi");
    let found = built.broken(&VERIFY);
    assert!(
        found.contains(&finding("uki.efi", "signature")),
        "{found:?}"
    );
    assert!(
        found.contains(&finding("pcrs.json", "prediction")),
        "{found:?}"
    );
}

fn another_authenticode_digest_is_found(built: &Built) {
    built.edit(|document| {
        document["org.touchstone.v1"]["uki"]["authenticodeSha256"] = "0".repeat(64).into();
    });
    let found = built.broken(&VERIFY);
    assert!(
        found.contains(&finding("uki.efi", "authenticode")),
        "{found:?}"
    );
}

fn parts_of_another_generation_are_found(built: &Built) {
    built.nix.work.write("other-initrd", "another initrd");
    for (parts, rule) in [
        (["--cmdline", "init=/nix/store/x quiet"], "command-line"),
        (["--initrd", "other-initrd"], "initrd"),
        (["--linux", "loader"], "kernel"),
    ] {
        built.copy();
        built.other_uki(&parts);
        for variables in [&VERIFY[..], &[]] {
            let found = built.broken(variables);
            assert!(
                found.contains(&finding("uki.efi", rule)),
                "{rule}: {found:?}"
            );
            // What was predicted for the real one is not what this one measures.
            assert!(
                found.contains(&finding("pcrs.json", "prediction")),
                "{rule}: {found:?}"
            );
        }
    }
}

fn missing_and_foreign_files_and_links_are_found(built: &Built) {
    let path = |name: &str| built.nix.work.path(&format!("damaged/{name}"));
    fs::remove_file(path("specialisation/rescue/uki.efi")).unwrap();
    built.assert_broken(
        "a missing file",
        &[("specialisation/rescue/uki.efi", "present")],
    );

    built.copy();
    built.write("specialisation/rescue/shim.efi", "");
    built.write("notes", "");
    let foreign = [
        ("notes", "foreign"),
        ("specialisation/rescue/shim.efi", "foreign"),
    ];
    built.assert_broken("foreign files", &foreign);

    built.copy();
    fs::remove_file(path("pcrs.json")).unwrap();
    std::os::unix::fs::symlink("specialisation/rescue/pcrs.json", path("pcrs.json")).unwrap();
    built.assert_broken("a link", &[("pcrs.json", "present")]);
}

fn an_unsigned_image_is_found(built: &Built) {
    built.done(&[
        "pe",
        "unsign",
        "damaged/loader.efi",
        "--output",
        "unsigned.efi",
    ]);
    built.write("loader.efi", built.nix.work.read("unsigned.efi"));
    built.rename("/loader", "loader.efi");
    let found = built.broken(&VERIFY);
    assert!(
        found.contains(&finding("loader.efi", "signature")),
        "{found:?}"
    );
}

fn documents_of_another_generation_are_found(built: &Built) {
    for (name, pointer, rule) in [
        ("manifest.json", "/manifest", "manifest"),
        ("pcrs.json", "/pcrs", "prediction"),
    ] {
        built.copy();
        built.write(name, fs::read(built.folders[1].join(name)).unwrap());
        built.rename(pointer, name);
        for variables in [&VERIFY[..], &[]] {
            let found = built.broken(variables);
            assert!(found.contains(&finding(name, rule)), "{name}: {found:?}");
        }
    }
}

fn documents_that_were_edited_are_found(built: &Built) {
    let manifest = String::from_utf8(built.read("manifest.json")).unwrap();
    built.write("manifest.json", manifest.replacen(',', ", ", 1));
    built.rename("/manifest", "manifest.json");
    let manifest = [("manifest.json", "manifest")];
    built.assert_broken("a manifest that is not canonical", &manifest);

    built.copy();
    let mut pcrs: Value = serde_json::from_slice(&built.read("pcrs.json")).unwrap();
    pcrs["leaves"][0]["pcrs"]["11"]["sha256"] = "00".repeat(32).into();
    built.write("pcrs.json", pcrs.to_string());
    built.rename("/pcrs", "pcrs.json");
    built.assert_broken("a value changed by hand", &[("pcrs.json", "prediction")]);
}

fn a_damaged_boot_json_is_found(built: &Built) {
    let edits: [fn(&mut Value); 4] = [
        |document| document["org.touchstone.v1"]["sealed"] = Value::Null,
        |document| document["org.nixos.bootspec.v2"]["kernelparams"] = json!([]),
        |document| document["org.touchstone.v1"]["uki"]["path"] = "../uki.efi".into(),
        |document| {
            document
                .as_object_mut()
                .unwrap()
                .shift_remove("org.touchstone.v1");
        },
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        built.copy();
        built.edit(edit);
        built.assert_broken(&number.to_string(), &[("boot.json", "document")]);
    }
    built.copy();
    built.edit(|document| {
        let touchstone = document["org.touchstone.v1"].as_object_mut().unwrap();
        touchstone.shift_remove("specialisations");
    });
    let found = built.broken(&VERIFY);
    assert!(
        found.contains(&finding("boot.json", "document")),
        "{found:?}"
    );
    assert!(
        found.contains(&finding("specialisation/rescue/uki.efi", "foreign")),
        "{found:?}"
    );
}

fn without_a_boot_json_there_is_no_verdict(built: &Built) {
    fs::remove_file(built.nix.work.path("damaged/boot.json")).unwrap();
    let output = built.touchstone(&["boot", "verify", "damaged"]);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn trusted_keys_must_have_signed_every_path_and_numbers_must_make_sense() {
    let built = Built::new();
    built.copy();
    let own = String::from_utf8(built.nix.work.read("keys/nix.public")).unwrap();
    let stranger = built.nix.key_of_manifests("stranger");
    let (own, stranger) = (own.trim(), stranger.trim());
    assert_eq!(built.broken(&["--trusted-key", own]), []);
    assert_eq!(
        built.broken(&["--trusted-key", own, "--trusted-key", stranger]),
        []
    );
    let manifest = [("manifest.json".to_owned(), "manifest".to_owned())];
    assert_eq!(built.broken(&["--trusted-key", stranger]), manifest);
    let both = [
        "--trusted-key",
        own,
        "--trusted-key",
        stranger,
        "--sigs-needed",
        "2",
    ];
    assert_eq!(built.broken(&both), manifest);
    for refused in [
        &["--trusted-key", own, "--sigs-needed", "2"][..],
        &["--trusted-key", own, "--sigs-needed", "0"],
        &[
            "--trusted-key",
            own,
            "--trusted-key",
            own,
            "--sigs-needed",
            "2",
        ],
        &["--trusted-key", "no-key"],
    ] {
        let output = built.touchstone(&[&["boot", "verify", "damaged"], refused].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{refused:?}: {said}");
        assert!(said.contains("[request.refused]"), "{refused:?}: {said}");
    }
}
