//! The forms in which lists come, and what is refused.

use serde_json::{Value, json};
use touchstone_harness::efi_program::EfiProgram;

use super::verify;
use crate::support::Work;

/// A folder with keys and `signed.efi`.
fn work() -> Work {
    let work = Work::new();
    work.keys("keys");
    let program = |sbat| {
        EfiProgram {
            says: "hello",
            sbat,
        }
        .image()
    };
    work.write("plain.efi", program(None));
    let sbat = "sbat,1,SBAT Version,sbat,1,https://example.org/\nmine,2,Mine,mine,1,https://mine.example/\n";
    work.write("sbat.efi", program(Some(sbat)));
    work.write("short-sbat.efi", program(Some("sbat,1,SBAT Version\n")));
    for name in ["plain", "sbat", "short-sbat"] {
        sign(&work, name, "signed", &[]);
    }
    work
}

fn sign(work: &Work, name: &str, word: &str, more: &[&str]) {
    let (input, output) = (format!("{name}.efi"), format!("{name}.{word}"));
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    let words = ["pe", "sign", &input, "--output", &output];
    work.done([&words[..], &key, more].concat());
}

fn boots(work: &Work, words: &[&str], file: &str) -> bool {
    verify(work, words, &[file.as_ref()])["boots"] == true
}

#[test]
fn a_list_may_be_bare_a_variable_of_efivarfs_or_a_signed_update() {
    let work = work();
    let list = work.read("keys/db.esl");
    work.write("db.efivar", [&[0x27, 0, 0, 0][..], &list].concat());
    for db in ["keys/db.esl", "db.efivar", "keys/db.auth"] {
        assert!(boots(&work, &["--db", db], "plain.signed"), "{db}");
        assert!(
            !boots(&work, &["--db", db, "--dbx", db], "plain.signed"),
            "{db}"
        );
        assert!(!boots(&work, &["--db", db], "plain.efi"), "{db}");
    }
    work.write("empty", "");
    assert!(boots(
        &work,
        &["--db", "keys/db.esl", "--dbx", "empty"],
        "plain.signed"
    ));
}

/// A level as text, and as efivarfs shows the variable.
fn level(work: &Work, name: &str, generation: u32) {
    let text = format!("sbat,1,2026010100\nmine,{generation}\n");
    work.write(name, &text);
    work.write(
        &format!("{name}.efivar"),
        [&[7, 0, 0, 0], text.as_bytes()].concat(),
    );
}

fn under_shim(work: &Work, file: &str, level: &str) -> Value {
    let words = ["--certificate", "keys/db.pem", "--sbat-level", level];
    let answer = verify(work, &words, &[file.as_ref()]);
    assert_eq!(answer["under"], "firmware-and-shim");
    answer
}

#[test]
fn a_level_acts_under_shim_and_nowhere_else() {
    let work = work();
    level(&work, "two", 2);
    level(&work, "three", 3);
    for form in ["", ".efivar"] {
        assert_eq!(
            under_shim(&work, "sbat.signed", &format!("two{form}"))["boots"],
            true
        );
        let revoked = under_shim(&work, "sbat.signed", &format!("three{form}"));
        assert_eq!(revoked["boots"], false);
        let why = "the SBAT level of 2026010100 demands generation 3 of mine, the image has 2";
        assert_eq!(
            revoked["reasons"],
            json!([{ "rule": "sbat-revoked", "why": why }])
        );
    }
    let alone = verify(
        &work,
        &["--certificate", "keys/db.pem"],
        &["sbat.signed".as_ref()],
    );
    assert_eq!(
        (&alone["boots"], &alone["under"]),
        (&json!(true), &json!("firmware"))
    );
}

