//! New keys: what is in the folder, who signed what, and which keys a build makes.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::json;

use super::*;
use crate::support::TOUCHSTONE;

/// The kinds of keys, and what openssl calls them.
const ALGORITHMS: [(&str, &str); 5] = [
    ("rsa2048", "2048 bit"),
    ("rsa3072", "3072 bit"),
    ("rsa4096", "4096 bit"),
    ("p256", "NIST CURVE: P-256"),
    ("p384", "NIST CURVE: P-384"),
];

fn openssl(work: &Work, file: &str, options: &[&str]) -> String {
    work.peer(
        "openssl",
        &[&["x509", "-noout", "-in", file], options].concat(),
    )
}

#[test]
fn the_updates_of_new_keys_are_those_of_sign_efi_sig_list() {
    for algorithm in ["rsa2048", "rsa4096"] {
        let work = Work::new();
        let keys = ["keys", "generate", "keys", "--time", TIME, "--owner", OWNER];
        work.done([&keys[..], &["--algorithm", algorithm]].concat());
        work.write("empty.esl", "");
        for (variable, signer, list, made) in [
            ("PK", "PK", "keys/PK.esl", "keys/PK.auth"),
            ("KEK", "PK", "keys/KEK.esl", "keys/KEK.auth"),
            ("db", "KEK", "keys/db.esl", "keys/db.auth"),
        ] {
            work.sign_by_efitools(signer, &[], [variable, list, "theirs.auth"]);
            assert_same_bytes(made, &work.read(made), &work.read("theirs.auth"));
        }
        let later = ["-t", "2026-01-31 12:34:57"];
        let sign = ["-k", "keys/PK.key", "-c", "keys/PK.pem", "PK"];
        let files = ["empty.esl", "theirs.auth"];
        work.peer("sign-efi-sig-list", &[&later[..], &sign, &files].concat());
        let made = work.read("keys/PK-remove.auth");
        assert_same_bytes("removal", &made, &work.read("theirs.auth"));
        work.peer(
            "cert-to-efi-sig-list",
            &["-g", OWNER, "keys/db.pem", "theirs.esl"],
        );
        assert_same_bytes(
            "db.esl",
            &work.read("keys/db.esl"),
            &work.read("theirs.esl"),
        );
    }
}

#[test]
fn keys_are_of_the_kind_that_is_asked_for_and_valid_from_now_on() {
    let work = Work::new();
    for (algorithm, name) in ALGORITHMS {
        let keys = ["keys", "generate", algorithm, "--algorithm", algorithm];
        work.done([&keys[..], &["--days", "3", "--name", "Mine, of 2026"]].concat());
        let file = format!("{algorithm}/KEK.pem");
        let text = openssl(&work, &file, &["-text"]);
        for fact in [name, "CA:FALSE", "Digital Signature"] {
            assert!(text.contains(fact), "{algorithm}: no `{fact}` in {text}");
        }
        let subject = openssl(&work, &file, &["-subject", "-nameopt", "oneline,-esc_msb"]);
        assert!(subject.contains("Mine, of 2026 KEK"), "{subject}");
        let valid = |seconds: &str| {
            let check = ["x509", "-noout", "-in", &file, "-checkend", seconds];
            work.debian("openssl", &check).status.success()
        };
        assert!(valid("258000") && !valid("260000"), "three days");
        work.peer("openssl", &["verify", "-CAfile", &file, &file]);
    }
}

#[test]
fn private_keys_are_for_their_owner_alone_and_are_never_shown() {
    let work = Work::new();
    let output = work.touchstone(["keys", "generate", "--json", "keys"]);
    let said = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8(said).unwrap().contains("PRIVATE"));
    for variable in ["PK", "KEK", "db"] {
        for (kind, mode) in [
            ("key", 0o600),
            ("pem", 0o644),
            ("esl", 0o644),
            ("auth", 0o644),
        ] {
            let file = work.path(&format!("keys/{variable}.{kind}"));
            let permissions = std::fs::metadata(&file).unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, mode, "{variable}.{kind}");
        }
    }
}

