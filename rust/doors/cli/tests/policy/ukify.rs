//! A UKI with signatures of its PCR 11 is that of `ukify build` with the same words.

use super::{P256, RSA_2048, RSA_3072, both, key_pair, systemd};
use crate::support::{Work, assert_same_bytes};
use crate::ukify::{BASE, amd64, of_ukify};

/// Builds with each release of ukify and with touchstone under that release's rules.
fn same_as_ukify(work: &Work, what: &str, arguments: &[&str], from: u32) {
    let arguments = [&BASE[..], arguments].concat();
    for release in both(work) {
        if release.release < from {
            continue;
        }
        systemd(work, &release, "ukify", &of_ukify(&arguments, "theirs.efi"));
        let number = release.release.to_string();
        let end = ["--compat", &number, "--output", "ours.efi"];
        work.done([&["uki", "build"], &arguments[..], &end].concat());
        assert_same_bytes(
            &format!("{what}, ukify {number}"),
            &work.read("ours.efi"),
            &work.read("theirs.efi"),
        );
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn with_keys() -> Work {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    key_pair(&work, "other", RSA_3072);
    work
}

const KEY: &str = "--pcr-private-key pcr.key --pcr-public-key pcr.pub";

/// From which release on ukify's signatures are ours: those of 257 in another bank than SHA-256 open nothing (see
/// [`super::pcrsig`]).
fn from(banks: &str) -> u32 {
    if banks == "sha256" { 257 } else { 262 }
}

#[test]
fn signatures_in_every_bank_are_those_of_ukify() {
    let work = with_keys();
    for (what, banks, more) in [
        ("one bank", "sha256", ""),
        (
            "every bank, in another order",
            "sha512,sha1,sha384,sha256",
            "--initrd initrd --cmdline quiet",
        ),
        (
            "chosen phases, one twice",
            "sha256",
            "--phases enter-initrd:leave-initrd,enter-initrd,enter-initrd",
        ),
        (
            "a public key that is given for itself",
            "sha256",
            "--pcrpkey other.pub",
        ),
    ] {
        let arguments = format!("{KEY} --pcr-banks {banks} {more}");
        same_as_ukify(&work, what, &words(&arguments), from(banks));
    }
}

#[test]
fn a_public_key_that_is_not_given_is_written_as_ukify_writes_it() {
    let work = with_keys();
    let arguments = words("--pcr-private-key pcr.key --pcr-banks sha256 --phases enter-initrd");
    same_as_ukify(&work, "the private key alone", &arguments, 257);
}

#[test]
fn several_keys_sign_as_ukify_lets_them() {
    let work = with_keys();
    for banks in ["sha256", "sha256,sha384"] {
        let two = format!(
            "{KEY} --phases enter-initrd --pcr-private-key other.key --pcr-public-key other.pub \
             --phases enter-initrd:leave-initrd:sysinit,enter-initrd --pcr-banks {banks}"
        );
        same_as_ukify(&work, "two keys", &words(&two), from(banks));
    }
    let twice = format!(
        "{KEY} --phases enter-initrd {KEY} --phases enter-initrd,enter-initrd:leave-initrd --pcr-banks sha256"
    );
    let what = "one key twice: no signature twice";
    same_as_ukify(&work, what, &words(&twice), 257);
}

#[test]
fn a_policy_reference_is_that_of_ukify_262() {
    let work = with_keys();
    let arguments = [
        words(KEY),
        words("--pcr-banks sha256 --policyref"),
        vec!["a \"reference\""],
    ]
    .concat();
    same_as_ukify(&work, "a policy reference", &arguments, 262);
}

#[test]
fn each_profile_has_the_signatures_that_ukify_gives_it() {
    let work = with_keys();
    work.addon_stub("trixie", "x64", "addon");
    for (file, cmdline, more) in [
        ("factory", "reset", "--splash splash.bmp"),
        ("kernel", "other", "--linux vmlinuz --initrd second-initrd"),
    ] {
        let (profile, more) = (format!("ID={file}"), words(more));
        let build = [
            "uki",
            "build",
            "--stub",
            "addon",
            "--profile",
            &profile,
            "--cmdline",
            cmdline,
            "--output",
            file,
        ];
        work.done([&build[..], &more].concat());
    }
    for (what, more) in [
        ("one profile", "--join-profile factory"),
        (
            "two profiles",
            "--join-profile factory --join-profile kernel --profile ID=base --cmdline quiet --initrd initrd",
        ),
    ] {
        for banks in ["sha256", "sha256,sha1"] {
            let arguments = format!("{KEY} --pcr-banks {banks} {more}");
            same_as_ukify(&work, what, &words(&arguments), from(banks));
        }
    }
}

/// ukify would write signatures that no systemd opens anything with, or that no firmware comes to.
#[test]
fn refuses_what_would_open_nothing() {
    let work = with_keys();
    key_pair(&work, "curve", P256);
    work.addon_stub("trixie", "x64", "addon");
    let refused = |arguments: &str, facts: [&str; 2]| {
        let build = ["uki", "build", "--output", "refused.efi"];
        let output = work.touchstone([&build[..], &words(arguments)].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {said}");
        for fact in facts {
            assert!(said.contains(fact), "{arguments}: {said}");
        }
        assert!(!work.path("refused.efi").exists());
    };
    let base = BASE.join(" ");
    for (arguments, facts) in [
        (
            format!("{base} --pcr-private-key curve.key"),
            ["elliptic curve", "[policy.refused]"],
        ),
        (
            format!("{base} --pcr-private-key pcr.key --pcr-public-key other.pub"),
            ["not the other half", "[key.refused]"],
        ),
        (
            format!("{base} {KEY} --dtbauto board.dtb"),
            [".dtbauto", "[predict.refused]"],
        ),
        (
            format!("{base} {KEY} --pcrsig {{}}"),
            ["others are given", "[request.refused]"],
        ),
        (
            format!("--stub addon --cmdline x {KEY}"),
            ["without a kernel", "[request.refused]"],
        ),
        (
            format!("{base} {KEY} --phases enter-initrd --phases enter-initrd"),
            ["--phases is given 2 times", "[request.refused]"],
        ),
        (
            format!("{base} {KEY} --policyref ä"),
            ["printable ASCII", "[policy.refused]"],
        ),
    ] {
        refused(&arguments, facts);
    }
}
