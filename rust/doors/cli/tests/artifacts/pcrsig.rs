//! Signatures of PCR 11 that are made where the key is, before those of the images, which speak of them.

use serde_json::{Value, json};

use super::{Generation, sign, with_specialisations};
use crate::real_nix::assert_same_tree;
use crate::refusals::{Refusal, assert_one_error};

/// A generation with profiles, specialisations that share its UKI, and one that does not.
fn fields(more: Value) -> Value {
    let mut fields = json!({ "bootspec": with_specialisations(), "shareSpecialisations": true,
        "profiles": [{ "id": "debug", "kernelParams": ["debug"] }] });
    for (name, value) in more.as_object().unwrap() {
        fields[name] = value.clone();
    }
    fields
}

fn by_folder() -> Value {
    json!({ "keys": [{ "publicKey": "pcr.pub", "signatures": "pcr-signatures", "policyRef": "mine" }], "banks": ["sha256", "sha384"] })
}

const ASK: [&str; 7] = [
    "boot",
    "requests",
    "--json",
    "--pcr-public-key",
    "pcr.pub",
    "--output",
    "pcr-requests",
];

/// Artifacts with a public key, and what is to be signed for them.
fn requested() -> Generation {
    let generation = Generation::new();
    let public = "x509 -in keys/db.pem -pubkey -noout -out pcr.pub";
    crate::sign_files::openssl(&generation.work, public);
    generation.make("unsigned", fields(json!({ "pcrpkey": "pcr.pub" })));
    let more = [
        "--policyref",
        "mine",
        "--pcr-banks",
        "sha256,sha384",
        "unsigned",
    ];
    generation.json(&[&ASK[..], &more].concat());
    generation
}

fn signed() -> Generation {
    let generation = requested();
    let sign = [
        "boot",
        "sign",
        "--json",
        "--pcr-private-key",
        "keys/db.key",
        "--output",
    ];
    generation.json(&[&sign[..], &["pcr-signatures", "pcr-requests"]].concat());
    generation
}

#[test]
fn a_pcrsig_made_elsewhere_is_the_one_that_the_key_makes_at_once() {
    let generation = signed();
    generation.make("with-pcrsig", fields(json!({ "pcrSign": by_folder() })));
    let ask = ["boot", "requests", "--json", "--certificate", "keys/db.pem"];
    generation.json(&[&ask[..], &["--output", "requests", "with-pcrsig"]].concat());
    let by = [
        "boot",
        "sign",
        "--json",
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
    ];
    generation.json(&[&by[..], &["--output", "signatures", "requests"]].concat());
    let detached = json!({ "certificate": "keys/db.pem", "signatures": "signatures" });
    generation.make(
        "detached",
        fields(json!({ "pcrSign": by_folder(), "detached": detached })),
    );

    let key = json!({ "key": "keys/db.key", "publicKey": "pcr.pub", "policyRef": "mine" });
    let pcr_sign = json!({ "keys": [key], "banks": ["sha256", "sha384"] });
    generation.make(
        "at-once",
        fields(json!({ "pcrSign": pcr_sign, "sign": sign() })),
    );
    let path = |name: &str| generation.work.path(name);
    assert_same_tree("detached, at once", &path("detached"), &path("at-once"));
}

/// Main, `debug`, `loud` and `quiet` of one UKI, `debug` and main of the other, each at four moments in two banks.
#[test]
fn each_profile_is_asked_for_at_each_moment_in_each_bank() {
    let generation = requested();
    let files = std::fs::read_dir(generation.work.path("pcr-requests")).unwrap();
    let mut lengths = Vec::new();
    for file in files {
        let file = file.unwrap();
        assert!(file.path().extension().unwrap() == "pcr-data");
        lengths.push(file.metadata().unwrap().len());
    }
    // A policy, and the reference.
    assert_eq!(lengths, [64; (4 + 2) * 4 * 2]);
}

