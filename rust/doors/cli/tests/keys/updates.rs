//! Signed updates are those of sign-efi-sig-list, and are what other programs take them for.

use serde_json::json;

use super::*;

/// A folder with keys, and lists of a certificate and a digest.
fn ready(algorithm: &str) -> Work {
    let work = Work::new();
    work.done([
        "keys",
        "generate",
        "--test",
        "--algorithm",
        algorithm,
        "keys",
    ]);
    work.addon_stub("trixie", "x64", "image");
    let esl = ["keys", "esl", "--owner", OWNER, "--output"];
    work.done([&esl[..], &["one.esl", "--certificate", "keys/db.pem"]].concat());
    work.done(
        [
            &esl[..],
            &["two.esl", "--esl", "one.esl", "--image", "image"],
        ]
        .concat(),
    );
    work.write("empty.esl", "");
    work
}

#[test]
fn an_update_is_that_of_sign_efi_sig_list_for_every_variable_and_kind_of_write() {
    for algorithm in ["rsa2048", "rsa3072", "rsa4096"] {
        let work = ready(algorithm);
        for variable in VARIABLES {
            for (ours, theirs) in [(&[][..], &[][..]), (&["--append"], &["-a"])] {
                for list in ["one.esl", "two.esl", "empty.esl"] {
                    if (variable, list) == ("PK", "two.esl")
                        || (list, ours.len()) == ("empty.esl", 1)
                    {
                        continue;
                    }
                    let ours = [&["--variable", variable], ours].concat();
                    work.sign_update("KEK", &ours, list, "ours.auth");
                    work.sign_by_efitools("KEK", theirs, [variable, list, "theirs.auth"]);
                    let what = format!("{variable} {theirs:?} {list} {algorithm}");
                    assert_same_bytes(&what, &work.read("ours.auth"), &work.read("theirs.auth"));
                }
            }
        }
    }
}

#[test]
fn what_sign_efi_sig_list_made_is_read_and_verified() {
    for algorithm in ["rsa2048", "p256", "p384"] {
        let work = ready(algorithm);
        for variable in VARIABLES {
            for (append, option) in [(false, &[][..]), (true, &["-a"])] {
                work.sign_by_efitools("PK", option, [variable, "one.esl", "theirs.auth"]);
                let found = work.inspected("theirs.auth");
                assert_eq!(found["form"], "update");
                let update = &found["update"];
                assert_eq!(update["variable"], variable);
                assert_eq!(
                    (&update["append"], &update["time"]),
                    (&json!(append), &json!(TIME))
                );
                let signer = update["signer"]["subject"].as_str().unwrap();
                assert!(signer.starts_with("CN=PK"), "{signer}");
                assert_eq!(found["entries"], work.inspected("one.esl")["entries"]);
            }
        }
    }
}

/// openssl knows nothing of variables: it is shown the bytes that sign-efi-sig-list says are signed.
#[test]
fn openssl_verifies_the_signature_of_every_kind_of_key() {
    for algorithm in ["rsa2048", "rsa4096", "p256", "p384"] {
        let work = ready(algorithm);
        work.sign_update(
            "KEK",
            &["--variable", "db", "--append"],
            "two.esl",
            "ours.auth",
        );
        let bundle = [
            "-o",
            "-a",
            "-t",
            TIME_OF_EFITOOLS,
            "db",
            "two.esl",
            "bundle",
        ];
        work.peer("sign-efi-sig-list", &bundle);
        work.write("signature", content_info(&work.read("ours.auth")));
        let verify = |content: &str| {
            let options = [
                "cms",
                "-verify",
                "-binary",
                "-inform",
                "DER",
                "-in",
                "signature",
            ];
            let trust = [
                "-CAfile",
                "keys/KEK.pem",
                "-purpose",
                "any",
                "-no_check_time",
            ];
            let files = ["-content", content, "-out", "verified"];
            let output = work.debian("openssl", &[&options[..], &trust, &files].concat());
            output.status.success()
        };
        assert!(verify("bundle"), "{algorithm}");
        assert!(!verify("two.esl"), "{algorithm}");
    }
}

