//! `touchstone pe digest` gives the digest of `pesign -h`, on every EFI program that Debian packages and these checks fetch.
//!
//! The list is printed: `cargo nextest run -p touchstone digests --no-capture`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use touchstone_harness::Inputs;
use touchstone_harness::nix::output;

use crate::support::Work;

/// Each program once: other packages of other suites may hold the same bytes.
fn programs(inputs: &Inputs) -> Vec<PathBuf> {
    let kernels = inputs.kernel.values().map(|kernel| kernel.vmlinuz.clone());
    let all: BTreeSet<PathBuf> = inputs
        .efi
        .values()
        .flatten()
        .cloned()
        .chain(kernels)
        .collect();
    all.into_iter().collect()
}

/// What pesign prints for each file, in one visit: the digest, then the file.
fn pesign(work: &Work, files: &[PathBuf]) -> Vec<String> {
    let cache = files.iter().filter_map(|file| {
        let folder = |path: &&Path| path.parent().is_some_and(|up| up.ends_with("packages"));
        file.ancestors().find(folder).map(Path::to_owned)
    });
    let folders: BTreeSet<PathBuf> = cache.collect();
    let visit = work.inside(work.inputs.trixie().visit());
    let visit = folders
        .iter()
        .fold(visit, |visit, folder| visit.show(folder));
    let mut command = visit.command("sh").unwrap();
    let script = "for file; do pesign --hash --in=\"$file\" 2>/dev/null || echo refused; done";
    command.args(["-c", script, "sh"]).args(files);
    let printed = output(command).unwrap();
    let digest = |line: &str| {
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    printed.lines().map(digest).collect()
}

/// Where the sections of an image end in the file.
fn sections_end(image: &serde_json::Value) -> u64 {
    let sections = image["sections"].as_array().unwrap().iter();
    let ends = sections.map(|section| {
        let number = |field: &str| section[field].as_u64().unwrap();
        number("offset") + number("rawSize")
    });
    ends.max().unwrap()
}

/// pesign pads what follows the sections to a multiple of 8 bytes, where others pad the file: only with sections that end elsewhere
/// does that make a difference. Whether our digest is the one of everybody else is then shown with a signature: osslsigncode computes
/// it for itself, and sbverify again.
fn assert_signers_agree(work: &Work, file: &Path, digest: &str) {
    fs::copy(file, work.path("odd.efi")).unwrap();
    if !work.path("keys").exists() {
        work.keys("keys");
    }
    let sign = [
        "sign",
        "-h",
        "sha256",
        "-certs",
        "keys/db.pem",
        "-key",
        "keys/db.key",
        "-in",
        "odd.efi",
        "-out",
        "odd.signed",
    ];
    assert!(work.debian("osslsigncode", &sign).status.success());
    let verify = ["--cert", "keys/db.pem", "odd.signed"];
    assert!(work.debian("sbverify", &verify).status.success());
    let signed = work.json(["uki", "inspect", "--json", "odd.signed"]);
    assert_eq!(signed["signatures"][0]["consistent"], true, "{signed}");
    assert_eq!(signed["authenticodeSha256"], digest);
    fs::remove_file(work.path("odd.signed")).unwrap();
}

#[test]
fn every_efi_program_has_the_digest_of_pesign() {
    let work = Work::new();
    let files = programs(&work.inputs);
    let theirs = pesign(&work, &files);
    assert_eq!(theirs.len(), files.len());
    let mut contents = BTreeSet::new();
    let (mut odd, mut refused) = (Vec::new(), Vec::new());
    for (file, theirs) in files.iter().zip(&theirs) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let size = file.metadata().unwrap().len();
        let output = work.touchstone([Path::new("pe"), Path::new("digest"), file]);
        if theirs == "refused" {
            println!(
                "{:<64}  {size:>9}  {:<11}  {name}",
                "refused, by pesign too", ""
            );
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(
                said.contains("[input.not-pe]"),
                "{}: {said}",
                file.display()
            );
            refused.push(name);
            continue;
        }
        let printed = String::from_utf8(output.stdout).unwrap();
        let ours = &printed[..64];
        let inspect = ["uki", "inspect", "--json"].map(Path::new);
        let image = work.json(inspect.into_iter().chain([file.as_path()]));
        let machine = image["header"]["machine"].as_str().unwrap();
        println!("{ours}  {size:>9}  {machine:<11}  {name}");
        assert_eq!(image["authenticodeSha256"], ours, "{}", file.display());
        assert_eq!(image["size"], size, "{}", file.display());
        if image["problems"] != json!([]) {
            // Debian 12's has a row of five fields in its SBAT.
            assert!(
                name.starts_with("memtest86+"),
                "{name}: {}",
                image["problems"]
            );
            println!("{:>64}  {}", "", image["problems"][0]);
        }
        contents.insert((ours.to_owned(), size));
        if sections_end(&image).is_multiple_of(8) {
            assert_eq!(ours, theirs, "{}", file.display());
        } else {
            assert_signers_agree(&work, file, ours);
            odd.push(name);
        }
    }
    println!(
        "{} files, {} different ones; refused: {refused:?}; sections end at an odd place: {odd:?}",
        files.len(),
        contents.len()
    );
    assert!(contents.len() >= 80, "{}", contents.len());
    // syslinux.efi for 32-bit firmware.
    assert!(odd.len() <= 1, "{odd:?}");
    // Sid has packaged a fwupdriscv64.efi that has no optional header: it is no image, and nothing can start it.
    assert!(refused.len() <= 1, "{refused:?}");
}

/// The list is worth what is in it.
#[test]
fn the_efi_programs_are_of_every_kind_and_architecture() {
    let work = Work::new();
    let files = programs(&work.inputs);
    let names: BTreeSet<&str> = files
        .iter()
        .filter_map(|file| file.file_name()?.to_str())
        .collect();
    for wanted in [
        "systemd-bootx64.efi",
        "systemd-bootaa64.efi.signed",
        "systemd-bootriscv64.efi",
        "linuxia32.efi.stub",
        "addonx64.efi.stub",
        "shimx64.efi",
        "shimx64.efi.signed",
        "shimaa64.efi.signed",
        "mmx64.efi.signed",
        "grubx64.efi.signed",
        "grubaa64.efi",
        "grubia32.efi",
        "grubriscv64.efi",
        "memtest86+x64.efi",
        "memtest86+ia32.efi",
        "ipxe-amd64.efi",
        "ipxe-loong64.efi",
        "fwupdx64.efi.signed",
        "fwupdriscv64.efi",
        "refind_x64.efi",
        "KeyTool.efi",
        "shellx64.efi",
    ] {
        assert!(names.contains(wanted), "{wanted}");
    }
    for kernel in ["cloud-amd64", "cloud-arm64", "riscv64"] {
        let found = names
            .iter()
            .any(|name| name.starts_with("vmlinu") && name.ends_with(kernel));
        assert!(found, "no kernel of {kernel}");
    }
    for suite in ["bookworm", "trixie"] {
        assert!(!work.inputs.efi[suite].is_empty(), "{suite}");
    }
}
