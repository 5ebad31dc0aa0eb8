//! Signing in two steps: with openssl as the signer, and with systemd-sbsign on either side.

use crate::refusals::{Refusal, assert_one_error, names};
use crate::sign::{osslsigncode, sbverify};
use crate::sign_files::{certified, issue, openssl, ready};
use crate::support::{Work, assert_same_bytes};

const SBSIGN: &str = "/usr/lib/systemd/systemd-sbsign";

/// A folder with an image and keys `rsa` and `ec`.
fn with_keys() -> Work {
    let work = ready();
    certified(&work, "rsa", "RSA -pkeyopt rsa_keygen_bits:2048");
    certified(&work, "ec", "EC -pkeyopt ec_paramgen_curve:P-256");
    work
}

fn touchstone(work: &Work, words: &str) {
    work.done(words.split(' '));
}

fn prepare(work: &Work, words: &str) {
    let prepare = "pe sign --prepare-offline-signing --output data";
    touchstone(work, &format!("{prepare} {words} image"));
}

const ATTACH: &str = "--signed-data data --signed-data-signature signature";

fn attach(work: &Work, words: &str) -> Vec<u8> {
    let words = format!("pe sign {ATTACH} --output attached {words} image");
    touchstone(work, &words);
    work.read("attached")
}

/// Runs systemd-sbsign of Debian unstable, the first that signs in two steps.
fn systemd_sbsign(work: &Work, words: &str) {
    let sid = work.inputs.sid();
    let sid =
        sid.expect("the sid root is missing: its mirror did not answer during `cargo xtask setup`");
    let visit = work.inside(sid.visit());
    let mut command = visit.command(SBSIGN).unwrap();
    command.args(words.split(' '));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words}: {said}");
}

#[test]
fn a_signature_by_openssl_is_that_of_the_key_itself() {
    let work = with_keys();
    for digest in ["sha256", "sha384"] {
        let rsa = "--certificate rsa.pem";
        prepare(&work, &format!("{rsa} --digest {digest}"));
        let sign = format!("dgst -{digest} -sign rsa.key -out signature data");
        openssl(&work, &sign);
        let attached = attach(&work, rsa);
        let by_key = "pe sign --key rsa.key --output by-key";
        touchstone(&work, &format!("{by_key} {rsa} --digest {digest} image"));
        assert_same_bytes(digest, &attached, &work.read("by-key"));
        assert!(osslsigncode(&work, "rsa.pem", "attached"));
    }
}

/// Its numbers are random, unlike ours.
#[test]
fn an_ecdsa_signature_by_openssl_is_accepted() {
    let work = with_keys();
    prepare(&work, "--certificate ec.pem");
    openssl(&work, "dgst -sha256 -sign ec.key -out signature data");
    attach(&work, "--certificate ec.pem");
    assert!(sbverify(&work, "ec.pem", "attached"));
    assert!(osslsigncode(&work, "ec.pem", "attached"));
}

#[test]
fn the_chain_comes_with_the_signature() {
    let work = with_keys();
    issue(&work, "leaf", "rsa", "basicConstraints=CA:FALSE");
    let chain = [work.read("leaf.pem"), work.read("rsa.pem")].concat();
    work.write("chain.pem", chain);
    prepare(&work, "--certificate chain.pem");
    openssl(&work, "dgst -sha256 -sign leaf.key -out signature data");
    let with_chain = attach(&work, "--certificate chain.pem");
    assert!(osslsigncode(&work, "rsa.pem", "attached"));
    assert!(with_chain.len() > attach(&work, "--certificate leaf.pem").len());
}

#[test]
fn systemd_attaches_a_signature_of_what_we_prepared() {
    let work = with_keys();
    prepare(&work, "--certificate rsa.pem");
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let sign = "sign --certificate rsa.pem --output by-systemd";
    systemd_sbsign(&work, &format!("{sign} {ATTACH} image"));
    assert!(sbverify(&work, "rsa.pem", "by-systemd"));
    // It writes the CheckSum always.
    let attached = attach(&work, "--certificate rsa.pem --checksum");
    assert_same_bytes("attached", &attached, &work.read("by-systemd"));
}

/// Its attributes have the time and an empty list of S/MIME capabilities: all of that is kept.
#[test]
fn we_attach_a_signature_of_what_systemd_prepared() {
    let work = with_keys();
    let certificate = "--certificate rsa.pem";
    let prepare = format!("sign {certificate} --prepare-offline-signing --output data image");
    systemd_sbsign(&work, &prepare);
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let attached = attach(&work, &format!("{certificate} --checksum"));
    let sign = format!("sign {certificate} {ATTACH} --output by-systemd image");
    systemd_sbsign(&work, &sign);
    assert_same_bytes("attached", &attached, &work.read("by-systemd"));
    for accepts in [sbverify, osslsigncode] {
        assert!(accepts(&work, "rsa.pem", "attached"));
    }
    let listed = work.json(["uki", "inspect", "--json", "attached"]);
    assert_eq!(listed["signatures"][0]["problem"], serde_json::Value::Null);
}

