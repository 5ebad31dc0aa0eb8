//! What Nix' database says of a closure, read without Nix and without SQLite.
//!
//! [`Database::closure`] answers with entries for [`Registry::known`](touchstone_store::closure::Registry::known). Nothing in them is true
//! for standing in the database: whoever can write the disk can write it. They are a place where signatures, references and sizes are
//! found; trusted keys decide what they are worth.
//!
//! The file is read as SQLite specifies it (<https://www.sqlite.org/fileformat2.html>), by a reader that takes any bytes to an answer or
//! an error. No lock is taken and nothing is written, so that a read-only mount can be asked, and a machine on which Nix is at work:
//! what changed while it was read is read again.
#![forbid(unsafe_code)]

mod database;
mod error;
mod references;
mod row;
mod sqlite;

pub use database::{DATABASE, Database, Known};
pub use error::{Damage, DatabaseError};
