//! What is damaged, foreign or hostile is an error, and never more than that.

use std::fs;

use proptest::prelude::*;
use touchstone_nix_database::{Damage, Database, DatabaseError};

use crate::made::{Made, path};

fn refused(made: &Made) -> String {
    made.closure().unwrap_err().to_string()
}

#[test]
fn a_transaction_that_was_interrupted_is_refused() {
    let made = Made::new(300).order("then", "uncommitted").make();
    assert!(made.file().with_extension("sqlite-journal").exists());
    let said = refused(&made);
    assert!(said.contains("a transaction was interrupted"), "{said}");
}

#[test]
fn what_is_no_database_of_nix_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("db.sqlite");
    let refused = || Database::open(&file).unwrap_err();
    assert!(matches!(refused(), DatabaseError::Read { .. }));
    for content in ["", "no database", &"x".repeat(10_000)] {
        fs::write(&file, content).unwrap();
        let DatabaseError::Damaged { damage, .. } = refused() else {
            panic!("{content}")
        };
        assert_eq!(damage, Damage::Magic);
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert!(refused().to_string().contains("no regular file"));
}

#[test]
fn another_applications_database_is_refused() {
    let made = Made::new(10).make();
    let mut bytes = fs::read(made.file()).unwrap();
    let name = bytes
        .windows(10)
        .position(|name| name == b"ValidPaths")
        .unwrap();
    for at in name..bytes.len() - 10 {
        if &bytes[at..at + 10] == b"ValidPaths" {
            bytes[at] = b'W';
        }
    }
    fs::write(made.file(), bytes).unwrap();
    let said = refused(&made);
    assert!(said.contains("it has no ValidPaths"), "{said}");
}

#[test]
fn values_of_what_is_not_reached_are_not_looked_at() {
    let made = Made::new(1000).make();
    let mut bytes = fs::read(made.file()).unwrap();
    let alone = path(999).to_string();
    let hash = row_of(&bytes, &alone) + alone.len();
    bytes[hash..hash + 6].copy_from_slice(b"sha999");
    fs::write(made.file(), bytes).unwrap();
    assert_eq!(made.closure().unwrap(), made.expected());
    let database = Database::open(&made.file()).unwrap();
    let said = database.closure(&path(999)).unwrap_err().to_string();
    assert!(said.contains("its hash: "), "{said}");
    assert!(said.contains(&alone), "{said}");
}

#[test]
fn a_damaged_page_is_met_wherever_it_lies() {
    let made = Made::new(1000).make();
    let mut bytes = fs::read(made.file()).unwrap();
    let size = usize::from(u16::from_be_bytes([bytes[16], bytes[17]]));
    let page = row_of(&bytes, path(999).as_str()) / size * size;
    // No page is of this kind.
    bytes[page] = 0;
    fs::write(made.file(), bytes).unwrap();
    let said = refused(&made);
    assert!(
        said.contains(&format!("page {}", page / size + 1)),
        "{said}"
    );
}

/// Where a path stands in its row, which has the hash behind it; the index has none.
fn row_of(bytes: &[u8], path: &str) -> usize {
    let row = format!("{path}sha256");
    let mut windows = bytes.windows(row.len());
    let at = windows.position(|text| text == row.as_bytes());
    at.unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    /// Each case damages one database a hundred times.
    #[test]
    fn any_damage_gives_an_answer_or_an_error(journal in 0_usize..2, edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..12), 100)) {
        let made = Made::new(40).order("pageSize", 512);
        let made = match journal {
            0 => made.order("journal", "wal").order("then", "killed"),
            _ => made,
        };
        let made = made.make();
        let target = match journal {
            0 => made.file().with_extension("sqlite-wal"),
            _ => made.file(),
        };
        let whole = fs::read(&target).unwrap();
        for (place, byte, kind) in edits {
            let mut bytes = whole.clone();
            let at = place.index(bytes.len());
            match kind {
                0 => bytes.truncate(at),
                1 => bytes[at..].fill(byte),
                2 => { bytes.drain(at..); bytes.extend_from_slice(&whole[..at]); }
                // Page headers are where structure is.
                3..=6 => { let start = at / 512 * 512; bytes[start + at % 12] = byte; }
                7 | 8 => { let start = at / 512 * 512; let end = whole.len().min(start + 512); bytes[start..end].copy_from_slice(&whole[..end - start]); }
                _ => bytes[at] = byte,
            }
            fs::write(&target, bytes).unwrap();
            let _ = made.closure();
        }
    }
}
