//! `touchstone uki build` gives the bytes of `ukify build`, release by release.

use touchstone_harness::systemds;

use crate::support::{Work, assert_same_bytes};

/// Builds with each release of ukify and with touchstone under that release's rules.
fn same_as_ukify(work: &Work, what: &str, arguments: &[&str]) {
    for systemd in systemds(&work.inputs) {
        let release = systemd.release.to_string();
        let theirs = arguments.iter().map(|word| match *word {
            "--ucode" => "--microcode",
            "--dtb" => "--devicetree",
            other => other,
        });
        let mut theirs: Vec<String> = ["build", "--output=theirs.efi"]
            .into_iter()
            .chain(theirs)
            .map(str::to_owned)
            .collect();
        if !arguments.contains(&"--os-release") {
            // Left out, it would be that of the machine on which ukify runs; touchstone looks at no machine.
            theirs.push("--os-release=".to_owned());
        }
        work.systemd(&systemd, "ukify", &theirs);
        let ours = [
            &["uki", "build"],
            arguments,
            &["--compat", &release, "--output", "ours.efi"],
        ];
        work.done(ours.concat());
        let what = format!("{what}, ukify {release}");
        assert_same_bytes(&what, &work.read("ours.efi"), &work.read("theirs.efi"));
    }
}

/// With the newest stub that there is always.
fn amd64() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work
}

const BASE: [&str; 4] = ["--stub", "stub", "--linux", "vmlinuz"];

#[test]
fn the_releases_of_ukify_are_those_that_compat_names() {
    let work = Work::new();
    for systemd in systemds(&work.inputs) {
        let version = systemd.version().unwrap();
        let expected = format!("ukify {}", systemd.release);
        assert!(version.starts_with(&expected), "{version}");
    }
}

#[test]
fn a_uki_is_that_of_ukify_with_each_stub() {
    let work = Work::with_kernel("amd64");
    for suite in work.stub_suites() {
        work.stub(&suite, "x64", "stub");
        // The stub of bookworm has room for a short SBAT text only: see the next test.
        work.write("short", "sbat,1,S,sbat,1,h\nu,1,U,u,1,h\n");
        let arguments = [
            "--initrd",
            "initrd",
            "--cmdline",
            "root=/dev/vda  quiet",
            "--os-release",
            "@os-release",
        ];
        let mut arguments = [&BASE[..], &arguments].concat();
        if suite == "bookworm" {
            arguments.extend(["--sbat", "@short"]);
        }
        same_as_ukify(&work, &format!("stub of {suite}"), &arguments);
    }
}

/// ukify writes such an image; its `.sbat` and the section behind it overlap in memory, so that one of them is damaged when it is
/// loaded, and nobody can say what will be measured.
#[test]
fn sbat_that_would_run_into_the_next_section_is_refused() {
    let work = Work::with_kernel("amd64");
    work.stub("bookworm", "x64", "stub");
    let build = ["uki", "build", "--output", "out.efi"];
    let output = work.touchstone([&build[..], &BASE].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains(".sbat") && said.contains("room for"),
        "{said}"
    );
    assert!(!work.path("out.efi").exists());
}

#[test]
fn an_arm64_uki_is_that_of_ukify() {
    let work = Work::with_kernel("arm64");
    work.stub("trixie", "aa64", "stub");
    let parts = [
        "--initrd",
        "initrd",
        "--dtb",
        "board.dtb",
        "--cmdline",
        "quiet",
    ];
    same_as_ukify(&work, "arm64", &[&BASE[..], &parts].concat());
}

#[test]
fn each_part_gives_the_bytes_of_ukify() {
    let work = amd64();
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
    let cases: [(&str, &[&str]); 12] = [
        ("a kernel alone, its version detected", &[]),
        ("a version given", &["--uname", "6.1.0-given"]),
        (
            "three initrds, joined and padded",
            &[
                "--initrd",
                "third-initrd",
                "--initrd",
                "initrd",
                "--initrd",
                "second-initrd",
            ],
        ),
        (
            "texts from files, as they are",
            &["--cmdline", "@cmdline", "--os-release", "@os-release"],
        ),
        (
            "empty texts",
            &["--cmdline", "  ", "--os-release", "", "--section", ".mine:"],
        ),
        (
            "empty files",
            &[
                "--cmdline",
                "@empty",
                "--os-release",
                "@empty",
                "--initrd",
                "empty",
            ],
        ),
        (
            "odd separators and several empty initrds",
            &[
                "--cmdline",
                "a\u{1c}b\u{a0}c\u{85}d\u{b}e",
                "--initrd",
                "empty",
                "--initrd",
                "empty",
            ],
        ),
        ("an os-release text", &["--os-release", "ID=x\nNAME=y"]),
        (
            "SBAT from a file and from a text",
            &[
                "--sbat",
                "@sbat",
                "--sbat",
                "sbat,1,SBAT Version,sbat,1,h\nmore,2,More,more,2,h\n",
            ],
        ),
        (
            "a splash and more sections",
            &[
                "--splash",
                "splash.bmp",
                "--section",
                ".mine:some text",
                "--section",
                ".blob:@blob",
            ],
        ),
        (
            "microcode and a device tree",
            &[
                "--initrd",
                "initrd",
                "--ucode",
                "ucode",
                "--dtb",
                "board.dtb",
            ],
        ),
        (
            "a public key for PCR signatures",
            &["--pcrpkey", "pcr.pub", "--cmdline", "quiet"],
        ),
    ];
    for (what, parts) in cases {
        same_as_ukify(&work, what, &[&BASE[..], parts].concat());
    }
}
