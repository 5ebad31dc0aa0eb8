//! Reading archives: what was written is read, everything else is refused by name.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::convert::Infallible;
use std::fs;

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use touchstone_store::nar::{Ignore, MAX_DEPTH, ReadError, Sink, archive_path, hash_path, read};

/// What was told, a line each.
#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    type Error = Infallible;
    fn file(&mut self, executable: bool, size: u64) -> Result<(), Infallible> {
        let kind = if executable { "program" } else { "file" };
        self.0.push(format!("{kind} of {size}"));
        Ok(())
    }
    fn data(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.push(String::from_utf8_lossy(bytes).into_owned());
        Ok(())
    }
    fn file_end(&mut self) -> Result<(), Infallible> {
        self.0.push("end of file".to_owned());
        Ok(())
    }
    fn link(&mut self, target: &[u8]) -> Result<(), Infallible> {
        let target = String::from_utf8_lossy(target);
        self.0.push(format!("link to {target}"));
        Ok(())
    }
    fn folder(&mut self) -> Result<(), Infallible> {
        self.0.push("folder".to_owned());
        Ok(())
    }
    fn name(&mut self, name: &[u8]) -> Result<(), Infallible> {
        let name = String::from_utf8_lossy(name);
        self.0.push(format!("name {name}"));
        Ok(())
    }
    fn folder_end(&mut self) -> Result<(), Infallible> {
        self.0.push("end of folder".to_owned());
        Ok(())
    }
}

/// An archive by hand: strings with a length and padding.
fn nar(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words {
        bytes.extend((word.len() as u64).to_le_bytes());
        bytes.extend(*word);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
    }
    bytes
}

/// A folder whose entries are links to `t` with these names.
fn links(names: &[&[u8]]) -> Vec<u8> {
    let mut bytes = nar(&[b"nix-archive-1", b"(", b"type", b"directory"]);
    for name in names {
        bytes.extend(nar(&[b"entry", b"(", b"name", name, b"node"]));
        let link: [&[u8]; 6] = [b"(", b"type", b"symlink", b"target", b"t", b")"];
        bytes.extend(nar(&link));
        bytes.extend(nar(&[b")"]));
    }
    bytes.extend(nar(&[b")"]));
    bytes
}

fn refused(bytes: &[u8]) -> ReadError<Infallible> {
    read(bytes, u64::MAX, &mut Ignore).unwrap_err()
}

fn tree() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir_all(at("a/b")).unwrap();
    fs::write(at("a/c"), "text").unwrap();
    fs::write(at("d"), vec![b'x'; 300_000]).unwrap();
    std::os::unix::fs::symlink("a/c", at("e")).unwrap();
    let program = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(at("a/c"), program).unwrap();
    folder
}

#[test]
fn tells_what_was_written_and_hashes_it() {
    let folder = tree();
    let mut bytes = Vec::new();
    archive_path(folder.path(), &mut bytes).unwrap();
    let digest = hash_path(folder.path()).unwrap();
    let length = bytes.len() as u64;
    bytes.extend(b"what follows is not read");
    let mut told = Told::default();
    assert_eq!(read(&bytes[..], length, &mut told).unwrap(), digest);
    let big = "x".repeat(128 * 1024);
    let rest = "x".repeat(300_000 - 2 * 128 * 1024);
    let expected = [
        "folder",
        "name a",
        "folder",
        "name b",
        "folder",
        "end of folder",
        "name c",
        "program of 4",
        "text",
        "end of file",
        "end of folder",
        "name d",
        "file of 300000",
        &big,
        &big,
        &rest,
        "end of file",
        "name e",
        "link to a/c",
        "end of folder",
    ];
    assert_eq!(told.0, expected);
}

#[test]
fn a_name_that_would_leave_the_folder_is_refused() {
    for name in [&b"/"[..], b"a/b", b"..", b".", b"", b"a\0b", b"/etc"] {
        let error = refused(&links(&[name]));
        assert!(
            matches!(&error, ReadError::Name { why, .. } if *why == "is no name of a file"),
            "{error}"
        );
    }
    for name in [&b"..."[..], b"..a", b"\xff", b"a b"] {
        assert!(read(&links(&[name])[..], 10_000, &mut Ignore).is_ok());
    }
    let long = refused(&links(&[&[b'a'; 256]]));
    assert!(matches!(long, ReadError::Unexpected { .. }), "{long}");
}

#[test]
fn names_that_come_twice_or_out_of_order_are_refused() {
    assert!(read(&links(&[b"a", b"b"])[..], 10_000, &mut Ignore).is_ok());
    for names in [[b"a", b"a"], [b"b", b"a"]] {
        let error = refused(&links(&[names[0], names[1]]));
        assert!(
            matches!(&error, ReadError::Name { name, .. } if name == "a"),
            "{error}"
        );
    }
}

