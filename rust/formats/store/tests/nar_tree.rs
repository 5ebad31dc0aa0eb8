//! NARs of whole trees, against a writer that is as simple as the format.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use touchstone_store::nar::archive_path;

/// What a store path may hold.
#[derive(Debug, Clone)]
enum Tree {
    File(bool, Vec<u8>),
    Link(String),
    Folder(BTreeMap<String, Tree>),
}

impl Tree {
    fn make(&self, at: &Path) {
        match self {
            Tree::File(executable, content) => {
                fs::write(at, content).unwrap();
                let mode = if *executable { 0o555 } else { 0o444 };
                fs::set_permissions(at, fs::Permissions::from_mode(mode)).unwrap();
            }
            Tree::Link(target) => symlink(target, at).unwrap(),
            Tree::Folder(entries) => {
                fs::create_dir(at).unwrap();
                for (name, entry) in entries {
                    entry.make(&at.join(name));
                }
            }
        }
    }

    fn nar(&self, out: &mut Vec<u8>) {
        string(out, b"(");
        string(out, b"type");
        match self {
            Tree::File(executable, content) => {
                string(out, b"regular");
                if *executable {
                    string(out, b"executable");
                    string(out, b"");
                }
                string(out, b"contents");
                string(out, content);
            }
            Tree::Link(target) => {
                string(out, b"symlink");
                string(out, b"target");
                string(out, target.as_bytes());
            }
            Tree::Folder(entries) => {
                string(out, b"directory");
                for (name, entry) in entries {
                    string(out, b"entry");
                    string(out, b"(");
                    string(out, b"name");
                    string(out, name.as_bytes());
                    string(out, b"node");
                    entry.nar(out);
                    string(out, b")");
                }
            }
        }
        string(out, b")");
    }
}

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(8), 0);
}

fn agree(tree: &Tree) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("tree");
    tree.make(&at);
    let mut expected = Vec::new();
    string(&mut expected, b"nix-archive-1");
    tree.nar(&mut expected);
    let mut written = Vec::new();
    let digest = archive_path(&at, &mut written).unwrap();
    assert!(written == expected, "{tree:?}");
    assert_eq!(digest.size, expected.len() as u64);
}

/// Names that begin alike, and that sort otherwise than their lengths.
fn name() -> impl Strategy<Value = String> {
    "[a-c.][a-c.\u{e9}-]{0,3}".prop_filter("no name", |name| name != "." && name != "..")
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => (any::<bool>(), vec(any::<u8>(), 0..40)).prop_map(|(x, bytes)| Tree::File(x, bytes)),
        1 => "[a-z/.]{1,20}".prop_map(Tree::Link),
    ];
    leaf.prop_recursive(5, 200, 30, |inner| {
        btree_map(name(), inner, 0..30).prop_map(Tree::Folder)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_tree_of_any_shape_has_the_nar_that_the_format_says(tree in tree()) {
        agree(&tree);
    }
}

#[test]
fn files_of_every_length_around_that_of_the_buffer_are_read_whole() {
    const BUFFER: usize = 128 * 1024;
    let lengths = [0, 1, 7, 8, 32_767, 32_768, 32_769]
        .into_iter()
        .chain((BUFFER - 400..BUFFER + 8).step_by(3))
        .chain([2 * BUFFER - 1, 2 * BUFFER, 2 * BUFFER + 1, 5 * BUFFER]);
    let file = |(number, length): (usize, usize)| {
        let content = vec![number as u8; length];
        (format!("{number:04}"), Tree::File(false, content))
    };
    agree(&Tree::Folder(lengths.enumerate().map(file).collect()));
}

#[test]
fn folders_among_many_files_are_come_back_from() {
    let file = |number: usize| Tree::File(number.is_multiple_of(2), vec![1; number]);
    let entry = |number: usize| {
        let inner = (0..20).map(|inner| (inner.to_string(), file(inner)));
        let tree = match number % 7 {
            3 => Tree::Folder(inner.collect()),
            5 => Tree::Link("elsewhere".to_owned()),
            _ => file(number),
        };
        (format!("{number:03}"), tree)
    };
    agree(&Tree::Folder((0..200).map(entry).collect()));
}