/// Signatures do not count: what was prepared stays right when another signature comes, and when they go.
#[test]
fn what_was_prepared_is_of_the_image_without_its_signatures() {
    let work = with_keys();
    prepare(&work, "--certificate rsa.pem");
    let data = work.read("data");
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let alone = attach(&work, "--certificate rsa.pem");
    let by_other = "pe sign --key ec.key --certificate ec.pem --output signed image";
    touchstone(&work, by_other);
    std::fs::rename(work.path("signed"), work.path("image")).unwrap();
    prepare(&work, "--certificate rsa.pem");
    assert_eq!(work.read("data"), data);
    attach(&work, "--certificate rsa.pem");
    assert!(sbverify(&work, "rsa.pem", "attached"));
    assert!(sbverify(&work, "ec.pem", "attached"));
    let replaced = attach(&work, "--certificate rsa.pem --replace");
    assert_same_bytes("replaced", &replaced, &alone);
}

/// Attaching is refused with this code about this file, and nothing is written.
fn refused(work: &Work, words: &str, code: &str, file: &str, facts: &[&str]) {
    let before = names(work);
    let words = format!("pe sign {words} --output out image");
    let output = work.touchstone(words.split(' '));
    assert_one_error(&output, &Refusal::new(code, file, facts));
    assert_eq!(names(work), before, "files appeared or went");
}

#[test]
fn nothing_is_attached_that_is_not_of_this_image_and_this_key() {
    let work = with_keys();
    prepare(&work, "--certificate rsa.pem");
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let by = |certificate: &str| format!("{ATTACH} --certificate {certificate}");

    let wrong = "detached.wrong-signature";
    refused(&work, &by("ec.pem"), wrong, "signature", &["CN=ec"]);
    openssl(&work, "dgst -sha384 -sign rsa.key -out signature data");
    refused(&work, &by("rsa.pem"), wrong, "signature", &["CN=rsa"]);
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature image");
    refused(&work, &by("rsa.pem"), wrong, "signature", &["CN=rsa"]);

    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let data = work.read("data");
    for not_attributes in [&data[..data.len() - 1], b"", b"hello"] {
        work.write("data", not_attributes);
        let code = "detached.signed-data";
        refused(&work, &by("rsa.pem"), code, "data", &["DER"]);
    }
    work.write("data", data);
    // The digest's place in the headers is the CheckSum; the sections begin behind them.
    let mut image = work.read("image");
    let last = image.len() - 1;
    image[last] ^= 1;
    work.write("image", image);
    let code = "detached.other-image";
    refused(&work, &by("rsa.pem"), code, "data", &["another image"]);
}

#[test]
fn a_certificate_that_cannot_sign_is_refused_before_anybody_signs() {
    let work = with_keys();
    let dates = "-not_before 20200101000000Z -not_after 20210101000000Z";
    let to = "-subj /CN=old -out old.pem";
    openssl(&work, &format!("req -x509 -key rsa.key {dates} {to}"));
    certified(&work, "edwards", "ED25519");
    certified(&work, "small", "RSA -pkeyopt rsa_keygen_bits:1024");
    let prepare = "--prepare-offline-signing --certificate";
    for (certificate, code) in [
        ("old.pem", "key.expired"),
        ("edwards.pem", "key.unsupported"),
        ("small.pem", "key.unsupported"),
        ("rsa.key", "input.signature-data"),
        ("missing", "input.unreadable"),
    ] {
        let words = format!("{prepare} {certificate}");
        refused(&work, &words, code, certificate, &[]);
    }
    touchstone(
        &work,
        &format!("pe sign {prepare} old.pem --allow-expired --output data image"),
    );
    openssl(&work, "dgst -sha256 -sign rsa.key -out signature data");
    let old = format!("{ATTACH} --certificate old.pem");
    refused(&work, &old, "key.expired", "old.pem", &["CN=old"]);
    attach(&work, "--certificate old.pem --allow-expired");
}

#[test]
fn words_that_contradict_each_other_are_wrong_usage() {
    let work = with_keys();
    for words in [
        "--certificate rsa.pem",
        "--certificate rsa.pem --key rsa.key --prepare-offline-signing",
        "--certificate rsa.pem --signed-data data",
        "--certificate rsa.pem --signed-data-signature signature",
        "--certificate rsa.pem --key rsa.key --signed-data d --signed-data-signature s",
        "--certificate rsa.pem --signed-data d --signed-data-signature s --digest sha384",
        "--certificate rsa.pem --prepare-offline-signing --replace",
        "--certificate rsa.pem --prepare-offline-signing --passphrase-file p",
        "--certificate rsa.pem --signed-data d --signed-data-signature s --passphrase-file p",
        "--prepare-offline-signing",
    ] {
        let words = format!("pe sign {words} --output out image");
        let output = work.touchstone(words.split(' '));
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(!work.path("out").exists(), "{words}");
    }
}
