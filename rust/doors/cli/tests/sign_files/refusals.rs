//! Keys and certificates that are not used: a code for each reason, nothing written, nothing secret shown.

use super::{P256, PASSPHRASE, RSA, certified, openssl, ready};
use crate::refusals::{Refusal, assert_one_error, names};
use crate::support::Work;

const SIGN: [&str; 5] = ["pe", "sign", "image", "--output", "signed"];

/// The words of signing are refused with this code about this file; the answer is what was said.
fn refused(work: &Work, words: &[&str], code: &str, file: &str, facts: &[&str]) -> String {
    let before = names(work);
    let output = work.touchstone([&SIGN[..], words].concat());
    assert_one_error(&output, &Refusal::new(code, file, facts));
    assert_eq!(names(work), before, "files appeared or went");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!said.contains(PASSPHRASE), "{said}");
    assert!(!said.contains("PRIVATE KEY"), "{said}");
    said
}

/// Refused so with the key `key` and its certificate.
fn key_refused(work: &Work, key: &str, more: &[&str], code: &str, facts: &[&str]) -> String {
    let by = ["--key", key, "--certificate", "rsa.pem"];
    refused(work, &[&by[..], more].concat(), code, key, facts)
}

fn with_rsa() -> Work {
    let work = ready();
    certified(&work, "rsa", RSA);
    work
}

#[test]
fn an_encrypted_key_without_its_passphrase_or_with_another() {
    let work = with_rsa();
    for (more, format) in [("", "PEM"), ("", "DER"), ("-scrypt ", "PEM")] {
        let to = format!("{more}-outform {format} -passout file:passphrase -out encrypted");
        openssl(&work, &format!("pkcs8 -topk8 -in rsa.key {to}"));
        let code = "key.secret-needed";
        key_refused(&work, "encrypted", &[], code, &["--passphrase-file"]);
        for wrong in ["hunter2 is wrong", "", "\nnot the first line"] {
            work.write("wrong", wrong);
            let words = ["--passphrase-file", "wrong"];
            let said = key_refused(&work, "encrypted", &words, "key.wrong-secret", &[]);
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn a_passphrase_file_that_is_missing_or_lies_in_the_store() {
    let work = with_rsa();
    let to = "-passout file:passphrase -out encrypted";
    openssl(&work, &format!("pkcs8 -topk8 -in rsa.key {to}"));
    let key = ["--key", "encrypted", "--certificate", "rsa.pem"];
    let store = "/nix/store/00000000000000000000000000000000-passphrase";
    for (file, code) in [("missing", "input.unreadable"), (store, "key.refused")] {
        let words = [&key[..], &["--passphrase-file", file]].concat();
        refused(&work, &words, code, file, &["passphrase"]);
    }
}

#[test]
fn a_passphrase_for_a_key_that_is_no_file() {
    let work = with_rsa();
    let words = ["--passphrase-file", "passphrase"];
    for key in ["pkcs11:object=db", "tpm2:0x81000001"] {
        key_refused(&work, key, &words, "key.refused", &["opens key files only"]);
    }
}

#[test]
fn a_key_that_is_encrypted_in_an_outdated_way() {
    let work = with_rsa();
    let to = "-passout file:passphrase -out encrypted";
    for command in [
        "rsa -traditional -aes128 -in rsa.key",
        "pkcs8 -topk8 -v1 PBE-SHA1-3DES -in rsa.key",
        "pkcs8 -topk8 -v2 aes-256-cbc -v2prf hmacWithSHA1 -in rsa.key",
    ] {
        openssl(&work, &format!("{command} {to}"));
        let words = ["--passphrase-file", "passphrase"];
        let facts = ["openssl pkcs8 -topk8"];
        key_refused(&work, "encrypted", &words, "key.not-a-key", &facts);
    }
}

#[test]
fn a_key_that_asks_for_hours_of_work() {
    let work = with_rsa();
    let to = "-iter 20000000 -passout file:passphrase -out encrypted";
    openssl(&work, &format!("pkcs8 -topk8 -in rsa.key {to}"));
    let words = ["--passphrase-file", "passphrase"];
    let facts = ["20000000 iterations"];
    key_refused(&work, "encrypted", &words, "key.not-a-key", &facts);
}

#[test]
fn a_key_of_a_kind_or_size_that_firmware_does_not_verify() {
    let work = with_rsa();
    for key in [
        "ED25519",
        "RSA -pkeyopt rsa_keygen_bits:1024",
        "EC -pkeyopt ec_paramgen_curve:P-521",
        "EC -pkeyopt ec_paramgen_curve:secp256k1",
    ] {
        openssl(&work, &format!("genpkey -algorithm {key} -out other.key"));
        key_refused(&work, "other.key", &[], "key.unsupported", &["2048"]);
    }
}

#[test]
fn a_key_that_is_none_or_was_cut() {
    let work = with_rsa();
    let key = String::from_utf8(work.read("rsa.key")).unwrap();
    work.write("notes", "dear diary");
    work.write("half", key.replacen("\n", "\nAAAA", 1));
    key_refused(&work, "notes", &[], "key.not-a-key", &[]);
    let said = key_refused(&work, "half", &[], "key.damaged", &[]);
    assert!(!said.contains(key.lines().nth(1).unwrap()), "{said}");
}

#[test]
fn a_certificate_of_another_key() {
    let work = with_rsa();
    certified(&work, "ec", P256);
    key_refused(&work, "ec.key", &[], "key.mismatch", &["CN=rsa"]);
}

#[test]
fn a_certificate_that_is_not_valid_today_signs_where_that_is_allowed() {
    let work = with_rsa();
    for (from, to) in [("2020", "2021"), ("2090", "2091")] {
        let dates = format!("-not_before {from}0101000000Z -not_after {to}0101000000Z");
        let subject = "-subj /CN=dated -out dated.pem";
        openssl(&work, &format!("req -x509 -key rsa.key {dates} {subject}"));
        let by = ["--key", "rsa.key", "--certificate", "dated.pem"];
        let facts = ["CN=dated", from, to];
        refused(&work, &by, "key.expired", "rsa.key", &facts);
        work.done([&SIGN[..], &by, &["--allow-expired"]].concat());
        // Firmware does not look at the date, and neither does sbverify.
        assert!(crate::sign::sbverify(&work, "dated.pem", "signed"));
        std::fs::remove_file(work.path("signed")).unwrap();
    }
}
