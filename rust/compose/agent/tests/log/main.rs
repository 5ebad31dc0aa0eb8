//! The log on real file systems.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod appended;
mod exported;
mod full;
mod killed;
mod page;
mod scarce;
mod support;
mod tampered;