/// The SignedData of an update, as openssl wants it: in a ContentInfo (RFC 5652 section 3).
fn content_info(update: &[u8]) -> Vec<u8> {
    let length = u32::from_le_bytes(update[16..20].try_into().unwrap()) as usize;
    let signed_data = &update[40..16 + length];
    let header = |tag: u8, length: usize| {
        let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
        vec![tag, 0x82, high, low]
    };
    let kind = [
        0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02,
    ];
    let explicit = [header(0xa0, signed_data.len()), signed_data.to_vec()].concat();
    let inner = [&kind[..], &explicit].concat();
    [header(0x30, inner.len()), inner].concat()
}

/// As it is written into efivarfs: the attributes of the write first.
#[test]
fn an_update_behind_its_attributes_is_read_too() {
    let work = ready("rsa2048");
    work.sign_update(
        "KEK",
        &["--variable", "db", "--append"],
        "one.esl",
        "db.auth",
    );
    let attributes = [0x67, 0, 0, 0];
    let written = [&attributes, &work.read("db.auth")[..]].concat();
    work.write("written", written);
    let (found, plain) = (work.inspected("written"), work.inspected("db.auth"));
    assert_eq!(found["attributes"], 0x67);
    for same in ["form", "update", "entries"] {
        assert_eq!(found[same], plain[same], "{same}");
    }
}

/// In a ContentInfo, with signed attributes and without. (sign-efi-sig-list asks for PEM and wants DER.)
#[test]
fn a_signature_that_openssl_made_elsewhere_is_verified() {
    let work = ready("rsa2048");
    let when = ["-t", TIME_OF_EFITOOLS];
    work.peer(
        "sign-efi-sig-list",
        &[&when[..], &["-o", "db", "two.esl", "bundle"]].concat(),
    );
    for attributes in [&["-noattr"][..], &[]] {
        let sign = [
            "smime", "-sign", "-binary", "-md", "sha256", "-outform", "DER",
        ];
        let key = ["-inkey", "keys/KEK.key", "-signer", "keys/KEK.pem"];
        let files = ["-in", "bundle", "-out", "signature"];
        work.peer("openssl", &[&sign[..], attributes, &key, &files].concat());
        let attach = ["-i", "signature", "db", "two.esl", "theirs.auth"];
        work.peer("sign-efi-sig-list", &[&when[..], &attach].concat());
        assert_eq!(work.inspected("theirs.auth")["update"]["variable"], "db");
    }
}