#[test]
fn links_to_nothing_are_refused() {
    for target in [&b""[..], b"a\0b"] {
        let head: [&[u8]; 6] = [
            b"nix-archive-1",
            b"(",
            b"type",
            b"symlink",
            b"target",
            target,
        ];
        let error = refused(&nar(&head));
        assert!(matches!(error, ReadError::Name { .. }), "{error}");
    }
}

#[test]
fn a_length_that_nobody_has_takes_no_memory() {
    let mut huge = nar(&[b"nix-archive-1", b"(", b"type", b"regular", b"contents"]);
    huge.extend(u64::MAX.to_le_bytes());
    assert!(matches!(
        read(&huge[..], 1 << 40, &mut Ignore),
        Err(ReadError::Long(limit)) if limit == 1 << 40
    ));
    // Even where everything would be taken.
    assert!(matches!(refused(&huge), ReadError::Long(_)));
    let mut word = u64::MAX.to_le_bytes().to_vec();
    word.extend([0; 64]);
    assert!(matches!(
        refused(&word),
        ReadError::Unexpected { at: 0, .. }
    ));
}

#[test]
fn an_archive_that_is_longer_than_announced_is_refused() {
    let bytes = links(&[b"a"]);
    let length = bytes.len() as u64;
    assert!(read(&bytes[..], length, &mut Ignore).is_ok());
    assert!(matches!(
        read(&bytes[..], length - 1, &mut Ignore),
        Err(ReadError::Long(_))
    ));
}

#[test]
fn an_archive_that_ends_early_is_refused_wherever_it_ends() {
    let bytes = links(&[b"a"]);
    for length in 0..bytes.len() {
        assert!(matches!(refused(&bytes[..length]), ReadError::Short(_)));
    }
}

#[test]
fn what_the_format_does_not_have_is_refused_with_its_place() {
    let heads: [(&[&[u8]], &str); 6] = [
        (&[b"nix-archive-2"], "nix-archive-1"),
        (&[b"nix-archive-1", b"["], "("),
        (
            &[b"nix-archive-1", b"(", b"type", b"fifo"],
            "regular, symlink or directory",
        ),
        (
            &[b"nix-archive-1", b"(", b"type", b"regular", b")"],
            "executable or contents",
        ),
        (
            &[
                b"nix-archive-1",
                b"(",
                b"type",
                b"regular",
                b"executable",
                b"x",
            ],
            "",
        ),
        (
            &[b"nix-archive-1", b"(", b"type", b"directory", b"name"],
            "entry or )",
        ),
    ];
    for (words, must) in heads {
        let error = refused(&nar(words));
        let ReadError::Unexpected { at, expected, .. } = &error else {
            panic!("{error}");
        };
        let before = nar(&words[..words.len() - 1]).len() as u64;
        assert_eq!((*at, *expected), (before, must), "{error}");
    }
    // Padding that is not zero would be a second spelling of the same tree.
    let mut padded = nar(&[b"nix-archive-1"]);
    *padded.last_mut().unwrap() = 1;
    assert!(matches!(refused(&padded), ReadError::Unexpected { .. }));
}

#[test]
fn directories_without_end_are_refused() {
    let deep = |levels: usize| {
        let mut bytes = nar(&[b"nix-archive-1"]);
        for _ in 0..levels - 1 {
            bytes.extend(nar(&[
                b"(",
                b"type",
                b"directory",
                b"entry",
                b"(",
                b"name",
                b"d",
                b"node",
            ]));
        }
        bytes.extend(nar(&[b"(", b"type", b"directory", b")"]));
        bytes.extend(vec![nar(&[b")"]); 2 * (levels - 1)].concat());
        bytes
    };
    assert!(read(&deep(MAX_DEPTH)[..], 1 << 30, &mut Ignore).is_ok());
    assert!(matches!(refused(&deep(MAX_DEPTH + 1)), ReadError::TooDeep));
}

proptest! {
    #[test]
    fn never_panics_and_reads_no_more_than_it_may(at in 0usize..2000, byte: u8, limit in 0u64..3000) {
        let folder = tree();
        fs::write(folder.path().join("d"), "short").unwrap();
        let mut bytes = Vec::new();
        archive_path(folder.path(), &mut bytes).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(digest) = read(&bytes[..], limit, &mut Ignore) {
            prop_assert!(digest.size <= limit);
            let hash = Sha256::digest(&bytes[..usize::try_from(digest.size).unwrap()]);
            prop_assert_eq!(&digest.hash.bytes()[..], &hash[..]);
        }
    }
}
