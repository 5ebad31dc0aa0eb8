//! What SQLite wrote is what is read.

use std::io::{BufRead, BufReader};

use touchstone_nix_database::{Database, DatabaseError};
use touchstone_store::NarInfo;

use crate::made::{Made, path};

#[test]
fn reads_what_sqlite_wrote_in_pages_of_each_size() {
    for size in [512, 1024, 4096, 65_536] {
        let made = Made::new(300).order("pageSize", size).make();
        assert_eq!(
            made.closure().unwrap(),
            made.expected(),
            "pages of {size} bytes"
        );
    }
}

#[test]
fn reads_deep_trees_and_databases_that_are_vacuumed() {
    for vacuum in ["full", "incremental"] {
        let made = Made::new(3000)
            .order("vacuum", vacuum)
            .order("pageSize", 512);
        let made = made.make();
        assert_eq!(made.closure().unwrap(), made.expected(), "{vacuum}");
    }
}

#[test]
fn what_a_write_ahead_log_holds_counts() {
    let made = Made::new(300).order("journal", "wal");
    let made = made.order("then", "killed").make();
    let log = made.file().with_extension("sqlite-wal");
    assert!(log.metadata().unwrap().len() > 100_000);
    assert_eq!(made.closure().unwrap(), made.expected());
    assert_eq!(made.reached().unwrap(), made.expected());
    // Without it most of the tables are not there.
    std::fs::remove_file(log).unwrap();
    assert!(made.closure().is_err());
    assert!(made.reached().is_err());
}

#[test]
fn what_was_not_committed_does_not_count() {
    let made = Made::new(300).order("journal", "wal");
    let made = made.order("then", "uncommitted").make();
    assert_eq!(made.closure().unwrap(), made.expected());
    assert_eq!(made.reached().unwrap(), made.expected());
}

#[test]
fn a_path_that_is_not_there_is_nothing() {
    let made = Made::new(20).make();
    let database = Database::open(&made.file()).unwrap();
    assert_eq!(database.closure(&path(99)).unwrap(), None);
    let alone = database.closure(&path(19)).unwrap().unwrap();
    assert_eq!(alone, [made.rows[19].clone()]);
}

#[test]
fn reading_changes_nothing_and_leaves_nothing() {
    let made = Made::new(20).order("journal", "wal").make();
    let folder = made.file().parent().unwrap().to_owned();
    let before = std::fs::read(made.file()).unwrap();
    made.closure().unwrap();
    assert_eq!(std::fs::read(made.file()).unwrap(), before);
    assert_eq!(folder.read_dir().unwrap().count(), 1);
}

#[test]
fn what_is_read_while_sqlite_writes_is_of_one_moment() {
    for journal in ["wal", "delete"] {
        let made = Made::new(100).order("journal", journal);
        let made = made.order("then", "writing");
        let mut writer = made.start();
        let mut said = BufReader::new(writer.stdout.take().unwrap());
        said.read_line(&mut String::new()).unwrap();
        let database = Database::open(&made.file()).unwrap();
        // Few paths are looked up before the next transaction comes.
        let looked_up = || {
            let known = database.reached(&[path(40)].into())?.into_values();
            Ok(known.map(|known| known.info).collect())
        };
        let (mut reads, mut sizes) = ([0; 2], std::collections::BTreeSet::new());
        for turn in 0..400 {
            let infos: Result<Vec<NarInfo>, DatabaseError> = match turn % 2 {
                0 => made.closure(),
                _ => looked_up(),
            };
            // Of a writer that never rests a reader may say that it is busy.
            let Ok(infos) = infos else {
                continue;
            };
            let size = infos[1].entry.nar_size;
            // Each transaction gives all paths the same size.
            assert!(
                infos.iter().all(|info| made.rows.contains(info))
                    || infos.iter().all(|info| info.entry.nar_size == size),
                "{journal}"
            );
            reads[turn % 2] += 1;
            sizes.insert(size);
            if sizes.len() > 5 && !reads.contains(&0) {
                break;
            }
        }
        writer.kill().unwrap();
        writer.wait().unwrap();
        assert!(
            !reads.contains(&0) && sizes.len() > 1,
            "{journal}: {reads:?} reads, {} moments",
            sizes.len()
        );
    }
}

/// Builds register paths all the time: what they do not touch can be read all the same.
#[test]
fn whoever_adds_paths_all_the_time_stops_nobody_who_looks_for_others() {
    let made = Made::new(400).order("journal", "wal");
    let made = made.order("then", "adding");
    let wanted: Vec<NarInfo> = made.rows[..200].to_vec();
    let paths = wanted.iter().map(|info| info.entry.path.clone()).collect();
    let mut writer = made.start();
    let mut said = BufReader::new(writer.stdout.take().unwrap());
    said.read_line(&mut String::new()).unwrap();
    let database = Database::at(&made.file());
    for _ in 0..20 {
        let known = database.entries(&paths).unwrap();
        let infos: Vec<NarInfo> = known.into_values().map(|known| known.info).collect();
        assert_eq!(infos, wanted);
    }
    writer.kill().unwrap();
    writer.wait().unwrap();
}
