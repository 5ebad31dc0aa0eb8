//! What boot.json says of the files beside it.

use serde_json::{Value, json};

use super::{Generation, measure, sign, with_specialisations};

/// Every object with a path, at any depth.
fn named_files(value: &Value, found: &mut Vec<Value>) {
    if value["path"].is_string() {
        found.push(value.clone());
    }
    if let Some(members) = value.as_object() {
        members.values().for_each(|value| named_files(value, found));
    }
}

#[test]
fn boot_json_names_every_file_with_the_digest_of_sha256sum() {
    let generation = Generation::new();
    generation.make(
        "out",
        json!({ "bootspec": with_specialisations(), "sign": sign(), "measure": measure() }),
    );
    let mut files = Vec::new();
    named_files(&generation.extension("out"), &mut files);
    // Four UKIs, the loader, four predictions.
    assert_eq!(files.len(), 9, "{files:?}");
    for file in files {
        let path = format!("out/{}", file["path"].as_str().unwrap());
        let printed = generation.work.debian("sha256sum", &[&path]).stdout;
        let printed = String::from_utf8(printed).unwrap();
        assert_eq!(
            printed.split_whitespace().next(),
            file["sha256"].as_str(),
            "{path}"
        );
        assert_eq!(generation.work.read(&path).len() as u64, file["size"]);
        if let Some(authenticode) = file["authenticodeSha256"].as_str() {
            let digest = generation.json(&["pe", "digest", "--json", &path]);
            assert_eq!(digest["sha256"], authenticode, "{path}");
        }
    }
}

#[test]
fn files_that_are_not_made_are_not_named() {
    let generation = Generation::new();
    generation.make("out", json!({ "loader": null }));
    let extension = generation.extension("out");
    let keys: Vec<&String> = extension.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["uki"]);
    let uki = extension["uki"].as_object().unwrap();
    let keys: Vec<&String> = uki.keys().collect();
    assert_eq!(keys, ["path", "sha256", "size", "authenticodeSha256"]);
}

/// Profiles, specialisations that are profiles, no boot loader, shim, sections of one's own: in each form, what is made is what is found.
#[test]
fn what_was_made_is_what_boot_verify_finds() {
    let generation = Generation::new();
    super::on_the_way::shim(&generation);
    let without_enforcing = json!({ "secureBoot": { "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl", "enabled": false },
        "withoutBootSecret": true });
    for (output, fields) in [
        (
            "profiles",
            json!({ "profiles": [{ "id": "debug", "kernelParams": ["debug"] }], "shareSpecialisations": true,
            "measure": measure() }),
        ),
        ("direct", json!({ "loader": null, "measure": measure() })),
        (
            "with-shim",
            json!({ "shim": { "image": "shim" }, "measure": without_enforcing }),
        ),
        (
            "sections",
            json!({ "sections": [{ "name": ".mine", "content": "text" }], "splash": "splash.bmp", "ucode": "ucode",
            "measure": measure() }),
        ),
        ("unmeasured", json!({})),
    ] {
        let mut request = json!({ "bootspec": with_specialisations(), "sign": sign() });
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        generation.make(output, request);
        let mut verify =
            json!({ "operation": "boot.verify", "artifacts": output, "db": "keys/db.esl" });
        if fields["measure"].is_object() {
            verify["measure"] = fields["measure"].clone();
        }
        if fields["shim"].is_object() {
            // Who signed shim is not in this db.
            verify["shim"] = fields["shim"].clone();
            verify.as_object_mut().unwrap().shift_remove("db");
        }
        let answer = generation.run(&verify);
        assert_eq!(answer["verified"], true, "{output}: {answer}");
        assert_eq!(answer["findings"], json!([]), "{output}: {answer}");
    }
}
