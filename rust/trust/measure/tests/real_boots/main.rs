//! Predictions beside the registers of machines that really booted: stubs and loaders of systemd 252, 257 and 262, with
//! Secure Boot and without.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod bench;
mod firmware;
mod firmware_shim;
mod identity;
mod stub;
mod stub_parts;
mod stub_setup;
