//! What people read when a request is wrong: `messages/NAME.nix` says `messages/NAME.txt`, word for word.
//!
//! With `TOUCHSTONE_REWRITE_MESSAGES=1` in the environment the texts are written anew; then read what `git diff` shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{Desk, bootspec};

const REWRITE: &str = "TOUCHSTONE_REWRITE_MESSAGES";

/// A first line with arguments of Nix beside the expression.
const ARGUMENTS: &str = "# arguments: ";

#[test]
fn a_wrong_argument_is_named_with_what_was_expected() {
    let desk = desk();
    let expressions = expressions();
    assert!(expressions.len() > 70, "{} expressions", expressions.len());
    let mut wrong = Vec::new();
    for expression in expressions {
        let said = said(&desk, &expression);
        let golden = expression.with_extension("txt");
        if std::env::var_os(REWRITE).is_some() {
            fs::write(&golden, said).unwrap();
        } else if fs::read_to_string(&golden).ok().as_deref() != Some(said.as_str()) {
            wrong.push(format!("── {} is not:\n{said}", golden.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\n{REWRITE}=1 writes them anew",
        wrong.join("\n")
    );
}

/// No text without an expression, and no text twice: two mistakes must not be told in the same words.
#[test]
fn every_message_belongs_to_one_mistake() {
    let mut texts: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("nix").exists(), "{}", path.display());
        if path.extension().is_some_and(|extension| extension == "txt") {
            let text = fs::read_to_string(&path).unwrap();
            texts.entry(text).or_default().push(path);
        }
    }
    texts.retain(|_, paths| paths.len() > 1);
    assert_eq!(texts, BTreeMap::new());
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages")
}

fn expressions() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "nix"));
    paths.sort();
    paths
}

/// The message, without what changes from run to run and from kernel to kernel.
fn said(desk: &Desk, expression: &Path) -> String {
    let text = fs::read_to_string(expression).unwrap();
    let arguments = text
        .lines()
        .next()
        .and_then(|line| line.strip_prefix(ARGUMENTS));
    let arguments: Vec<&str> = arguments.unwrap_or_default().split_whitespace().collect();
    let message = desk.evaluate_with(&arguments, &text).refusal();
    without_hashes(&message)
}

/// Hashes of store paths depend on the files of Debian's packages.
fn without_hashes(text: &str) -> String {
    let mut parts = text.split("/nix/store/");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let hash = part.find('-').filter(|length| *length == 32);
        whole.push_str("/nix/store/");
        whole.push_str(if hash.is_some() { "HASH" } else { "" });
        whole.push_str(&part[hash.unwrap_or(0)..]);
    }
    whole
}

fn desk() -> Desk {
    let desk = Desk::new();
    desk.copy(&desk.inputs.stub["trixie"]["x64"], "stub.efi");
    desk.write("latin1", b"caf\xe9");
    desk.write("latin1.json", b"{ \"operation\": \"caf\xe9\" }");
    desk.write("text", "a text\n");
    desk.write("folder/file", "a file\n");
    desk.write("nul.json", bootspec(r#""x": "a\u0000b""#));
    desk.write("nul-name.json", bootspec(r#""a\u0000b": 1"#));
    desk.write("large.json", bootspec(r#""x": 18446744073709551615"#));
    desk
}
