//! Signature lists are those of cert-to-efi-sig-list and hash-to-efi-sig-list, joined without an entry twice.

use super::*;

/// What hash-to-efi-sig-list has no option for.
const OWNER_OF_EFITOOLS: &str = "605dab50-e046-4300-abb6-3dd810dd8b23";

fn ready() -> Work {
    let work = Work::new();
    work.keys("keys");
    work.addon_stub("trixie", "x64", "image");
    work.stub("sid", "x64", "other");
    work.stub("sid", "aa64", "third");
    work
}

fn esl(work: &Work, options: &[&str], output: &str) {
    work.done([&["keys", "esl", "--output", output], options].concat());
}

#[test]
fn a_certificate_is_listed_as_cert_to_efi_sig_list_does_it() {
    let work = ready();
    work.done(["keys", "generate", "--algorithm", "p384", "curve"]);
    for certificate in ["keys/PK.pem", "keys/db.pem", "curve/db.pem"] {
        work.peer(
            "cert-to-efi-sig-list",
            &["-g", OWNER, certificate, "theirs.esl"],
        );
        esl(
            &work,
            &["--owner", OWNER, "--certificate", certificate],
            "ours.esl",
        );
        assert_same_bytes(
            certificate,
            &work.read("ours.esl"),
            &work.read("theirs.esl"),
        );
    }
    work.peer(
        "openssl",
        &[
            "x509",
            "-in",
            "keys/db.pem",
            "-outform",
            "DER",
            "-out",
            "db.der",
        ],
    );
    esl(
        &work,
        &["--owner", OWNER, "--certificate", "db.der"],
        "der.esl",
    );
    work.peer(
        "cert-to-efi-sig-list",
        &["-g", OWNER, "keys/db.pem", "theirs.esl"],
    );
    assert_same_bytes("DER", &work.read("der.esl"), &work.read("theirs.esl"));
}

#[test]
fn an_image_of_odd_length_is_listed_as_firmware_and_as_signers_hash_it() {
    let work = ready();
    work.write("odd", [&work.read("image")[..], b"odd"].concat());
    esl(&work, &["--image", "odd"], "odd.esl");
    let lists = work
        .json(["keys", "inspect", "odd.esl", "--json"])
        .to_string();
    let padded = &work.done(["pe", "digest", "odd"])[..64];
    assert!(lists.contains(padded), "{lists}");
    // Judged as firmware judges: by the digest without the padding.
    work.done(["pe", "verify", "--db", "odd.esl", "odd"]);
    let refused = work.touchstone(["pe", "verify", "--db", "odd.esl", "image"]);
    assert_eq!(refused.status.code(), Some(3));
}

#[test]
fn images_are_listed_as_hash_to_efi_sig_list_does_it() {
    let work = ready();
    for images in [&["image"][..], &["image", "other", "third"]] {
        work.peer("hash-to-efi-sig-list", &[images, &["theirs.esl"]].concat());
        let named = images.iter().flat_map(|image| ["--image", *image]);
        let options: Vec<_> = ["--owner", OWNER_OF_EFITOOLS]
            .into_iter()
            .chain(named)
            .collect();
        esl(&work, &options, "ours.esl");
        assert_same_bytes("images", &work.read("ours.esl"), &work.read("theirs.esl"));
    }
    let digest = work.done(["pe", "digest", "third"])[..64].to_uppercase();
    let options = [
        "--owner",
        OWNER_OF_EFITOOLS,
        "--image",
        "image",
        "--image",
        "other",
    ];
    esl(
        &work,
        &[&options[..], &["--hash", &digest]].concat(),
        "ours.esl",
    );
    assert_same_bytes("a digest", &work.read("ours.esl"), &work.read("theirs.esl"));
}

#[test]
fn joined_lists_are_one_after_another_and_no_entry_is_there_twice() {
    let work = ready();
    esl(&work, &["--certificate", "keys/PK.pem"], "a.esl");
    esl(&work, &["--image", "image", "--image", "other"], "b.esl");
    esl(&work, &["--esl", "a.esl", "--esl", "b.esl"], "joined.esl");
    assert_eq!(
        work.read("joined.esl"),
        [work.read("a.esl"), work.read("b.esl")].concat()
    );
    let twice = [
        "--esl",
        "joined.esl",
        "--esl",
        "b.esl",
        "--certificate",
        "keys/PK.pem",
    ];
    esl(
        &work,
        &[&twice[..], &["--owner", OWNER, "--image", "other"]].concat(),
        "twice.esl",
    );
    let owned = ["--owner", OWNER, "--certificate", "keys/PK.pem"];
    esl(
        &work,
        &[&owned[..], &["--esl", "b.esl"]].concat(),
        "once.esl",
    );
    assert_eq!(work.read("twice.esl"), work.read("once.esl"));
}