#[test]
fn shim_wants_an_sbat_that_it_can_read_sha256_and_rsa() {
    let work = work();
    level(&work, "two", 2);
    let rule = |file: &str| under_shim(&work, file, "two")["reasons"][0]["rule"].clone();
    assert_eq!(rule("plain.signed"), "sbat-missing");
    assert_eq!(rule("short-sbat.signed"), "sbat-unreadable");
    sign(&work, "sbat", "sha384", &["--digest", "sha384"]);
    assert_eq!(rule("sbat.sha384"), "shim-digest");
    work.done([
        "keys",
        "generate",
        "--test",
        "--algorithm",
        "p256",
        "elliptic",
    ]);
    let key = [
        "--key",
        "elliptic/db.key",
        "--certificate",
        "elliptic/db.pem",
    ];
    let sign = ["pe", "sign", "sbat.efi", "--output", "sbat.p256"];
    work.done([&sign[..], &key].concat());
    let elliptic = ["--certificate", "elliptic/db.pem"];
    assert!(boots(&work, &elliptic, "sbat.p256"));
    let asked = [&elliptic[..], &["--sbat-level", "two"]].concat();
    let answer = verify(&work, &asked, &["sbat.p256".as_ref()]);
    assert_eq!(answer["reasons"][0]["rule"], "shim-elliptic-curve");
    // Another certificate of the same name in db makes no difference to who is trusted by it.
    let both = [work.read("elliptic/db.esl"), work.read("keys/db.esl")].concat();
    work.write("both.esl", both);
    let both = ["--db", "both.esl", "--sbat-level", "two"];
    assert!(boots(&work, &both, "sbat.signed"));
    assert!(!boots(&work, &both, "sbat.p256"));
    assert!(boots(
        &work,
        &["--certificate", "keys/db.pem"],
        "sbat.sha384"
    ));
}

/// Firmware hashes an unsigned file as it is; signers and shim put zeros up to a multiple of 8 bytes behind it.
#[test]
fn an_image_of_odd_length_has_another_digest_for_firmware_than_for_shim() {
    let work = work();
    level(&work, "two", 2);
    let odd = [&work.read("sbat.efi")[..], b"odd"].concat();
    work.write("odd.efi", odd);
    let trusted = ["--certificate", "keys/db.pem"];
    let stored = verify(&work, &trusted, &["odd.efi".as_ref()])["digests"]["sha256"].clone();
    let padded = work.json(["pe", "digest", "--json", "odd.efi"])["sha256"].clone();
    assert_ne!(stored, padded);
    for (digest, boots_alone) in [(&stored, true), (&padded, false)] {
        let hash = digest.as_str().unwrap();
        work.done(["keys", "esl", "--hash", hash, "--output", "hash.esl"]);
        assert_eq!(boots(&work, &["--db", "hash.esl"], "odd.efi"), boots_alone);
        let shim = ["--db", "hash.esl", "--sbat-level", "two"];
        assert!(!boots(&work, &shim, "odd.efi"));
    }
}

/// Exit status and the code of the error.
fn refusal(work: &Work, words: &[&str]) -> (i32, String) {
    let output = work.touchstone([&["pe", "verify"][..], words].concat());
    let said = String::from_utf8(output.stderr).unwrap();
    let code = said
        .rsplit_once('[')
        .and_then(|(_, end)| end.split_once(']'));
    let code = code.map(|(code, _)| code.to_owned()).unwrap_or_default();
    (output.status.code().unwrap(), code)
}

#[test]
fn without_a_verdict_the_exit_status_is_1_and_wrong_usage_is_2() {
    let work = work();
    work.write("text", "text");
    let trusted = ["--certificate", "keys/db.pem"];
    let with = |more: &[&str]| refusal(&work, &[&trusted[..], more].concat());
    assert_eq!(with(&["text"]), (1, "input.not-pe".to_owned()));
    assert_eq!(with(&["missing"]), (1, "input.unreadable".to_owned()));
    assert_eq!(
        with(&["plain.signed", "--sbat-level", "text"]),
        (1, "input.text".to_owned())
    );
    let db = refusal(&work, &["--db", "text", "plain.signed"]);
    assert_eq!(db, (1, "input.signature-data".to_owned()));
    assert_eq!(refusal(&work, &["plain.signed"]).0, 2);
    assert_eq!(with(&["--db", "keys/db.esl", "plain.signed"]).0, 2);
    assert_eq!(with(&["--dbx", "keys/db.esl", "plain.signed"]).0, 2);
}

/// What `uki inspect` says of signatures needs nobody's trust, and no more than the hash that they name.
#[test]
fn inspection_knows_signatures_in_sha384() {
    let work = work();
    sign(&work, "sbat", "sha384", &["--digest", "sha384"]);
    let image = work.json(["uki", "inspect", "--json", "sbat.sha384"]);
    assert_eq!(image["signatures"][0]["consistent"], true, "{image}");
    let mut bytes = work.read("sbat.sha384");
    bytes[0x240] ^= 1;
    work.write("changed.efi", bytes);
    let image = work.json(["uki", "inspect", "--json", "changed.efi"]);
    let problem = image["signatures"][0]["problem"].as_str().unwrap();
    assert!(
        problem.contains("was changed after it was signed"),
        "{problem}"
    );
}
