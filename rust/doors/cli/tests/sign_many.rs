//! Several signatures on one image: ours beside those of others, replacing them, and taking them out again.

use crate::refusals::{Refusal, assert_one_error, names};
use crate::sign::sbverify;
use crate::sign_files::{certified, ready};
use crate::support::{Work, assert_same_bytes};

/// A folder with an image, a key `ours` and a key `theirs`, which pesign finds in `nss`.
fn with_keys() -> Work {
    let work = ready();
    for name in ["ours", "theirs"] {
        certified(&work, name, "RSA -pkeyopt rsa_keygen_bits:2048");
    }
    std::fs::create_dir(work.path("nss")).unwrap();
    let bundle = "pkcs12 -export -inkey theirs.key -in theirs.pem -name theirs -out p12";
    peer(&work, &format!("openssl {bundle} -passout pass:"));
    peer(&work, "certutil -N -d nss --empty-password");
    peer(&work, "pk12util -i p12 -d nss -W ");
    work
}

/// Runs a program of Debian, which must end well.
fn peer(work: &Work, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let output = work.debian(words[0], &words[1..]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {said}");
}

fn touchstone(work: &Work, words: &str) {
    work.done(words.split(' '));
}

fn we_sign(work: &Work, file: &str, output: &str) {
    let by = "--key ours.key --certificate ours.pem";
    touchstone(work, &format!("pe sign {by} --output {output} {file}"));
}

/// The others, who sign `FILE` as `OUTPUT` with the key `theirs`.
const OTHERS: [&str; 3] = [
    "sbsign --key theirs.key --cert theirs.pem --output OUTPUT FILE",
    "osslsigncode sign -certs theirs.pem -key theirs.key -in FILE -out OUTPUT",
    "pesign -n nss -c theirs -s -i FILE -o OUTPUT",
];

fn they_sign(work: &Work, how: &str, file: &str, output: &str) {
    let words = how.replace("FILE", file).replace("OUTPUT", output);
    peer(work, &words);
}

/// Both verify, each under its own certificate alone.
fn assert_both_verify(work: &Work, file: &str, how: &str) {
    for certificate in ["ours.pem", "theirs.pem"] {
        let accepted = sbverify(work, certificate, file);
        assert!(accepted, "{how}: {certificate}");
    }
    let listed = work.json(["uki", "inspect", "--json", file]);
    let signatures = listed["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 2, "{how}");
    for signature in signatures {
        let problem = &signature["problem"];
        assert!(problem.is_null(), "{how}: {problem}");
    }
}

/// From the certificate table on.
fn table(work: &Work, file: &str) -> Vec<u8> {
    let image = work.read("image").len().next_multiple_of(8);
    work.read(file).split_off(image)
}

/// The table of `twice` begins with that of `once`.
fn assert_first_is_intact(work: &Work, once: &str, twice: &str, how: &str) {
    let (once, twice) = (table(work, once), table(work, twice));
    assert_same_bytes(how, &once, &twice[..once.len()]);
}

#[test]
fn ours_stands_beside_one_of_each_other_signer() {
    let work = with_keys();
    for how in OTHERS {
        they_sign(&work, how, "image", "once");
        we_sign(&work, "once", "twice");
        assert_both_verify(&work, "twice", how);
        assert_first_is_intact(&work, "once", "twice", how);
        for file in ["once", "twice"] {
            std::fs::remove_file(work.path(file)).unwrap();
        }
    }
}

/// osslsigncode replaces what is there, unless it is to nest its signature into ours (below).
#[test]
fn others_stand_beside_ours() {
    let work = with_keys();
    we_sign(&work, "image", "once");
    for how in [OTHERS[0], OTHERS[2]] {
        they_sign(&work, how, "once", "twice");
        assert_both_verify(&work, "twice", how);
        assert_first_is_intact(&work, "once", "twice", how);
        std::fs::remove_file(work.path("twice")).unwrap();
    }
}

#[test]
fn a_signature_that_osslsigncode_nests_leaves_ours_right() {
    let work = with_keys();
    we_sign(&work, "image", "once");
    they_sign(&work, &format!("{} -nest", OTHERS[1]), "once", "nested");
    assert!(sbverify(&work, "ours.pem", "nested"));
    let both = [work.read("ours.pem"), work.read("theirs.pem")].concat();
    work.write("both.pem", both);
    let verify = ["verify", "-in", "nested", "-CAfile", "both.pem"];
    let output = work.debian("osslsigncode", &verify);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("Number of verified signatures: 2"), "{said}");
}

#[test]
fn a_signature_replaces_what_is_there_on_request() {
    let work = with_keys();
    we_sign(&work, "image", "alone");
    for how in OTHERS {
        they_sign(&work, how, "image", "once");
        let by = "--key ours.key --certificate ours.pem --replace";
        touchstone(&work, &format!("pe sign {by} --output replaced once"));
        assert_same_bytes(how, &work.read("replaced"), &work.read("alone"));
        std::fs::remove_file(work.path("once")).unwrap();
    }
}

#[test]
fn what_was_signed_is_unsigned_without_a_trace() {
    let work = with_keys();
    assert_eq!(work.read("image").len() % 8, 0);
    we_sign(&work, "image", "once");
    they_sign(&work, OTHERS[0], "once", "twice");
    for (words, expected) in [
        ("twice", "image"),
        ("once", "image"),
        ("--signature 1 once", "image"),
        ("--signature 2 twice", "once"),
    ] {
        touchstone(&work, &format!("pe unsign --output out {words}"));
        assert_same_bytes(words, &work.read("out"), &work.read(expected));
    }
    touchstone(&work, "pe unsign --signature 1 --output out twice");
    assert!(sbverify(&work, "theirs.pem", "out"));
    assert!(!sbverify(&work, "ours.pem", "out"));
}

/// They write the CheckSum; on request we do. sbattach removes the first signature only.
#[test]
fn what_is_left_is_what_other_programs_leave() {
    let work = with_keys();
    we_sign(&work, "image", "once");
    they_sign(&work, OTHERS[0], "once", "twice");
    let unsign = "pe unsign --checksum --output out";

    touchstone(&work, &format!("{unsign} once"));
    peer(&work, "osslsigncode remove-signature -in once -out left");
    assert_same_bytes("osslsigncode", &work.read("out"), &work.read("left"));
    for file in ["once", "twice"] {
        touchstone(&work, &format!("{unsign} --signature 1 {file}"));
        std::fs::copy(work.path(file), work.path("left")).unwrap();
        peer(&work, "sbattach --remove left");
        assert_same_bytes("sbattach", &work.read("out"), &work.read("left"));
    }
}

/// An image of another length gets zeros when it is signed, and they stay: nobody can tell them from its own.
#[test]
fn the_padding_of_a_signature_stays_as_with_other_programs() {
    let work = with_keys();
    let mut image = work.read("image");
    image.extend(b"odd");
    work.write("odd", &image);
    we_sign(&work, "odd", "signed");
    touchstone(&work, "pe unsign --output out signed");
    image.resize(image.len().next_multiple_of(8), 0);
    assert_same_bytes("padded", &work.read("out"), &image);
    touchstone(&work, "pe unsign --checksum --output out signed");
    peer(&work, "osslsigncode remove-signature -in signed -out left");
    assert_same_bytes("osslsigncode", &work.read("out"), &work.read("left"));
}

#[test]
fn a_signature_that_is_not_there_is_not_removed() {
    let work = with_keys();
    we_sign(&work, "image", "once");
    let before = names(&work);
    for (words, fact) in [
        ("image", "not signed"),
        ("--signature 1 image", "not signed"),
        ("--signature 2 once", "one signature"),
    ] {
        let words = format!("pe unsign --output out {words}");
        let output = work.touchstone(words.split(' '));
        assert_one_error(&output, &Refusal::new("request.refused", "", &[fact]));
        assert_eq!(names(&work), before);
    }
}
