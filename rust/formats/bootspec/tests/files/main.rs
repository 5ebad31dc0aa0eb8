//! The documents in `tests/documents`: which are read, which are refused and why, and what others say about them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

mod cue;
mod peer;
mod schema;
mod table;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use table::{BAD, GOOD};
use touchstone_bootspec::{Additions, Document, Extension, SecretsProgram, upgrade};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents")
}

/// The bytes of the file `kind/name.json`.
fn bytes(kind: &str, name: &str) -> Vec<u8> {
    fs::read(folder().join(kind).join(format!("{name}.json"))).unwrap()
}

fn good(name: &str) -> Document {
    Document::read(&bytes("good", name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_file_is_in_the_table_and_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for (kind, names) in [
        ("good", GOOD.to_vec()),
        ("bad", BAD.map(|(name, _)| name).to_vec()),
    ] {
        let there = fs::read_dir(folder().join(kind)).unwrap();
        let there: BTreeSet<String> = there
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let listed = names.iter().map(|name| format!("{name}.json")).collect();
        assert_eq!(there, listed);
        for name in names {
            assert!(
                readme.contains(&format!("| `{name}` |")),
                "{name} is not in the README"
            );
        }
    }
}

#[test]
fn reads_the_good_ones_and_writes_them_so_that_they_are_the_same() {
    for name in GOOD {
        let document = good(name);
        let written = document.to_json();
        let again = Document::read(written.as_bytes()).unwrap();
        assert_eq!(again, document, "{name}");
        assert_eq!(again.to_json(), written, "{name}");
    }
}

#[test]
fn refuses_the_bad_ones_with_the_reason() {
    for (name, why) in BAD {
        let error = Document::read(&bytes("bad", name)).unwrap_err();
        assert_eq!(error.to_string(), why, "{name}");
    }
}

#[test]
fn keeps_every_extension_to_the_byte() {
    let before = String::from_utf8(bytes("good", "extensions-to-the-byte")).unwrap();
    let after = good("extensions-to-the-byte").to_json();
    for (name, text) in good("extensions-to-the-byte").extensions {
        assert!(before.contains(&*text.text()), "{name}");
        assert!(
            after.contains(&format!("\"{name}\": {}", text.text())),
            "{name}"
        );
    }
    let empty = good("extensions-to-the-byte");
    let empty = empty
        .extensions
        .get("org.example.empty")
        .map(Extension::text);
    assert_eq!(empty.as_deref(), Some("{  }"));
}

#[test]
fn upgrades_every_v1_and_keeps_what_it_says() {
    for name in GOOD {
        let document = good(name);
        let upgraded = upgrade(
            document.clone(),
            Additions::default(),
            SecretsProgram::AppendsNothing,
        );
        let upgraded = upgraded.unwrap();
        assert_eq!(upgraded.extensions, document.extensions, "{name}");
        assert!(upgraded.v2.is_some(), "{name}");
        let cores = |document: &Document| document.v1.clone().map(|v1| v1.core);
        assert_eq!(cores(&upgraded), cores(&document), "{name}");
    }
}
