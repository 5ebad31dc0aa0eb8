//! Databases that SQLite itself wrote.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod looked_up;
mod made;
mod misled;
mod refused;
mod written;
