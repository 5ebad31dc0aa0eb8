//! Nix' database: any file, with any write-ahead log beside it, says what it knows of a path or is refused.
//!
//! The log stands behind the words `write-ahead log:`. Seeds: `plain` has two paths and no log; `logged` has all of it in its log; `indexes` has
//! indexes with pages above their leaves, and places where keys were.
#![no_main]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_nix_database::Database;
use touchstone_store::{NarInfo, StorePath};

const LOG: &[u8] = b"write-ahead log:";

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("touchstone-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder can be made");
    folder
});

fuzz_target!(|bytes: &[u8]| {
    let log = bytes.windows(LOG.len()).position(|word| word == LOG);
    let (file, log) = match log {
        Some(at) => (&bytes[..at], Some(&bytes[at + LOG.len()..])),
        None => (bytes, None),
    };
    let path = FOLDER.join("db.sqlite");
    fs::write(&path, file).expect("a file can be written");
    let beside = FOLDER.join("db.sqlite-wal");
    match log {
        Some(log) => fs::write(beside, log).expect("a file can be written"),
        None => drop(fs::remove_file(beside)),
    }
    let toplevel = format!("/nix/store/{}-a", "0".repeat(32));
    let toplevel = StorePath::parse(&toplevel).expect("it is a store path");
    let Ok(database) = Database::open(&path) else {
        return;
    };
    let walked = database.closure(&toplevel);
    if let Ok(Some(closure)) = &walked {
        let infos: Vec<&NarInfo> = closure.iter().collect();
        hangs_together(&infos, &toplevel);
    }
    let reached = database.reached(&[toplevel.clone()].into());
    if let Ok(reached) = &reached
        && !reached.is_empty()
    {
        let infos: Vec<&NarInfo> = reached.values().map(|known| &known.info).collect();
        hangs_together(&infos, &toplevel);
    }
    let entries = database.entries(&[toplevel.clone()].into());
    if let (Ok(Some(closure)), Ok(reached)) = (&walked, &reached) {
        // An index may hide rows of a hostile database, and adds nothing to what they say.
        assert!(reached.values().all(|known| says(closure, &known.info)));
    }
    if let (Ok(reached), Ok(entries)) = (&reached, &entries) {
        assert_eq!(reached.get(&toplevel), entries.get(&toplevel));
    }
});

/// A closure has the path that was asked for, and all that its paths refer to.
fn hangs_together(infos: &[&NarInfo], toplevel: &StorePath) {
    let known: BTreeSet<&StorePath> = infos.iter().map(|info| &info.entry.path).collect();
    assert!(known.contains(toplevel));
    let mut references = infos.iter().flat_map(|info| &info.entry.references);
    assert!(references.all(|path| known.contains(path)));
}

/// Whether a closure says all that is said of a path.
fn says(closure: &[NarInfo], looked_up: &NarInfo) -> bool {
    closure.iter().any(|info| {
        let mut less = info.clone();
        less.entry.references = looked_up.entry.references.clone();
        less == *looked_up && looked_up.entry.references.is_subset(&info.entry.references)
    })
}
