//! The ten holes of the earlier design: what it takes for a good system, and what this program says of the same disk.
//!
//! The earlier design asks `nix store verify --recursive` in the initrd about the path that `init=` names, by the database on the disk. Here real
//! Nix is asked the same; `docs/stage1-holes.md` records what it says, and each test compares.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod content;
mod open;
mod signing;
mod trial;
mod trust;