#[test]
fn real_keys_differ_in_everything_and_carry_no_mark() {
    let work = Work::new();
    let answers = ["a", "b"].map(|folder| work.json(["keys", "generate", "--json", folder]));
    assert_eq!(answers[0]["mark"], Value::Null);
    assert_ne!(answers[0]["owner"], answers[1]["owner"]);
    let facts = ["a/db.pem", "b/db.pem", "a/KEK.pem"]
        .map(|file| work.inspected(file)["certificates"][0].take());
    for (one, other) in [(0, 1), (0, 2)] {
        assert_ne!(facts[one]["serial"], facts[other]["serial"]);
    }
    assert!(facts.iter().all(|facts| facts["testKey"] == false));
}

/// Runs the builder of a derivation, as Nix does: without a clock, and for test keys only.
fn build(work: &Work, request: &Value) -> (bool, String) {
    let attributes = json!({ "outputs": { "out": work.path("out") }, "request": request });
    work.write("attributes.json", attributes.to_string());
    let mut command = Command::new(TOUCHSTONE);
    command
        .arg("builder")
        .env("NIX_ATTRS_JSON_FILE", work.path("attributes.json"));
    let output = command.current_dir(work.folder()).output().unwrap();
    (
        output.status.success(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn a_build_makes_test_keys_and_no_others() {
    let work = Work::new();
    let request = json!({ "operation": "keys.generate", "output": { "$output": "out" } });
    let (done, said) = build(&work, &request);
    assert!(
        !done && said.contains("must not be made in a Nix build"),
        "{said}"
    );
    assert!(!work.path("out").exists());
    let mut request = request;
    request["test"] = true.into();
    let (done, said) = build(&work, &request);
    assert!(done, "{said}");
    let signer = &work.inspected("out/db.auth")["update"]["signer"];
    assert_eq!(signer["testKey"], true);
}

#[test]
fn a_build_signs_updates_with_test_keys_at_a_time_that_is_given() {
    let work = Work::new();
    work.keys("keys");
    work.done(["keys", "generate", "real"]);
    let request = |keys: &str, time: Option<&str>| {
        let mut request =
            json!({ "operation": "keys.auth", "variable": "db", "output": { "$output": "out" } });
        request["list"] = work.path("keys/db.esl").to_str().into();
        request["sign"]["key"] = work.path(&format!("{keys}/KEK.key")).to_str().into();
        request["sign"]["certificate"] = work.path(&format!("{keys}/KEK.pem")).to_str().into();
        if let Some(time) = time {
            request["time"] = time.into();
        }
        request
    };
    for (keys, time, fact) in [
        ("keys", None, "there is no clock here"),
        (
            "real",
            Some(TIME),
            "a private key must not enter a Nix build",
        ),
    ] {
        let (done, said) = build(&work, &request(keys, time));
        assert!(!done && said.contains(fact), "{said}");
        assert!(!work.path("out").exists());
    }
    let (done, said) = build(&work, &request("keys", Some(TIME)));
    assert!(done, "{said}");
    assert_eq!(work.inspected("out")["update"]["time"], TIME);
}

#[test]
fn a_name_or_a_time_that_no_certificate_has_is_refused() {
    let work = Work::new();
    let long = "x".repeat(63);
    for (options, fact) in [
        (["--name", &long], "1 to 64 characters"),
        (["--time", "2026-02-30T00:00:00Z"], "cannot be read"),
        (["--time", "9999-01-01T00:00:00Z"], "after the year 9999"),
    ] {
        let output = work.touchstone([&["keys", "generate", "keys"][..], &options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(fact), "no `{fact}` in: {said}");
        assert!(!work.path("keys").exists(), "{options:?}");
    }
}
