//! What tokens sign is accepted, and for RSA it is what the key file signs.

use crate::real_nix::assert_same_tree;
use crate::support::{Work, alias, assert_same_bytes, documented};

use super::Hsm;

/// Names and algorithms, as openssl and pkcs11-tool have them, of the keys that can sign boot files.
const KEYS: [(&str, &str, &str); 5] = [
    ("rsa2048", "rsa:2048", "rsa:2048"),
    ("rsa3072", "rsa:3072", "rsa:3072"),
    ("rsa4096", "rsa:4096", "rsa:4096"),
    (
        "p256",
        "ec -pkeyopt ec_paramgen_curve:P-256",
        "EC:prime256v1",
    ),
    (
        "p384",
        "ec -pkeyopt ec_paramgen_curve:P-384",
        "EC:secp384r1",
    ),
];

/// The owner in a signature list.
const OWNER: &str = "6a9e9a1c-4b7e-4d6f-9c59-0d2e8f1b7a33";

/// A token with all of them, each also as a file.
fn with_imported_keys() -> Hsm {
    let keys = KEYS
        .iter()
        .enumerate()
        .map(|(index, (name, algorithm, _))| {
            format!("key {name} {algorithm}; import {name} check {name} 0{index}\n")
        });
    let keys: String = keys.collect();
    Hsm::new(&format!("token check\n{keys}"))
}

/// sbverify, osslsigncode and we accept the file under this certificate.
fn assert_accepted(hsm: &Hsm, certificate: &str, bytes: &[u8]) {
    hsm.work.write("judged.efi", bytes);
    assert_verifies(hsm, "sbverify", &["--cert", certificate, "judged.efi"]);
    assert_accepted_beside_sbverify(hsm, certificate, bytes);
}

/// osslsigncode and we accept the file under this certificate: sbverify knows SHA-256 alone.
fn assert_accepted_beside_sbverify(hsm: &Hsm, certificate: &str, bytes: &[u8]) {
    hsm.work.write("judged.efi", bytes);
    let verify = ["verify", "-in", "judged.efi", "-CAfile", certificate];
    assert_verifies(hsm, "osslsigncode", &verify);
    let verify = ["pe", "verify", "--certificate", certificate, "judged.efi"];
    hsm.work.done(verify);
}