#[test]
fn a_signature_that_is_missing_or_wrong_makes_no_uki() {
    let generation = signed();
    let mut files: Vec<_> = std::fs::read_dir(generation.work.path("pcr-signatures"))
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|file| file.extension().unwrap() == "pcr-signature")
        .collect();
    files.sort();
    for file in &files {
        std::fs::write(file, [1; 256]).unwrap();
    }
    let wrong = Refusal::new("key.wrong-signature", "", &["does not verify"]);
    let fields = fields(json!({ "pcrSign": by_folder() }));
    assert_one_error(&generation.refused(fields.clone()), &wrong);
    for file in &files {
        std::fs::remove_file(file).unwrap();
    }
    let facts = [
        ".pcr-signature",
        "touchstone boot requests",
        "touchstone boot sign",
    ];
    let missing = Refusal::new("detached.missing", "", &facts);
    assert_one_error(&generation.refused(fields), &missing);
}

#[test]
fn ukis_without_the_public_key_are_asked_no_signature_for() {
    let generation = requested();
    generation.make("without", fields(json!({})));
    std::fs::remove_dir_all(generation.work.path("pcr-requests")).unwrap();
    let refusal = Refusal::new("request.refused", "", &["uki.efi", ".pcrpkey"]);
    let output = generation.touchstone(&[&ASK[..], &["without"]].concat());
    assert_one_error(&output, &refusal);
    assert!(!generation.work.path("pcr-requests").exists());
}

#[test]
fn the_key_of_one_kind_signs_nothing_of_the_other() {
    let generation = requested();
    let by = [
        "boot",
        "sign",
        "--key",
        "keys/db.key",
        "--certificate",
        "keys/db.pem",
    ];
    let output =
        generation.touchstone(&[&by[..], &["--output", "signatures", "pcr-requests"]].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("[input.text]") && said.contains("signs nothing else"),
        "{said}"
    );

    // Nor what is too long for a policy, whatever it is called.
    let work = &generation.work;
    std::fs::create_dir(work.path("other")).unwrap();
    work.write("text", [0x31; 77]);
    let digest = work.debian("sha256sum", &["text"]).stdout;
    let digest = String::from_utf8(digest).unwrap()[..64].to_owned();
    std::fs::copy(
        work.path("text"),
        work.path(&format!("other/{digest}.pcr-data")),
    )
    .unwrap();
    let sign = [
        "boot",
        "sign",
        "--pcr-private-key",
        "keys/db.key",
        "--output",
        "signatures",
        "other",
    ];
    let refusal = Refusal::new("input.not-as-described", "", &["its name says"]);
    assert_one_error(&generation.touchstone(&sign), &refusal);
}

#[test]
fn one_kind_is_asked_for_at_a_time() {
    let generation = Generation::new();
    for (operation, fields) in [
        ("boot.requests", json!({ "artifacts": "unsigned" })),
        (
            "boot.requests",
            json!({ "artifacts": "unsigned", "certificate": "keys/db.pem", "pcrs": { "publicKey": "pcr.pub" } }),
        ),
        ("boot.sign", json!({ "requests": "requests" })),
        (
            "boot.sign",
            json!({ "requests": "requests", "sign": sign(), "signPcrs": { "key": "keys/db.key" } }),
        ),
    ] {
        let mut request = json!({ "operation": operation, "output": "out" });
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        generation.work.write("request.json", request.to_string());
        let refusal = Refusal::new("request.refused", "", &["it must have one of"]);
        assert_one_error(&generation.touchstone(&["run", "request.json"]), &refusal);
        let schemas = generation.work.json(["schema", operation]);
        assert!(
            !jsonschema::is_valid(&schemas["request"], &request),
            "{request}"
        );
    }
    let neither = json!({ "pcrSign": { "keys": [{ "signatures": "pcr-signatures" }] } });
    let refusal = Refusal::new("request.refused", "", &["one of `key` and `signatures`"]);
    assert_one_error(&generation.refused(neither), &refusal);
}
