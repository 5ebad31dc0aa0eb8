//! Who needs a key: nobody who builds, and nobody who boots.

use std::fs;
use std::path::Path;

use data_encoding::BASE64;
use touchstone_harness::nix::output;

use super::Sealed;
use crate::real_nix::{RealNix, tree};
use crate::support::assert_same_bytes;

#[test]
fn no_key_and_no_tool_is_in_the_closure() {
    let sealed = Sealed::build();
    let mut paths: Vec<String> = Vec::new();
    let needles = secrets(&sealed.nix);
    for entry in sealed.nix.closure(&sealed.generation) {
        let path = entry["path"].as_str().unwrap();
        for (file, content) in tree(&sealed.on_host(path)) {
            for (name, secret) in &needles {
                let found = content.windows(secret.len()).any(|window| window == secret);
                assert!(!found, "{name} is in {path}/{}", file.display());
            }
        }
        paths.push(path.split_once('-').unwrap().1.to_owned());
    }
    paths.sort();
    let wanted = [
        "initrd-2",
        "initrd-2-rescue",
        "linux.efi",
        "recorders",
        "touchstone-probe",
        "touchstone-system-2",
        "touchstone-system-2-rescue",
        "touchstone-system-2-rescue-sealed",
        "touchstone-system-2-sealed",
    ];
    assert_eq!(paths, wanted);
}

/// Pieces of each private key that was used: of its file, and of the bytes that the file holds in base 64.
fn secrets(nix: &RealNix) -> Vec<(String, Vec<u8>)> {
    let mut pieces = Vec::new();
    for name in ["db.key", "nix.secret"] {
        let text = String::from_utf8(nix.work.read(&format!("keys/{name}"))).unwrap();
        let body = match text.split_once(':') {
            Some((_, body)) => body.to_owned(),
            None => text
                .lines()
                .filter(|line| !line.starts_with("--"))
                .collect(),
        };
        let middle = |bytes: &[u8]| {
            let from = bytes.len() / 2;
            bytes[from..from + 24].to_vec()
        };
        pieces.push((format!("the text of {name}"), middle(body.as_bytes())));
        let decoded = BASE64.decode(body.trim().as_bytes()).unwrap();
        pieces.push((format!("the key in {name}"), middle(&decoded)));
    }
    pieces
}

#[test]
fn it_is_built_from_signatures_that_were_made_elsewhere_where_no_key_is() {
    let sealed = Sealed::build();
    let nix = &sealed.nix;
    let without_keys = || nix.expressions_alone();
    let requests = nix.build_by("keyless", without_keys(), &["signingRequests"]);
    let requests = nix.store("keyless").on_host(&requests[0]);
    // One for each image: two UKIs and the loader that both share.
    assert_eq!(fs::read_dir(&requests).unwrap().count(), 3);
    let requests = requests.to_str().unwrap();
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    let sign = ["boot", "sign", requests, "--output", "signatures"];
    nix.work.done([&sign[..], &key[..]].concat());
    let attributes = ["fromSignatures.generation2", "fromSignatures.rescue"];
    let built = nix.build_by("keyless", without_keys(), &attributes);
    for (built, by_key) in built.iter().zip([&sealed.generation, &sealed.rescue]) {
        let built = nix.store("keyless").on_host(built);
        for image in ["uki.efi", "loader.efi", "pcrs.json"] {
            let name = Path::new("touchstone").join(image);
            let [ours, theirs] = [&built, &sealed.on_host(by_key)]
                .map(|folder| fs::read(folder.join(&name)).unwrap());
            assert_same_bytes(image, &ours, &theirs);
        }
    }
}

/// The public key that the host trusts, as Nix writes it.
fn trusted(nix: &RealNix) -> String {
    let key = String::from_utf8(nix.work.read("keys/nix.public")).unwrap();
    key.trim().to_owned()
}

/// Copies the generation through the binary cache `cache` to the store `host`, which asks for signatures.
fn take_over(sealed: &Sealed, cache: &str) -> anyhow::Result<()> {
    let nix = &sealed.nix;
    let folder = nix.work.path(cache);
    let cache = format!("file://{}?compression=none", folder.display());
    let mut copy = nix.store("store").command("nix")?;
    copy.args(["copy", "--to", &cache, &sealed.generation]);
    output(copy)?;
    let mut copy = nix.store("host").command("nix")?;
    copy.args(["copy", "--from", &cache, &sealed.generation]);
    copy.args(["--option", "require-sigs", "true"]);
    copy.args(["--option", "trusted-public-keys", &trusted(nix)]);
    output(copy).map(drop)
}

/// Signs the generation's closure as Nix does.
fn sign(sealed: &Sealed) {
    let nix = &sealed.nix;
    let mut sign = nix.store("store").command("nix").unwrap();
    sign.args(["store", "sign", "--recursive", "--key-file"]);
    sign.arg(nix.work.path("keys/nix.secret"));
    output({
        sign.arg(&sealed.generation);
        sign
    })
    .unwrap();
}

#[test]
fn a_host_takes_a_signed_generation_and_no_other() {
    let sealed = Sealed::build();
    let refused = take_over(&sealed, "unsigned").unwrap_err();
    let fact = "lacks a signature by a trusted key";
    assert!(format!("{refused:#}").contains(fact), "{refused:#}");
    sign(&sealed);
    take_over(&sealed, "signed").unwrap();
    let nix = &sealed.nix;
    let mut verify = nix.store("host").command("nix").unwrap();
    verify.args(["store", "verify", "--recursive", &sealed.generation]);
    verify.args(["--sigs-needed", "1"]);
    verify.args(["--trusted-public-keys", &trusted(nix)]);
    output(verify).unwrap();
}

#[test]
fn a_host_without_keys_has_all_that_it_needs() {
    let sealed = Sealed::build();
    sign(&sealed);
    take_over(&sealed, "signed").unwrap();
    let nix = &sealed.nix;
    // Firmware with our db starts every image, and what the documents say is there.
    let program = nix.work.path("touchstone/bin/touchstone");
    let mut verify = nix.beside_store("host", program.to_str().unwrap());
    verify.args(["boot", "verify", "--db", "keys/db.esl"]);
    verify.args(["--trusted-key", &trusted(nix), &sealed.generation]);
    output(verify).unwrap();
    // What the launchers start is there, too.
    for below in ["", "/specialisation/rescue"] {
        let program = format!("{}{below}/bin/switch-to-configuration", sealed.generation);
        let mut switch = nix.beside_store("host", &program);
        switch.arg("boot");
        let called = output(switch).unwrap();
        assert!(called.contains("install-boot-loader"), "{called}");
    }
}