fn assert_verifies(hsm: &Hsm, program: &str, arguments: &[&str]) {
    let output = hsm.work.debian(program, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

#[test]
fn what_imported_keys_sign_is_accepted_by_everybody() {
    let hsm = with_imported_keys();
    for (name, ..) in KEYS {
        let certificate = format!("{name}.pem");
        let key = hsm.key(&format!("token=check;object={name}"));
        assert_accepted(&hsm, &certificate, &hsm.sign(&key, &certificate));
        let signed = hsm.sign_with(&key, &certificate, &["--digest", "sha384"]);
        assert_accepted_beside_sbverify(&hsm, &certificate, &signed);
    }
}

#[test]
fn an_rsa_key_in_a_token_signs_what_its_file_signs_byte_for_byte() {
    let hsm = with_imported_keys();
    for (name, ..) in &KEYS[..3] {
        let certificate = format!("{name}.pem");
        for digest in ["sha256", "sha384"] {
            let more = ["--digest", digest];
            let in_token = hsm.key(&format!("token=check;object={name}"));
            let ours = hsm.sign_with(&in_token, &certificate, &more);
            let file = hsm.sign_with(&format!("{name}.key"), &certificate, &more);
            assert_same_bytes(&format!("{name}, {digest}"), &ours, &file);
        }
    }
}

/// Images and values of PCR 11, by the one key.
#[test]
fn the_requests_of_a_generation_are_signed_as_the_key_file_signs_them() {
    let hsm = Hsm::new("token check; key db rsa:2048; import db check db 01");
    let work = &hsm.work;
    for folder in ["requests", "pcr-requests"] {
        std::fs::create_dir(work.path(folder)).unwrap();
    }
    let digest = work.json(["pe", "digest", "--json", "addon"]);
    let request = format!(
        "requests/{}.signed-data",
        digest["sha256"].as_str().unwrap()
    );
    let prepare = "pe sign --prepare-offline-signing --certificate db.pem --output";
    work.done(prepare.split(' ').chain([request.as_str(), "addon"]));
    work.write("policy", [7; 32]);
    let digest = work.debian("sha256sum", &["policy"]).stdout;
    let digest = String::from_utf8(digest).unwrap()[..64].to_owned();
    let request = work.path(&format!("pcr-requests/{digest}.pcr-data"));
    std::fs::rename(work.path("policy"), request).unwrap();

    let in_token = hsm.key("token=check;object=db");
    for (key, name) in [(in_token.as_str(), "token"), ("db.key", "file")] {
        let images = [
            "boot",
            "sign",
            "--key",
            key,
            "--certificate",
            "db.pem",
            "--output",
        ];
        let pcrs = ["boot", "sign", "--pcr-private-key", key, "--output"];
        for (words, kind) in [(&images[..], "requests"), (&pcrs[..], "pcr-requests")] {
            let output = hsm.touchstone(&[words, &[&format!("{name}-{kind}"), kind]].concat());
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{said}");
        }
    }
    for kind in ["requests", "pcr-requests"] {
        let path = |name: &str| work.path(&format!("{name}-{kind}"));
        assert_same_tree(kind, &path("token"), &path("file"));
    }
}

#[test]
fn a_uki_is_signed_while_it_is_built() {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    let script = "token check; key db rsa:2048; import db check db 01";
    let hsm = Hsm::of(work, script);
    let key = hsm.key("token=check;object=db");
    for (key, output) in [(key.as_str(), "token.efi"), ("db.key", "file.efi")] {
        let build = [
            "uki",
            "build",
            "--stub",
            "stub",
            "--linux",
            "vmlinuz",
            "--initrd",
            "initrd",
            "--output",
            output,
            "--key",
            key,
            "--certificate",
            "db.pem",
        ];
        let output = hsm.touchstone(&build);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    let signed = hsm.work.read("token.efi");
    assert_same_bytes("the UKI", &signed, &hsm.work.read("file.efi"));
    assert_accepted(&hsm, "db.pem", &signed);
}

#[test]
fn an_update_of_a_secure_boot_variable_is_signed() {
    let hsm = Hsm::with_key("rsa:2048");
    hsm.work.done([
        "keys",
        "esl",
        "--certificate",
        "db.pem",
        "--owner",
        OWNER,
        "--output",
        "db.esl",
    ]);
    let key = hsm.key("token=check;object=db");
    for (key, output) in [(key.as_str(), "token.auth"), ("db.key", "file.auth")] {
        let sign = [
            "keys",
            "auth",
            "db.esl",
            "--variable",
            "db",
            "--time",
            "2026-01-31T12:00:00Z",
            "--output",
            output,
            "--key",
            key,
            "--certificate",
            "db.pem",
        ];
        let output = hsm.touchstone(&sign);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    let signed = hsm.work.read("token.auth");
    assert_same_bytes("the update", &signed, &hsm.work.read("file.auth"));
}

#[test]
fn the_commands_of_the_documentation_sign() {
    let hsm = Hsm::new("");
    std::fs::rename(hsm.work.path("addon"), hsm.work.path("loader.efi")).unwrap();
    std::fs::remove_file(hsm.work.path("pin")).unwrap();
    let commands = documented(include_str!("../../../../../docs/pkcs11.md"));
    hsm.done(&[alias(), commands].concat());
    let verify = ["pe", "verify", "--certificate", "db.pem", "signed.efi"];
    hsm.work.done(verify);
    assert_verifies(&hsm, "sbverify", &["--cert", "db.pem", "signed.efi"]);
    assert_accepted(&hsm, "issuer.pem", &hsm.work.read("signed.efi"));
}

#[test]
fn keys_that_never_were_in_a_file_sign() {
    let keys = KEYS.iter().map(|(name, _, kind)| {
        format!(
            "tool check --keypairgen --key-type {kind} --label {name} --usage-sign\n\
             certify check {name} {name}\n"
        )
    });
    let keys: String = keys.collect();
    let hsm = Hsm::new(&format!("token check; key ca rsa:2048\n{keys}"));
    for (name, ..) in KEYS {
        let key = hsm.key(&format!("token=check;object={name}"));
        let certificate = format!("{name}.pem");
        let signed = hsm.sign(&key, &certificate);
        let again = hsm.sign(&key, &certificate);
        // A token draws a random number for ECDSA.
        assert_eq!(signed == again, name.starts_with("rsa"), "{name}");
        assert_accepted(&hsm, "ca.pem", &signed);
    }
}

#[test]
fn a_token_that_pads_but_does_not_hash_signs_the_same() {
    let hsm = Hsm::with_key("rsa:2048");
    let key = hsm.key("token=check;object=db");
    let hashing = hsm.sign(&key, "db.pem");
    hsm.configure("slots.mechanisms = CKM_RSA_PKCS");
    let offered = hsm.done("tool check --list-mechanisms");
    assert!(!offered.contains("SHA256"), "{offered}");
    assert!(offered.contains("RSA-PKCS"), "{offered}");
    assert_same_bytes("padding alone", &hsm.sign(&key, "db.pem"), &hashing);
}

#[test]
fn a_key_that_wants_its_pin_for_each_signature_gets_it() {
    let hsm = Hsm::new(
        "token check; key ca rsa:2048\n\
         tool check --keypairgen --key-type rsa:2048 --label db --usage-sign --always-auth\n\
         certify check db db",
    );
    let signed = hsm.sign(&hsm.key("token=check;object=db"), "db.pem");
    assert_accepted(&hsm, "ca.pem", &signed);
}

/// SoftHSM2 tells an RSA key's public half with the private one, and an EC key's not.
#[test]
fn a_token_without_public_keys_is_asked_for_the_private_one_then_for_the_certificate() {
    for algorithm in [KEYS[0].1, KEYS[3].1, KEYS[4].1] {
        let hsm = Hsm::new(&format!(
            "token check; key db {algorithm}; import db check db 01\n\
             tool check --delete-object --type pubkey --label db"
        ));
        let signed = hsm.sign(&hsm.key("token=check;object=db"), "db.pem");
        assert_accepted(&hsm, "db.pem", &signed);
    }
}
