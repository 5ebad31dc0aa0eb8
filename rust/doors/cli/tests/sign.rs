//! What `touchstone` signs, sbverify, osslsigncode and pesign accept; what they refuse, is refused for the right reason.

use crate::support::{Work, assert_same_bytes};

/// A folder with two sets of keys and a UKI that `uki build --key` signed.
fn signed_uki() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work.keys("keys");
    work.keys("other");
    let build = [
        "uki", "build", "--stub", "stub", "--linux", "vmlinuz", "--initrd", "initrd",
    ];
    work.done([&build[..], &["--output", "plain.efi"]].concat());
    work.done([&build[..], &["--output", "signed.efi"], &key("keys")].concat());
    work
}

fn key(folder: &str) -> [&str; 4] {
    match folder {
        "keys" => ["--key", "keys/db.key", "--certificate", "keys/db.pem"],
        _ => ["--key", "other/db.key", "--certificate", "other/db.pem"],
    }
}

pub fn sign(work: &Work, file: &str, keys: &str, output: &str) {
    work.done([&["pe", "sign", file, "--output", output][..], &key(keys)].concat());
}

/// Whether sbverify accepts the file under this certificate.
pub fn sbverify(work: &Work, certificate: &str, file: &str) -> bool {
    let output = work.debian("sbverify", &["--cert", certificate, file]);
    let said = String::from_utf8_lossy(&output.stdout);
    match output.status.code() {
        Some(0) => assert!(said.contains("Signature verification OK"), "{said}"),
        _ => assert!(said.contains("Signature verification failed"), "{said}"),
    }
    output.status.success()
}

/// Whether osslsigncode accepts the file under this certificate.
pub fn osslsigncode(work: &Work, certificate: &str, file: &str) -> bool {
    let output = work.debian(
        "osslsigncode",
        &["verify", "-in", file, "-CAfile", certificate],
    );
    output.status.success()
}

/// The digest that pesign computes.
fn pesign_digest(work: &Work, file: &str) -> String {
    let output = work.debian("pesign", &["-h", "-i", file]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    printed
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_uki_that_was_signed_while_it_was_built_is_accepted_under_its_certificate_alone() {
    let work = signed_uki();
    assert!(sbverify(&work, "keys/db.pem", "signed.efi"));
    assert!(osslsigncode(&work, "keys/db.pem", "signed.efi"));
    assert!(!sbverify(&work, "other/db.pem", "signed.efi"));
    assert!(!osslsigncode(&work, "other/db.pem", "signed.efi"));
}

#[test]
fn signing_while_building_and_afterwards_gives_the_same_bytes() {
    let work = signed_uki();
    sign(&work, "plain.efi", "keys", "afterwards.efi");
    assert_same_bytes(
        "signed",
        &work.read("afterwards.efi"),
        &work.read("signed.efi"),
    );
}

#[test]
fn pesign_shows_the_signer() {
    let work = signed_uki();
    let output = work.debian("pesign", &["-S", "-i", "signed.efi"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("The signer's common name is db"),
        "{said}"
    );
}

#[test]
fn a_changed_byte_is_refused_by_both_verifiers() {
    let work = signed_uki();
    let mut bytes = work.read("signed.efi");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    work.write("changed.efi", bytes);
    assert!(!sbverify(&work, "keys/db.pem", "changed.efi"));
    assert!(!osslsigncode(&work, "keys/db.pem", "changed.efi"));
}

#[test]
fn a_second_signature_stands_beside_the_first() {
    let work = signed_uki();
    sign(&work, "signed.efi", "other", "twice.efi");
    assert!(sbverify(&work, "keys/db.pem", "twice.efi"));
    assert!(sbverify(&work, "other/db.pem", "twice.efi"));
}

#[test]
fn loaders_and_stubs_are_signed_and_accepted() {
    let work = signed_uki();
    let suites: Vec<_> = work.inputs.boot.iter().collect();
    for (suite, loaders) in suites {
        std::fs::copy(&loaders["x64"], work.path("loader.efi")).unwrap();
        work.stub(suite, "x64", "stub");
        for file in ["loader.efi", "stub"] {
            sign(&work, file, "keys", "output.efi");
            for accepts in [sbverify, osslsigncode] {
                let accepted = accepts(&work, "keys/db.pem", "output.efi");
                assert!(accepted, "{file} of {suite}");
            }
        }
    }
}

/// Debian's kernel is signed by Debian: ours comes second. (osslsigncode reads one entry of the table only.)
#[test]
fn a_kernel_keeps_the_signature_of_its_distribution() {
    let work = signed_uki();
    sign(&work, "vmlinuz", "keys", "output.efi");
    assert!(sbverify(&work, "keys/db.pem", "output.efi"));
    let output = work.debian("sbverify", &["--list", "output.efi"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        said.contains("signature 1") && said.contains("CN=Debian Secure Boot"),
        "{said}"
    );
    assert!(
        said.contains("signature 2") && said.contains("CN=db"),
        "{said}"
    );
}

#[test]
fn the_digest_is_that_of_pesign_for_images_of_every_kind() {
    let work = signed_uki();
    let mut files = vec!["plain.efi", "signed.efi", "vmlinuz"]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    for suite in work.stub_suites() {
        for architecture in ["x64", "aa64"] {
            let name = format!("stub-{suite}-{architecture}");
            work.stub(&suite, architecture, &name);
            files.push(name);
        }
    }
    for file in files {
        let expected = pesign_digest(&work, &file);
        assert_eq!(expected.len(), 64, "{file}");
        assert_eq!(
            work.done(["pe", "digest", &file]),
            format!("{expected}  {file}\n")
        );
        assert_eq!(
            work.json(["pe", "digest", &file, "--json"]),
            serde_json::json!({ "sha256": expected })
        );
    }
}

/// The CheckSum in the header, and the one that pefile computes.
fn checksums(work: &Work, file: &str) -> (u64, u64) {
    let script = "import pefile, sys; image = pefile.PE(sys.argv[1]); print(image.OPTIONAL_HEADER.CheckSum, image.generate_checksum())";
    let output = work.debian("python3", &["-c", script, file]);
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut numbers = printed.split_whitespace().map(|word| word.parse().unwrap());
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn the_checksum_is_zero_or_on_request_that_of_pefile() {
    let work = Work::new();
    work.addon_stub("trixie", "x64", "stub");
    work.keys("keys");
    let build = ["uki", "build", "--stub", "stub", "--cmdline", "debug"];
    work.done([&build[..], &["--output", "zero.efi"]].concat());
    let asked = [&build[..], &["--checksum", "--output"]].concat();
    work.done([&asked[..], &["unsigned.efi"]].concat());
    work.done([&asked[..], &["signed.efi"], &key("keys")].concat());
    sign(&work, "unsigned.efi", "keys", "reset.efi");
    let sign = [
        "pe",
        "sign",
        "zero.efi",
        "--checksum",
        "--output",
        "again.efi",
    ];
    work.done([&sign[..], &key("keys")].concat());
    for file in ["unsigned.efi", "signed.efi", "again.efi"] {
        let (written, computed) = checksums(&work, file);
        assert_eq!(written, computed, "{file}");
        assert_ne!(written, 0, "{file}");
    }
    for file in ["zero.efi", "reset.efi"] {
        assert_eq!(checksums(&work, file).0, 0, "{file}");
    }
    assert_same_bytes(
        "signed at once, and after",
        &work.read("signed.efi"),
        &work.read("again.efi"),
    );
}
