//! Why a database does not say what it knows.

use std::io;
use std::path::{Path, PathBuf};

use touchstone_store::StorePath;

/// Why a database does not say what it knows.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The file, or its write-ahead log, cannot be read.
    #[error("{} cannot be read: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what SQLite writes, or not what Nix does.
    #[error("{} is no database that can be read: {damage}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        damage: Damage,
    },
    /// Nix was writing to it every time that it was read.
    #[error("{} is being written to: wait until Nix is done", .0.display())]
    Busy(PathBuf),
}

impl DatabaseError {
    /// The database's file.
    pub fn file(&self) -> &Path {
        match self {
            Self::Read { file, .. } | Self::Damaged { file, .. } | Self::Busy(file) => file,
        }
    }
}

/// What is wrong with a database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// Not SQLite's first bytes.
    #[error("it does not begin as SQLite's files do")]
    Magic,
    /// A number of the header that SQLite does not know, or a text encoding that Nix does not use.
    #[error("its header has {0}")]
    Header(&'static str),
    /// A transaction was interrupted, and only SQLite may undo it.
    #[error(
        "a transaction was interrupted (its journal is there): let Nix open the store once, which undoes it"
    )]
    Interrupted,
    /// The write-ahead log is of another format.
    #[error("its write-ahead log has {0}")]
    Log(&'static str),
    /// A page that is not in the file.
    #[error("page {0} is not in it")]
    NoPage(u32),
    /// A page that is not built as SQLite builds it.
    #[error("page {page} {fact}")]
    Page {
        /// The page's number, from 1.
        page: u32,
        /// What is wrong with it.
        fact: &'static str,
    },
    /// A table or a column that Nix' databases have.
    #[error("it has no {0}, as Nix' databases have")]
    Missing(&'static str),
    /// A row that is not built as SQLite builds it.
    #[error("row {row} of {table} {fact}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's number.
        row: i64,
        /// What is wrong with it.
        fact: &'static str,
    },
    /// A value that Nix would not write.
    #[error("what it says of {path} is wrong: {why}")]
    Value {
        /// The path.
        path: StorePath,
        /// What is wrong.
        why: String,
    },
    /// A path is in it more than once.
    #[error("{0} is in it twice")]
    Twice(StorePath),
    /// A row refers to one that is not there.
    #[error("{path} refers to row {row} of ValidPaths, which is not there")]
    Dangling {
        /// The path that refers.
        path: StorePath,
        /// The row that is missing.
        row: i64,
    },
}
