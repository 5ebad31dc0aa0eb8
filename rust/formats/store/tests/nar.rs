//! NAR hashing against archives that were put together by hand.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use touchstone_store::nar::{MAX_DEPTH, NarError, archive_path, hash_path};

/// A NAR by hand: each item as a string with its length and padding.
fn nar(items: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for item in items {
        bytes.extend((item.len() as u64).to_le_bytes());
        bytes.extend(*item);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

fn written(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let length = archive_path(path, &mut bytes).unwrap().size;
    assert_eq!(length, bytes.len() as u64);
    bytes
}

#[test]
fn writes_a_regular_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "hello").unwrap();
    let expected = nar(&[
        b"nix-archive-1",
        b"(",
        b"type",
        b"regular",
        b"contents",
        b"hello",
        b")",
    ]);
    assert_eq!(written(&file), expected);
}

#[test]
fn marks_a_file_that_its_owner_may_run() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o500)).unwrap();
    let expected: [&[u8]; 9] = [
        b"nix-archive-1",
        b"(",
        b"type",
        b"regular",
        b"executable",
        b"",
        b"contents",
        b"",
        b")",
    ];
    assert_eq!(written(&file), nar(&expected));
    // Others' permission to run it does not count.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o455)).unwrap();
    assert_eq!(
        written(&file).len(),
        nar(&expected).len() - nar(&[b"executable", b""]).len()
    );
}

#[test]
fn takes_a_link_as_a_link_even_at_the_root() {
    let folder = tempfile::tempdir().unwrap();
    let link = folder.path().join("link");
    symlink("no/such/target", &link).unwrap();
    let expected: [&[u8]; 7] = [
        b"nix-archive-1",
        b"(",
        b"type",
        b"symlink",
        b"target",
        b"no/such/target",
        b")",
    ];
    assert_eq!(written(&link), nar(&expected));
}

#[test]
fn orders_names_by_bytes_and_keeps_names_that_are_no_utf8() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().unwrap();
    let names: [&[u8]; 5] = [b".z", b"A", b"a", b"a b", b"\xff"];
    for name in names.iter().rev() {
        symlink("t", folder.path().join(std::ffi::OsStr::from_bytes(name))).unwrap();
    }
    let mut expected = nar(&[b"nix-archive-1", b"(", b"type", b"directory"]);
    for name in names {
        let link: [&[u8]; 6] = [b"(", b"type", b"symlink", b"target", b"t", b")"];
        expected.extend(nar(&[b"entry", b"(", b"name", name, b"node"]));
        expected.extend(nar(&link));
        expected.extend(nar(&[b")"]));
    }
    expected.extend(nar(&[b")"]));
    assert_eq!(written(folder.path()), expected);
}

#[test]
fn nests_directories_and_keeps_empty_ones() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("a/b")).unwrap();
    fs::write(folder.path().join("c"), "x").unwrap();
    let expected: [&[u8]; 37] = [
        b"nix-archive-1",
        b"(",
        b"type",
        b"directory",
        b"entry",
        b"(",
        b"name",
        b"a",
        b"node",
        b"(",
        b"type",
        b"directory",
        b"entry",
        b"(",
        b"name",
        b"b",
        b"node",
        b"(",
        b"type",
        b"directory",
        b")",
        b")",
        b")",
        b")",
        b"entry",
        b"(",
        b"name",
        b"c",
        b"node",
        b"(",
        b"type",
        b"regular",
        b"contents",
        b"x",
        b")",
        b")",
        b")",
    ];
    assert_eq!(written(folder.path()), nar(&expected));
}

#[test]
fn refuses_a_socket_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let error = hash_path(folder.path()).unwrap_err();
    assert!(
        matches!(&error, NarError::Kind { path, kind: "socket" } if *path == socket),
        "{error}"
    );
}

#[test]
fn refuses_a_fifo_without_waiting_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        0o600.into(),
        0,
    )
    .unwrap();
    assert!(matches!(
        hash_path(&fifo),
        Err(NarError::Kind { kind: "FIFO", .. })
    ));
}

#[test]
fn says_which_path_is_missing() {
    let error = hash_path(Path::new("/nix/store/missing")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nix/store/missing cannot be read:"),
        "{error}"
    );
}

#[test]
fn refuses_a_tree_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let deep = |levels: usize| folder.path().join(vec!["d"; levels].join("/"));
    fs::create_dir_all(deep(MAX_DEPTH - 1)).unwrap();
    assert!(hash_path(folder.path()).is_ok());
    fs::create_dir_all(deep(MAX_DEPTH)).unwrap();
    assert!(matches!(
        hash_path(folder.path()),
        Err(NarError::TooDeep { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hashes_what_it_writes(contents in proptest::collection::vec(any::<u8>(), 0..300_000)) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, &contents).unwrap();
        let bytes = written(&file);
        prop_assert_eq!(&bytes, &nar(&[b"nix-archive-1", b"(", b"type", b"regular", b"contents", &contents, b")"]));
        let digest = hash_path(&file).unwrap();
        prop_assert_eq!(digest.size, bytes.len() as u64);
        prop_assert_eq!(&digest.hash.bytes()[..], &Sha256::digest(&bytes)[..]);
    }
}
