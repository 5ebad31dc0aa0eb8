//! Profiles, and UKIs of several, beside ukify.

use super::Known::{By257And262, By262};
use super::{BASE, Known, amd64, compare_rows, of_ukify, same_as_releases};
use crate::support::{Work, assert_same_bytes};

/// Images with a profile: the file, and what it is made of. Their bytes are the same under the rules of each release.
const PROFILES: [(&str, Known, &str); 6] = [
    (
        "factory",
        By257And262,
        "--profile ID=factory --cmdline reset",
    ),
    (
        "titled",
        By257And262,
        "--profile @profile --cmdline @cmdline --splash splash.bmp",
    ),
    (
        "trees",
        By257And262,
        "--profile ID=trees --dtb board.dtb --ucode ucode --initrd initrd --initrd third-initrd --uname 6.9",
    ),
    // What a profile may have, and leaves behind when it is joined.
    (
        "left",
        By257And262,
        "--profile ID=left --os-release @os-release --pcrpkey blob --section .pcrsig:{} --section .mine:text --cmdline left",
    ),
    (
        "kernel",
        By257And262,
        "--profile ID=kernel --linux vmlinuz --cmdline other",
    ),
    ("firmware", By262, "--profile ID=firmware --efifw fw-one"),
];

const JOINED: [(&str, Known, &str); 12] = [
    ("one profile", By257And262, "--join-profile factory"),
    (
        "one profile, and that of the UKI",
        By257And262,
        "--profile ID=base --join-profile factory",
    ),
    (
        "that of the UKI from a file",
        By257And262,
        "--profile @profile --join-profile factory",
    ),
    (
        "two profiles",
        By257And262,
        "--join-profile titled --join-profile factory --cmdline quiet",
    ),
    (
        "two profiles in the other order",
        By257And262,
        "--join-profile factory --join-profile titled --cmdline quiet",
    ),
    (
        "the same profile twice",
        By257And262,
        "--join-profile factory --join-profile factory",
    ),
    (
        "a profile with device tree, microcode, initrd and version",
        By257And262,
        "--join-profile trees --dtb blob --initrd initrd --ucode ucode",
    ),
    (
        "what a profile leaves behind",
        By257And262,
        "--os-release @os-release --pcrpkey ucode --join-profile left",
    ),
    (
        "a profile with a kernel of its own",
        By257And262,
        "--join-profile kernel --initrd initrd",
    ),
    (
        "a profile with firmware",
        By262,
        "--join-profile firmware --efifw fw-one",
    ),
    (
        "profiles behind more sections and SBAT",
        By257And262,
        "--section .mine:text --sbat @sbat --dtbauto blob --dtbauto board.dtb --join-profile trees --join-profile factory",
    ),
    (
        "every kind of profile",
        By257And262,
        "--profile @profile --cmdline base --os-release @os-release --splash splash.bmp --join-profile kernel --join-profile left \
         --join-profile trees --join-profile titled --join-profile factory",
    ),
];

fn with_profiles() -> Work {
    let work = amd64();
    work.addon_stub("trixie", "x64", "addon");
    work.write(
        "profile",
        "# a comment\nID=titled\nTITLE=\"With a title\"\n",
    );
    std::fs::create_dir(work.path("fw-one")).unwrap();
    work.write("fw-one/image", "firmware");
    for (file, _, words) in PROFILES {
        let build = ["uki", "build", "--stub", "addon", "--output", file];
        work.done(build.into_iter().chain(words.split_whitespace()));
    }
    work
}

#[test]
fn a_profile_is_that_of_ukify() {
    let work = with_profiles();
    compare_rows(&work, &["--stub", "addon"], &PROFILES);
    // With a stub that has an SBAT of its own, which is then kept as it is.
    compare_rows(&work, &BASE, &PROFILES[..2]);
}

#[test]
fn a_uki_of_several_profiles_is_that_of_ukify() {
    let work = with_profiles();
    compare_rows(&work, &BASE, &JOINED);
    // With a stub that has no SBAT: `.sbat` stands before the UKI's own profile.
    compare_rows(&work, &["--stub", "addon"], &JOINED[..2]);
}

/// ukify makes signatures itself: what it makes is taken from its image.
#[test]
fn signatures_of_pcr_11_stand_where_ukify_puts_them() {
    let work = with_profiles();
    work.keys("keys");
    let public = [
        "x509",
        "-in",
        "keys/db.pem",
        "-pubkey",
        "-noout",
        "-out",
        "pcr.pub",
    ];
    assert!(work.debian("openssl", &public).status.success());
    for systemd in touchstone_harness::systemds(&work.inputs) {
        if systemd.release == 257 {
            // systemd-measure 257 signs on machines with a TPM only.
            continue;
        }
        let arguments = [
            &BASE[..],
            &["--pcrpkey", "pcr.pub", "--join-profile", "factory"],
        ]
        .concat();
        let mut theirs = of_ukify(&arguments, "theirs.efi");
        let signing = [
            "--sign-profile=main",
            "--pcr-private-key=keys/db.key",
            "--pcr-public-key=pcr.pub",
            "--pcr-banks=sha256",
        ];
        theirs.extend(signing.map(str::to_owned));
        work.systemd(&systemd, "ukify", &theirs);
        let theirs = work.read("theirs.efi");
        let start = theirs
            .windows(10)
            .position(|bytes| bytes == b"{\"sha256\":")
            .unwrap();
        let len = theirs[start..].iter().position(|byte| *byte == 0).unwrap();
        work.write("signatures", &theirs[start..start + len]);
        let ours = [
            "uki",
            "build",
            "--output",
            "ours.efi",
            "--pcrsig",
            "@signatures",
        ];
        work.done([&ours[..], &arguments].concat());
        assert_same_bytes("signatures", &work.read("ours.efi"), &theirs);
    }
}

/// What ukify makes can be joined.
#[test]
fn a_profile_of_ukify_is_joined() {
    let work = with_profiles();
    for systemd in touchstone_harness::systemds(&work.inputs) {
        let profile = [
            "--stub",
            "addon",
            "--profile",
            "ID=theirs",
            "--cmdline",
            "theirs",
            "--os-release",
            "@os-release",
        ];
        work.systemd(&systemd, "ukify", &of_ukify(&profile, "of-ukify"));
        let words = [&BASE[..], &["--join-profile", "of-ukify"]].concat();
        same_as_releases(&work, By257And262, "a profile that ukify made", &words);
    }
}
