//! What C sees of the library: programs in C and C++ that are linked with it, and what an ELF reader finds in it. The library comes from
//! `cargo xtask setup`: run these tests with `cargo xtask test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod compiler;
mod objects;
mod page;
mod programs;
