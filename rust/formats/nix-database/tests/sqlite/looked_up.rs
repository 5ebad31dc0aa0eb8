//! What indexes find is what a walk over all rows finds.

use std::collections::BTreeSet;
use std::fs;

use touchstone_nix_database::Database;
use touchstone_store::{NarInfo, StorePath};

use crate::made::{Made, path};

/// Asks for every path that is there and for many that are not.
fn agrees(made: &Made, what: &str) {
    let database = Database::open(&made.file()).unwrap();
    let count = made.rows.len();
    let missing = (count..count + 100).map(path);
    let gone = (0..count).filter_map(|number| format!("{}-gone", path(number)).parse().ok());
    let edges = ["0", "z"].map(|sign| format!("/nix/store/{}-a", sign.repeat(32)));
    let edges = edges.iter().map(|edge| edge.parse().unwrap());
    let wanted: BTreeSet<StorePath> = (0..count)
        .map(path)
        .chain(missing)
        .chain(gone)
        .chain(edges)
        .collect();
    assert!(wanted.len() > count + count / 2);
    let known = database.entries(&wanted).unwrap().into_values();
    let known: Vec<NarInfo> = known.map(|known| known.info).collect();
    assert!(known == made.rows, "{what}");
    assert!(made.reached().unwrap() == made.expected(), "{what}");
    // Where few are wanted, each key of an index is the one, some of them on pages above the leaves.
    for number in (0..count).step_by(1 + count / 12) {
        let one = database.closure(&path(number)).unwrap().unwrap();
        let known = database.reached(&[path(number)].into()).unwrap();
        assert!(
            known.into_values().map(|known| known.info).eq(one),
            "{what}: {number}"
        );
    }
}

/// Renames the indexes that SQLite made of a table, so that nothing finds them.
fn without_index(made: &Made, table: &str) {
    let mut bytes = fs::read(made.file()).unwrap();
    let name = format!("sqlite_autoindex_{table}_1");
    let found = bytes
        .windows(name.len())
        .position(|text| text == name.as_bytes());
    bytes[found.unwrap() + name.len() - 1] = b'x';
    fs::write(made.file(), bytes).unwrap();
}

#[test]
fn pages_of_each_size() {
    for (size, count) in [(512, 300), (1024, 300), (4096, 1200), (65_536, 500)] {
        let made = Made::new(count).order("pageSize", size).order("long", 20);
        agrees(&made.make(), &format!("pages of {size} bytes"));
    }
}

#[test]
fn paths_that_came_and_went() {
    for (size, journal, then) in [
        (512, "wal", "killed"),
        (4096, "delete", "close"),
        (4096, "wal", "close"),
    ] {
        let made = Made::new(300).order("pageSize", size).order("churn", 220);
        let made = made.order("journal", journal).order("then", then).make();
        agrees(&made, &format!("{journal}, pages of {size} bytes"));
    }
}

#[test]
fn databases_that_are_vacuumed() {
    for vacuum in ["full", "incremental"] {
        let made = Made::new(400)
            .order("vacuum", vacuum)
            .order("pageSize", 512);
        agrees(&made.order("churn", 300).order("long", 20).make(), vacuum);
    }
}

#[test]
fn a_missing_index_is_a_longer_walk() {
    for missing in [&["Refs"][..], &["ValidPaths"], &["Refs", "ValidPaths"]] {
        let made = Made::new(150).order("long", 20).make();
        missing.iter().for_each(|table| without_index(&made, table));
        agrees(&made, &format!("{missing:?}"));
    }
}

#[test]
fn a_database_without_rows_says_nothing() {
    let made = Made::new(0).make();
    let database = Database::open(&made.file()).unwrap();
    assert!(database.entries(&[path(0)].into()).unwrap().is_empty());
    assert!(database.reached(&[path(0)].into()).unwrap().is_empty());
}

/// Sees that it is the index that finds a row, as a damaged page is met by a walk.
#[test]
fn only_pages_on_the_way_to_a_row_are_read() {
    let damage = |made: &Made, row: &str| {
        let mut bytes = fs::read(made.file()).unwrap();
        let at = bytes
            .windows(row.len())
            .position(|text| text == row.as_bytes());
        // No page is of this kind.
        bytes[at.unwrap() / 4096 * 4096] = 0;
        fs::write(made.file(), bytes).unwrap();
    };
    let far = format!("{}sha256", path(999));
    for missing in ["nothing", "Refs", "ValidPaths"] {
        let made = Made::new(1000).make();
        if missing != "nothing" {
            without_index(&made, missing);
        }
        damage(&made, &far);
        let database = Database::open(&made.file()).unwrap();
        let known = database.entries(&[path(5)].into());
        assert_eq!(known.is_err(), missing == "ValidPaths", "{missing}");
        assert!(made.closure().is_err());
    }
}
