//! `builtins.touchstone` inside a real Nix. What it needs comes from `cargo xtask setup`: run these tests with `cargo xtask test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod contexts;
mod faults;
mod files;
mod laziness;
mod memory;
mod messages;
mod support;
mod surroundings;
mod values;
mod versions;
