//! What stub, loader and kernel measure.

use std::path::PathBuf;

use crate::bench::Bench;

pub(crate) fn plain(bench: &Bench) -> Vec<(&'static str, PathBuf)> {
    vec![(
        "--cmdline=@",
        bench.file("cmdline", b"console=ttyS0 panic=-1 oops=panic\n"),
    )]
}

/// Every section that may stand in a UKI of one profile.
fn rich(bench: &Bench) -> Vec<(&'static str, PathBuf)> {
    let mut options = plain(bench);
    // An empty cpio archive: the kernel passes microcode that is none of its processor's over.
    let trailer = format!("070701{}0000000b00000000TRAILER!!!\0\0\0\0", "0".repeat(88));
    options.push((
        "--os-release=@",
        bench.file("os-release", b"ID=touchstone\nNAME=T\n"),
    ));
    options.push(("--microcode=", bench.file("microcode", trailer.as_bytes())));
    options.push((
        "--section=.pcrpkey:@",
        bench.file("key.pem", b"a public key\n"),
    ));
    options.push(("--section=.pcrsig:@", bench.file("signature.json", b"{}\n")));
    options
}

#[test]
fn boots_252_with_secure_boot() {
    let bench = Bench::new();
    bench.compare("bookworm", true, &bench.uki("bookworm", &plain(&bench)));
}

#[test]
fn boots_252_without_secure_boot() {
    let bench = Bench::new();
    bench.compare("bookworm", false, &bench.uki("bookworm", &plain(&bench)));
}

#[test]
fn boots_257_with_secure_boot_and_every_section() {
    let bench = Bench::new();
    bench.compare("trixie", true, &bench.uki("trixie", &rich(&bench)));
}

#[test]
fn boots_257_without_secure_boot() {
    let bench = Bench::new();
    bench.compare("trixie", false, &bench.uki("trixie", &plain(&bench)));
}

#[test]
fn boots_262_with_secure_boot_and_every_section() {
    let bench = Bench::new();
    bench.compare("sid", true, &bench.uki("sid", &rich(&bench)));
}

#[test]
fn boots_262_without_secure_boot() {
    let bench = Bench::new();
    bench.compare("sid", false, &bench.uki("sid", &plain(&bench)));
}
