//! What distributions ship, under the certificates of those who signed it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;
use touchstone_harness::nix::output;

use super::verify;
use crate::support::Work;

/// Where virt-firmware keeps Microsoft's certificates in the root.
const MICROSOFT: &str = "usr/lib/python3/dist-packages/virt/firmware/certs";

/// The certificate that Debian's shim has in its section `.vendor_cert`: four numbers (sizes of two lists, and their places in the
/// section), then the certificate.
fn debian(work: &Work) -> PathBuf {
    let shims = work.inputs.efi.values().flatten();
    let mut shims = shims.filter(|file| file.ends_with("usr/lib/shim/shimx64.efi.signed"));
    let shim = shims.next().unwrap();
    let inspect = ["uki", "inspect", "--json"].map(Path::new);
    let image = work.json(inspect.into_iter().chain([shim.as_path()]));
    let sections = image["sections"].as_array().unwrap().iter();
    let mut sections = sections.filter(|section| section["longName"] == ".vendor_cert");
    let section = sections.next().unwrap();
    let offset = usize::try_from(section["offset"].as_u64().unwrap()).unwrap();
    let bytes = std::fs::read(shim).unwrap();
    let number = |at: usize| {
        let at = offset + at;
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
    };
    let place = offset + number(8);
    work.write("debian.der", &bytes[place..place + number(0)]);
    work.debian(
        "openssl",
        &["x509", "-in", "debian.der", "-out", "debian.pem"],
    );
    work.path("debian.pem")
}

/// Every signed program and kernel.
fn signed(work: &Work) -> Vec<PathBuf> {
    let kernels = work.inputs.kernel.values().map(|kernel| &kernel.vmlinuz);
    let programs = work.inputs.efi.values().flatten();
    let signed = programs.filter(|file| file.extension().is_some_and(|end| end == "signed"));
    let all: BTreeSet<&PathBuf> = kernels.chain(signed).collect();
    all.into_iter().cloned().collect()
}

/// Whether sbverify accepts each file under each certificate, in one visit.
fn sbverify(work: &Work, certificates: &[PathBuf], files: &[PathBuf]) -> Vec<bool> {
    let cache = work.inputs.roots.trixie.ancestors().nth(3).unwrap();
    let visit = work.inside(work.inputs.trixie().visit());
    let mut command = visit.show(cache.join("packages")).command("sh").unwrap();
    let script = "while read -r certificate file; do sbverify --cert \"$certificate\" \"$file\" > /dev/null 2>&1; echo $?; done < pairs";
    let pairs = files.iter().flat_map(|file| {
        let pair =
            |certificate: &PathBuf| format!("{} {}\n", certificate.display(), file.display());
        certificates.iter().map(pair).collect::<Vec<_>>()
    });
    work.write("pairs", pairs.collect::<String>());
    command.args(["-c", script]);
    let printed = output(command).unwrap();
    printed.lines().map(|status| status == "0").collect()
}

#[test]
fn what_debian_and_microsoft_signed_boots_under_their_certificates() {
    let work = Work::new();
    let microsoft = ["MicrosoftCorporationUEFICA2011", "MicrosoftUEFICA2023"].map(|name| {
        let from = work
            .inputs
            .roots
            .trixie
            .join(MICROSOFT)
            .join(format!("{name}.pem"));
        std::fs::copy(from, work.path(&format!("{name}.pem"))).unwrap();
        work.path(&format!("{name}.pem"))
    });
    let certificates = [&[debian(&work)][..], &microsoft].concat();
    let files = signed(&work);
    let mut ours = Vec::new();
    for file in &files {
        let mut anybody = 0;
        for certificate in &certificates {
            let answer = verify(&work, &["--certificate"], &[certificate, file]);
            anybody += usize::from(answer["boots"] == true);
            ours.push(answer["boots"] == true);
        }
        let expected = if is_shim(file) { 1..=2 } else { 1..=1 };
        assert!(expected.contains(&anybody), "{}: {anybody}", file.display());
    }
    let theirs = sbverify(&work, &certificates, &files);
    assert_eq!(ours, theirs);
    assert!(files.len() >= 30, "{}", files.len());
    println!(
        "{} files, {} verdicts, all as sbverify's",
        files.len(),
        ours.len()
    );
}

fn is_shim(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name.starts_with("shim")
}

/// The lists that Debian's firmware package would enrol hold Microsoft's certificates; here they are made with virt-firmware.
#[test]
fn a_dbx_of_microsoft_s_forbids_what_its_certificate_signed() {
    let work = Work::new();
    let mut shims = signed(&work).into_iter().filter(|file| is_shim(file));
    let shim = shims.next_back().unwrap();
    let folder = Path::new("/").join(MICROSOFT);
    let list = |name: &str, certificate: &str| {
        let file = folder.join(certificate);
        let owner = "77fa9abd-0359-4d32-bd60-28f4e78f784b";
        let words = [
            "--add-cert",
            owner,
            file.to_str().unwrap(),
            "--output",
            name,
        ];
        let made = work.debian("virt-fw-sigdb", &words);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    };
    list("2011.esl", "MicrosoftCorporationUEFICA2011.pem");
    list("2023.esl", "MicrosoftUEFICA2023.pem");
    let both = [work.read("2011.esl"), work.read("2023.esl")].concat();
    work.write("both.esl", both);
    let ask = |words: &[&str]| -> Value { verify(&work, words, &[&shim]) };
    assert_eq!(ask(&["--db", "both.esl"])["boots"], true);
    let forbidden = ask(&["--db", "both.esl", "--dbx", "2011.esl"]);
    assert_eq!(forbidden["reasons"][0]["rule"], "certificate-in-dbx");
    assert_eq!(forbidden["boots"], false);
}