#[test]
fn an_update_that_was_signed_elsewhere_is_the_same() {
    let work = ready("rsa3072");
    let of_db = ["--variable", "db", "--append"];
    let words = |options: &[&'static str], output: &'static str| {
        let files = ["--time", TIME, "--output", output, "two.esl"];
        [&["keys", "auth"], &of_db[..], options, &files].concat()
    };
    work.done(words(&["--prepare-offline-signing"], "prepared"));
    let bundle = [
        "-o",
        "-a",
        "-t",
        TIME_OF_EFITOOLS,
        "db",
        "two.esl",
        "bundle",
    ];
    work.peer("sign-efi-sig-list", &bundle);
    assert_same_bytes("prepared", &work.read("prepared"), &work.read("bundle"));

    let sign = [
        "dgst",
        "-sha256",
        "-sign",
        "keys/KEK.key",
        "-out",
        "signature",
    ];
    work.peer("openssl", &[&sign[..], &["prepared"]].concat());
    let attach = ["--signed-data-signature", "signature", "--certificate"];
    work.done(words(
        &[&attach[..], &["keys/KEK.pem"]].concat(),
        "attached.auth",
    ));
    work.sign_update("KEK", &of_db, "two.esl", "ours.auth");
    assert_same_bytes(
        "attached",
        &work.read("attached.auth"),
        &work.read("ours.auth"),
    );

    let output = work.touchstone(words(&[&attach[..], &["keys/PK.pem"]].concat(), "out.auth"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("[detached.wrong-signature]"), "{said}");
    assert!(!work.path("out.auth").exists());
}

#[test]
fn virt_firmware_takes_the_entries_of_an_update() {
    let work = ready("rsa2048");
    work.sign_update("KEK", &["--variable", "dbx"], "two.esl", "dbx.auth");
    let empty = "/usr/share/OVMF/OVMF_VARS_4M.fd";
    work.peer(
        "virt-fw-vars",
        &["-i", empty, "--set-dbx", "dbx.auth", "-o", "vars"],
    );
    let printed = work.peer("virt-fw-vars", &["-i", "vars", "-p", "-v"]);
    let digest = work.done(["pe", "digest", "image"])[..64].to_owned();
    for fact in ["name=dbx", "2026-01-31 12:34:56", "subject CN=db", &digest] {
        assert!(printed.contains(fact), "no `{fact}` in: {printed}");
    }
}

/// sbvarsign signs the name in UTF-32, where firmware has it in UTF-16.
#[test]
fn an_update_that_no_firmware_verifies_is_told_to_be_bad() {
    let work = ready("rsa2048");
    let key = ["--key", "keys/KEK.key", "--cert", "keys/KEK.pem"];
    let files = ["--output", "theirs.auth", "db", "one.esl"];
    work.peer("sbvarsign", &[key, files].concat());
    let output = work.touchstone(["keys", "inspect", "--json", "theirs.auth"]);
    assert_eq!(output.status.code(), Some(3));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let update = &found["files"][0]["update"];
    assert_eq!(update["variable"], Value::Null);
    assert!(
        update["problem"]
            .as_str()
            .unwrap()
            .contains("good for none")
    );
}

#[test]
fn a_changed_update_is_told_apart_by_the_exit_status() {
    let work = ready("rsa2048");
    work.sign_update("KEK", &["--variable", "db"], "two.esl", "db.auth");
    let mut bytes = work.read("db.auth");
    *bytes.last_mut().unwrap() ^= 1;
    work.write("db.auth", bytes);
    let output = work.touchstone(["keys", "inspect", "db.auth"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(3), "{printed}");
    assert!(printed.contains("NOT VALIDLY SIGNED"), "{printed}");
}

#[test]
fn an_update_that_firmware_would_refuse_is_not_signed() {
    let work = ready("rsa2048");
    let refused = |options: &[&str], list: &str, fact: &str| {
        let key = ["--key", "keys/KEK.key", "--certificate", "keys/KEK.pem"];
        let files = ["--output", "out.auth", list];
        let output = work.touchstone([&["keys", "auth"], options, &key, &files].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(fact), "no `{fact}` in: {said}");
        assert!(!work.path("out.auth").exists());
    };
    refused(&["--variable", "PK"], "two.esl", "only one platform key");
    refused(
        &["--variable", "db", "--append"],
        "empty.esl",
        "nothing in it to append",
    );
    refused(&["--variable", "db"], "keys/db.pem", "signature list");
    refused(&["--variable", "db"], "keys/db.auth", "signature list");
    refused(&["--variable", "db", "--time", "now"], "one.esl", "`now`");
    refused(
        &["--variable", "db", "--digest", "sha384"],
        "one.esl",
        "SHA-256",
    );
}

#[test]
fn an_update_of_today_has_the_time_of_today() {
    let work = ready("p256");
    let sign = [
        "keys",
        "auth",
        "--variable",
        "db",
        "--output",
        "now.auth",
        "one.esl",
    ];
    let key = [
        "--json",
        "--key",
        "keys/KEK.key",
        "--certificate",
        "keys/KEK.pem",
    ];
    let answer = work.json([&sign[..], &key].concat());
    let today = work.peer("date", &["-u", "+%Y-%m"]);
    assert!(answer["time"].as_str().unwrap().starts_with(today.trim()));
    assert_eq!(
        codes(&answer),
        ["test-keys", "elliptic-curve", "elliptic-curve"]
    );
}
