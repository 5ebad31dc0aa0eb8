//! Signers from files: keys in every form that people have them in, kinds of keys, digests, chains.

mod refusals;

use crate::sign::{osslsigncode, sbverify};
use crate::support::{Work, assert_same_bytes};

/// What protects the keys of these tests: no output may show it.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// Runs `openssl` of Debian 13 in the folder; words are parted by spaces.
pub fn openssl(work: &Work, arguments: &str) {
    let words: Vec<&str> = arguments.split(' ').collect();
    let output = work.debian("openssl", &words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {said}");
}

/// A folder with a small image and the file of a passphrase.
pub fn ready() -> Work {
    let work = Work::new();
    work.addon_stub("trixie", "x64", "image");
    work.write("passphrase", format!("{PASSPHRASE}\nnot this line"));
    work
}

/// Makes a key (PKCS#8, PEM) as `genpkey` takes its words, and a certificate of its own.
pub fn certified(work: &Work, name: &str, key: &str) {
    openssl(work, &format!("genpkey -algorithm {key} -out {name}.key"));
    let subject = format!("-subj /CN={name} -days 9 -out {name}.pem");
    openssl(work, &format!("req -x509 -key {name}.key {subject}"));
}

const RSA: &str = "RSA -pkeyopt rsa_keygen_bits:2048";
const P256: &str = "EC -pkeyopt ec_paramgen_curve:P-256";

/// Signs the image; the answer is the signed file.
fn signed(work: &Work, key: &str, certificate: &str, more: &[&str]) -> Vec<u8> {
    let sign = ["pe", "sign", "image", "--output", "signed"];
    let by = ["--key", key, "--certificate", certificate];
    work.done([&sign[..], &by, more].concat());
    work.read("signed")
}

#[test]
fn a_key_signs_alike_in_every_form_in_which_it_is_written() {
    let work = ready();
    certified(&work, "rsa", RSA);
    certified(&work, "ec", P256);
    let encrypt = "-passout file:passphrase -out form";
    for (name, forms) in [
        ("rsa", vec!["rsa -in rsa.key -traditional -out form"]),
        ("ec", vec!["ec -in ec.key -out form"]),
    ] {
        let expected = signed(
            &work,
            &format!("{name}.key"),
            &format!("{name}.pem"),
            &["--digest", "sha256"],
        );
        let any = [
            format!("pkey -in {name}.key -outform DER -out form"),
            format!("pkcs8 -topk8 -in {name}.key {encrypt}"),
            format!("pkcs8 -topk8 -in {name}.key -outform DER {encrypt}"),
            format!("pkcs8 -topk8 -scrypt -in {name}.key {encrypt}"),
            format!("pkcs8 -topk8 -v2 aes-128-cbc -v2prf hmacWithSHA512 -in {name}.key {encrypt}"),
            format!("pkcs8 -topk8 -v2 des3 -in {name}.key {encrypt}"),
            format!("pkey -in {name}.key -aes256 {encrypt}"),
        ];
        for form in any.iter().map(String::as_str).chain(forms) {
            openssl(&work, form);
            let passphrase = ["--passphrase-file", "passphrase"];
            let protected = form.contains("passphrase");
            let more = if protected { &passphrase[..] } else { &[] };
            let bytes = signed(&work, "form", &format!("{name}.pem"), more);
            assert_same_bytes(form, &bytes, &expected);
            std::fs::remove_file(work.path("form")).unwrap();
        }
    }
}

/// The parameters come first in that file.
#[test]
fn a_key_of_ecparam_signs() {
    let work = ready();
    openssl(&work, "ecparam -name secp384r1 -genkey -out ec.key");
    let subject = "-subj /CN=ec -days 9 -out ec.pem";
    openssl(&work, &format!("req -x509 -key ec.key {subject}"));
    signed(&work, "ec.key", "ec.pem", &[]);
    assert!(sbverify(&work, "ec.pem", "signed"));
}

/// sbverify knows SHA-256 only.
#[test]
fn every_kind_of_key_signs_by_both_digests_as_verifiers_expect_it() {
    let work = ready();
    for (name, key) in [
        ("rsa2048", RSA),
        ("rsa3072", "RSA -pkeyopt rsa_keygen_bits:3072"),
        ("rsa4096", "RSA -pkeyopt rsa_keygen_bits:4096"),
        ("p256", P256),
        ("p384", "EC -pkeyopt ec_paramgen_curve:P-384"),
    ] {
        certified(&work, name, key);
        let certificate = format!("{name}.pem");
        for digest in ["sha256", "sha384"] {
            let key = format!("{name}.key");
            signed(&work, &key, &certificate, &["--digest", digest]);
            let said = work.debian(
                "osslsigncode",
                &["verify", "-in", "signed", "-CAfile", &certificate],
            );
            let said = String::from_utf8_lossy(&said.stdout).into_owned();
            assert!(said.contains("Signature verification: ok"), "{said}");
            let algorithm = format!("Message digest algorithm  : {}", digest.to_uppercase());
            assert!(said.contains(&algorithm), "{name}, {digest}: {said}");
            assert_eq!(
                sbverify(&work, &certificate, "signed"),
                digest == "sha256",
                "{name}, {digest}"
            );
        }
    }
}

#[test]
fn a_uki_is_signed_by_sha384_while_it_is_built_as_afterwards() {
    let work = ready();
    certified(&work, "rsa", RSA);
    let build = ["uki", "build", "--stub", "image", "--cmdline", "quiet"];
    let by = ["--key", "rsa.key", "--certificate", "rsa.pem"];
    let by = [&by[..], &["--digest", "sha384"]].concat();
    work.done([&build[..], &["--output", "plain"]].concat());
    work.done([&build[..], &["--output", "built"], &by].concat());
    work.done([&["pe", "sign", "plain", "--output", "after"][..], &by].concat());
    assert!(osslsigncode(&work, "rsa.pem", "built"));
    assert_same_bytes("built, after", &work.read("built"), &work.read("after"));
}

/// A root, an intermediate authority and a leaf: who trusts the root needs the intermediate from the signature.
#[test]
fn a_chain_reaches_from_the_signer_to_the_root() {
    let work = ready();
    certified(&work, "root", RSA);
    issue(
        &work,
        "between",
        "root",
        "basicConstraints=critical,CA:TRUE",
    );
    issue(&work, "leaf", "between", "basicConstraints=CA:FALSE");
    let chain = [work.read("leaf.pem"), work.read("between.pem")].concat();
    work.write("chain.pem", chain);

    signed(&work, "leaf.key", "chain.pem", &[]);
    assert!(sbverify(&work, "root.pem", "signed"));
    assert!(osslsigncode(&work, "root.pem", "signed"));
    signed(&work, "leaf.key", "leaf.pem", &[]);
    assert!(!sbverify(&work, "root.pem", "signed"));
    assert!(!osslsigncode(&work, "root.pem", "signed"));
}

/// Makes a key and its certificate, which the authority `by` signs.
pub fn issue(work: &Work, name: &str, by: &str, extension: &str) {
    openssl(work, &format!("genpkey -algorithm {P256} -out {name}.key"));
    let ask = format!("req -new -key {name}.key -subj /CN={name}");
    openssl(work, &format!("{ask} -addext {extension} -out {name}.csr"));
    let authority = format!("-CA {by}.pem -CAkey {by}.key -copy_extensions copyall");
    let issue = format!("x509 -req -in {name}.csr {authority} -days 9");
    openssl(work, &format!("{issue} -out {name}.pem"));
}

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let work = Work::new();
    work.addon_stub("trixie", "x64", "image.efi");
    work.follow(include_str!("../../../../docs/signing.md"));

    for (made, expected) in [
        ("once.efi", "signed.efi"),
        ("replaced.efi", "by-leaf.efi"),
        ("plain.efi", "image.efi"),
        ("attached.efi", "signed.efi"),
    ] {
        assert_same_bytes(made, &work.read(made), &work.read(expected));
    }
    assert!(sbverify(&work, "db.pem", "twice.efi"));
    assert!(sbverify(&work, "root.pem", "twice.efi"));
}
