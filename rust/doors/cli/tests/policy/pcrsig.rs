//! `touchstone policy sign --uki` gives the bytes of `systemd-measure sign` and `systemd-measure policy-digest`.

use super::{RSA_2048, RSA_3072, both, key_pair, systemd};
use crate::support::Work;
use crate::ukify::amd64;

/// A UKI of a kernel, a command line and an initrd, and these beside it as systemd-measure wants them.
fn with_uki() -> Work {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    key_pair(&work, "other", RSA_3072);
    work.write("uname", "6.1");
    work.write("sbat-text", "sbat,1,S,sbat,1,h\n");
    let build = "uki build --stub stub --linux vmlinuz --initrd initrd --cmdline @cmdline --uname 6.1 --output uki.efi";
    work.done(build.split(' '));
    let sbat = work.read("uki.efi");
    let start = sbat
        .windows(9)
        .position(|bytes| bytes == b"sbat,1,SB")
        .unwrap();
    let len = sbat[start..].iter().position(|byte| *byte == 0).unwrap();
    work.write("sbat-text", &sbat[start..start + len]);
    work
}

const SECTIONS: &str =
    "--linux=vmlinuz --initrd=initrd --cmdline=cmdline --uname=uname --sbat=sbat-text";

fn measured(verb: &str, options: &str) -> Vec<String> {
    let all = format!("{verb} {SECTIONS} {options}");
    all.split_whitespace().map(str::to_owned).collect()
}

fn ours(work: &Work, options: &str) -> String {
    let sign = format!("policy sign --uki uki.efi --output signatures {options}");
    work.done(sign.split_whitespace());
    String::from_utf8(work.read("signatures")).unwrap()
}

const MEASURE: &str = "/usr/lib/systemd/systemd-measure";

/// Without the signatures in other banks than SHA-256: systemd-measure 257 hashes for them with the bank's own hash, and what
/// it signs so no TPM takes (see `systemd.rs`). 262 hashes with SHA-256 always, and so do we.
fn as_of_257(signatures: &str) -> String {
    let mut json: serde_json::Value = serde_json::from_str(signatures).unwrap();
    for (bank, signed) in json.as_object_mut().unwrap() {
        for signed in signed.as_array_mut().unwrap() {
            if bank != "sha256" {
                assert!(signed["sig"].is_string());
                signed["sig"].take();
            }
        }
    }
    json.to_string()
}

#[test]
fn signatures_are_those_of_systemd_measure() {
    let work = with_uki();
    let all = "--bank=sha1 --bank=sha256 --bank=sha384 --bank=sha512";
    for (key, options) in [
        ("pcr", all),
        ("other", "--bank=sha256"),
        (
            "pcr",
            "--bank=sha256 --phase=ready --phase=enter-initrd:leave-initrd --phase=enter-initrd --phase=ready",
        ),
        ("pcr", "--bank=sha384 --phase="),
    ] {
        let mine = ours(&work, &format!("--key {key}.key {options}"));
        for release in both(&work) {
            let options = format!("--private-key={key}.key --public-key={key}.pub {options}");
            let theirs = systemd(&work, &release, MEASURE, &measured("sign", &options));
            let (mine, theirs) = match release.release {
                257 => (as_of_257(&mine), as_of_257(&theirs)),
                _ => (mine.clone(), theirs),
            };
            assert_eq!(mine, theirs, "{} {options}", release.release);
        }
    }
}

#[test]
fn digests_to_be_signed_elsewhere_are_those_of_systemd_measure_262() {
    let work = with_uki();
    let release = both(&work).pop().unwrap();
    for reference in ["", "hello"] {
        let option = |name: &str| match reference {
            "" => String::new(),
            text => format!("{name}={text}"),
        };
        let theirs = format!(
            "--public-key=pcr.pub --bank=sha256 {}",
            option("--policyref")
        );
        let theirs = systemd(
            &work,
            &release,
            MEASURE,
            &measured("policy-digest", &theirs),
        );
        let mine = ours(
            &work,
            &format!("--public-key pcr.pub {}", option("--policy-ref")),
        );
        assert_eq!(mine, theirs);

        let theirs = format!(
            "--private-key=pcr.key --bank=sha256 {}",
            option("--policyref")
        );
        let theirs = systemd(&work, &release, MEASURE, &measured("sign", &theirs));
        let mine = ours(&work, &format!("--key pcr.key {}", option("--policy-ref")));
        assert_eq!(mine, theirs);
    }
}

#[test]
fn a_signature_that_is_shown_is_verified() {
    let work = with_uki();
    ours(&work, "--key pcr.key --policy-ref hello");
    let show = |key: &str| work.touchstone(["policy", "show", "signatures", "--public-key", key]);
    let right = show("pcr.pub");
    assert_eq!(right.status.code(), Some(0));
    let said = String::from_utf8(right.stdout).unwrap();
    assert_eq!(said.lines().count(), 4);
    assert!(said.contains("signed by the given key") && said.contains("reference \"hello\""));
    assert_eq!(show("other.pub").status.code(), Some(3));
    // One character of a signature is another.
    let text = String::from_utf8(work.read("signatures")).unwrap();
    let place = text.find("\"sig\":\"").unwrap() + 20;
    let mut bytes = text.into_bytes();
    bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
    work.write("signatures", bytes);
    assert_eq!(show("pcr.pub").status.code(), Some(3));
}

#[test]
fn a_uki_is_not_signed_by_a_key_that_systemd_cannot_use() {
    let work = with_uki();
    for (name, options) in [
        ("curve", super::P256),
        (
            "long",
            &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"][..],
        ),
    ] {
        key_pair(&work, name, options);
        let sign = format!("policy sign --uki uki.efi --key {name}.key --output refused");
        let output = work.touchstone(sign.split(' '));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(
            said.contains("RSA of 2048 or 3072 bits") && said.contains("[policy.refused]"),
            "{name}: {said}"
        );
        assert!(!work.path("refused").exists());
    }
}
