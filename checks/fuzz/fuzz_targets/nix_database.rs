//! Nix' database: any file, with any write-ahead log beside it, says what it knows of a path or is refused.
//!
//! The log stands behind the words `write-ahead log:`. Seeds: `plain` has two paths and no log; `logged` has all of it in its log.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use touchstone_nix_database::Database;
use touchstone_store::StorePath;

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
    if let Ok(Some(closure)) = database.closure(&toplevel) {
        assert!(closure.iter().any(|info| info.entry.path == toplevel));
        let known = |path: &StorePath| closure.iter().any(|info| info.entry.path == *path);
        assert!(
            closure
                .iter()
                .all(|info| info.entry.references.iter().all(known))
        );
    }
});
