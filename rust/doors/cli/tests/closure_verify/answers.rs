//! What the commands say, on a small store that real Nix made.

use std::fs;
use std::process::Output;

use touchstone_harness::closure::{Closure, Size};

use super::damage::changed;
use crate::support::Work;

struct Signed {
    work: Work,
    closure: Closure,
    key: String,
}

impl Signed {
    fn new() -> Signed {
        let work = Work::new();
        let closure = Closure::build(&work.inputs, work.folder(), Size::SMALL).unwrap();
        let key = closure.key("one", "touchstone-test-one").unwrap();
        closure.sign("one", &closure.paths().unwrap()).unwrap();
        Signed { work, closure, key }
    }

    fn run(&self, word: &str, words: &[&str]) -> Output {
        let fixed = ["closure", word, "--root", "root", &self.closure.toplevel];
        self.work.touchstone([&fixed, words].concat())
    }

    fn verify(&self, words: &[&str]) -> Output {
        let key = ["--trusted-public-key", &self.key];
        self.run("verify", &[&key, words].concat())
    }

    /// What a verdict says, which must be a negative one.
    fn refused(&self, words: &[&str]) -> String {
        let output = self.verify(words);
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a failure says.
    fn failed(&self, word: &str, words: &[&str]) -> String {
        let output = self.run(word, words);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

#[test]
fn signatures_are_found_in_each_place() {
    let signed = Signed::new();
    let copied = {
        let mut command = signed.closure.command("nix").unwrap();
        let cache = format!("file://{}", signed.work.path("cache").display());
        command.args(["--quiet", "copy", "--to", &cache, &signed.closure.toplevel]);
        command.output().unwrap()
    };
    assert!(copied.status.success(), "{copied:?}");
    let listed = signed.run("manifest", &["--output", "manifest"]);
    assert!(listed.status.success(), "{listed:?}");
    let database = signed.closure.database();
    for words in [
        &[][..],
        &["--nix-database", database.to_str().unwrap()],
        &["--signatures", "cache"],
        &["--manifest", "manifest"],
    ] {
        let output = signed.verify(words);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains("are signed, and what was signed"), "{said}");
    }
    // A database that is somewhere else says nothing of this closure.
    let said = signed.failed("manifest", &["--signatures", "root", "--output", "none"]);
    assert!(said.contains("nothing is known of"), "{said}");
    assert!(!signed.work.path("none").exists());
}

#[test]
fn what_is_not_what_was_signed_is_named() {
    let signed = Signed::new();
    let path = signed.closure.paths().unwrap();
    let path = path
        .iter()
        .find(|path| path.ends_with("many-0-o1"))
        .unwrap();
    changed(
        &signed.closure.on_host(path).join("share/library"),
        |bytes| bytes[3] ^= 1,
    );
    let said = signed.refused(&[]);
    assert!(
        said.contains(path) && said.contains("is not what was signed"),
        "{said}"
    );
    assert!(said.contains("not verified: 1 of"), "{said}");
    for word in ["sign", "manifest"] {
        let words = ["--key", "one.secret"];
        let words = if word == "sign" { &words[..] } else { &[] };
        let said = signed.failed(word, &[words, &["--output", "none"]].concat());
        assert!(said.contains(path), "{said}");
        assert!(!signed.work.path("none").exists(), "{word}");
    }
}

#[test]
fn what_nobody_signed_is_named() {
    let signed = Signed::new();
    let other = signed
        .closure
        .key("other", "touchstone-test-other")
        .unwrap();
    let output = signed.run("verify", &["--trusted-public-key", &other]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("0 good signatures by trusted keys where 1 are needed"),
        "{said}"
    );
    assert!(said.contains(&signed.closure.toplevel), "{said}");
    // Now it is signed by both.
    let output = signed.run("sign", &["--key", "other.secret", "--output", "signed"]);
    assert!(output.status.success(), "{output:?}");
    let words = [
        "--trusted-public-key",
        &other,
        "--sigs-needed",
        "2",
        "--manifest",
        "signed",
    ];
    assert_eq!(signed.verify(&words).status.code(), Some(0));
}

#[test]
fn what_cannot_be_decided_is_a_failure_and_no_verdict() {
    let signed = Signed::new();
    let said = signed.failed(
        "verify",
        &["--trusted-public-key", &signed.key, "--sigs-needed", "0"],
    );
    assert!(said.contains("sigsNeeded is 0"), "{said}");
    fs::write(signed.work.path("database"), "SQLite format 2").unwrap();
    let words = [
        "--trusted-public-key",
        &signed.key,
        "--nix-database",
        "database",
    ];
    let said = signed.failed("verify", &words);
    assert!(said.contains("[input.nix-database]"), "{said}");
    fs::create_dir_all(signed.work.path("root/nix/var/touchstone/valid")).unwrap();
    let said = signed.failed("verify", &["--trusted-public-key", &signed.key]);
    assert!(said.contains("there are both"), "{said}");
}

#[test]
fn a_manifest_for_other_machines_is_refused() {
    let signed = Signed::new();
    let words = [
        "--key",
        "one.secret",
        "--class",
        "kiosk",
        "--output",
        "signed",
    ];
    assert!(signed.run("sign", &words).status.success());
    let verify = |class: &str| signed.verify(&["--manifest", "signed", "--class", class]);
    assert_eq!(verify("kiosk").status.code(), Some(0));
    let said = signed.refused(&["--manifest", "signed", "--class", "server"]);
    assert!(said.contains("kiosk") && said.contains("server"), "{said}");
    // A class is of a manifest.
    assert_eq!(signed.verify(&["--class", "kiosk"]).status.code(), Some(2));
}