#[test]
fn other_programs_find_the_entries() {
    let work = ready();
    let options = [
        "--certificate",
        "keys/db.pem",
        "--certificate",
        "keys/KEK.pem",
    ];
    esl(
        &work,
        &[&options[..], &["--image", "image"]].concat(),
        "ours.esl",
    );
    let printed = work.peer("virt-fw-sigdb", &["-i", "ours.esl", "-p"]);
    for fact in [
        "CN=db",
        "CN=KEK",
        &work.done(["pe", "digest", "image"])[..64],
    ] {
        assert!(printed.contains(fact), "no `{fact}` in: {printed}");
    }
    work.peer("sig-list-to-certs", &["ours.esl", "found"]);
    work.peer(
        "openssl",
        &[
            "x509",
            "-in",
            "keys/KEK.pem",
            "-outform",
            "DER",
            "-out",
            "kek.der",
        ],
    );
    assert_eq!(work.read("found-1.der"), work.read("kek.der"));
}

#[test]
fn a_certificate_is_revoked_by_the_digest_of_its_signed_part() {
    let work = ready();
    let revoke = ["--revoke-certificate", "keys/db.pem"];
    esl(&work, &revoke, "always.esl");
    esl(
        &work,
        &[&revoke[..], &["--revocation-time", TIME]].concat(),
        "later.esl",
    );
    // openssl's own parser finds the signed part: the first element of the certificate.
    work.peer(
        "openssl",
        &[
            "x509",
            "-in",
            "keys/db.pem",
            "-outform",
            "DER",
            "-out",
            "db.der",
        ],
    );
    let parse = ["asn1parse", "-inform", "DER", "-in", "db.der"];
    work.peer(
        "openssl",
        &[&parse[..], &["-strparse", "4", "-noout", "-out", "tbs"]].concat(),
    );
    let digest = work.peer("sha256sum", &["tbs"])[..64].to_owned();
    for (file, from) in [("always.esl", None), ("later.esl", Some(TIME))] {
        let entry = &work.inspected(file)["entries"][0];
        assert_eq!(entry["type"], "x509-sha256");
        assert_eq!(entry["digest"], digest.as_str());
        assert_eq!(entry["revokedFrom"].as_str(), from);
        assert_eq!(work.read(file).len(), 28 + 16 + 32 + 16);
    }
    let certificate = &work.inspected("keys/db.pem")["certificates"][0];
    assert_eq!(certificate["tbsSha256"], digest.as_str());
}

#[test]
fn a_certificate_says_of_itself_what_openssl_says_of_it() {
    let work = ready();
    let found = work.inspected("keys/db.pem")["certificates"][0].take();
    let said = |option: &str| {
        let said = work.peer("openssl", &["x509", "-in", "keys/db.pem", "-noout", option]);
        said.trim()
            .split_once('=')
            .unwrap()
            .1
            .replace(':', "")
            .to_lowercase()
    };
    assert_eq!(
        found["serial"].as_str().unwrap().trim_start_matches("00"),
        said("-serial")
    );
    let sha256 = work.peer(
        "openssl",
        &[
            "x509",
            "-in",
            "keys/db.pem",
            "-noout",
            "-fingerprint",
            "-sha256",
        ],
    );
    let sha256 = sha256
        .trim()
        .split_once('=')
        .unwrap()
        .1
        .replace(':', "")
        .to_lowercase();
    assert_eq!(found["sha256"], sha256.as_str());
    assert_eq!(
        (&found["key"], &found["testKey"]),
        (&"RSA 2048".into(), &true.into())
    );
    assert_eq!(found["notAfter"], "2050-01-01T00:00:00Z");
}

#[test]
fn what_is_no_entry_is_refused_with_its_name() {
    let work = ready();
    work.write("text", "no certificate");
    esl(&work, &["--image", "image"], "list.esl");
    let short = "00".repeat(31);
    for (options, fact) in [
        (["--certificate", "text"], "text"),
        (["--certificate", "list.esl"], "it is a signature list"),
        (["--esl", "text"], "the signature list is not usable"),
        (["--image", "text"], "the image is not usable"),
        (["--hash", &short], "no SHA-256 digest"),
        (
            ["--revoke-certificate", "list.esl"],
            "certificate to revoke",
        ),
        (["--tpm-eventlog", "text"], "the event log is not usable"),
        (["--microsoft", "keys/db.pem"], "is not Microsoft"),
    ] {
        let output =
            work.touchstone([&["keys", "esl", "--output", "out.esl"][..], &options].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{options:?}: {said}");
        assert!(said.contains(fact), "no `{fact}` in: {said}");
        assert!(!work.path("out.esl").exists(), "{options:?}");
    }
}
