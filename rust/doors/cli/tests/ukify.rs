//! `touchstone uki build` gives the bytes of `ukify build`, release by release.

mod kernels;
mod profiles;
mod sections;

use touchstone_harness::systemds;

use crate::support::{Work, assert_same_bytes};

/// The releases of ukify that know what a row is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    By257And262,
    By262,
}

/// Builds with each release of ukify and with touchstone under that release's rules.
fn same_as_ukify(work: &Work, what: &str, arguments: &[&str]) {
    same_as_releases(work, Known::By257And262, what, arguments);
}

fn same_as_releases(work: &Work, known: Known, what: &str, arguments: &[&str]) {
    for systemd in systemds(&work.inputs) {
        if systemd.release == 257 && known == Known::By262 {
            continue;
        }
        let release = systemd.release.to_string();
        work.systemd(&systemd, "ukify", &of_ukify(arguments, "theirs.efi"));
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

/// The same request to ukify.
pub fn of_ukify(arguments: &[&str], output: &str) -> Vec<String> {
    let mut words = vec!["build".to_owned(), format!("--output={output}")];
    let mut arguments_left = arguments.iter();
    while let Some(word) = arguments_left.next() {
        words.push(match *word {
            "--ucode" => "--microcode".to_owned(),
            "--dtb" => "--devicetree".to_owned(),
            "--dtbauto" => "--devicetree-auto".to_owned(),
            // ukify makes the signatures itself, or attaches them to a finished UKI.
            "--pcrsig" => format!("--section=.pcrsig:{}", arguments_left.next().unwrap()),
            other => other.to_owned(),
        });
    }
    if !arguments.contains(&"--os-release") {
        // Left out, it would be that of the machine on which ukify runs; touchstone looks at no machine.
        words.push("--os-release=".to_owned());
    }
    words
}

/// Compares each row of a table: its name, which releases know it, its words.
fn compare_rows(work: &Work, base: &[&str], rows: &[(&str, Known, &str)]) {
    for (what, known, words) in rows {
        let words: Vec<&str> = base
            .iter()
            .copied()
            .chain(words.split_whitespace())
            .collect();
        same_as_releases(work, *known, what, &words);
    }
}

/// With the newest stub that there is always.
pub fn amd64() -> Work {
    let work = Work::with_kernel("amd64");
    work.stub("trixie", "x64", "stub");
    work
}

pub const BASE: [&str; 4] = ["--stub", "stub", "--linux", "vmlinuz"];

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
