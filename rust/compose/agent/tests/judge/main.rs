//! The judge beside real Nix: real derivations, real stores, images of real stubs and kernels, and everything that an attacker may try.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod addons;
mod command_lines;
mod derivations;
mod images;
mod manifests;
mod origins;
mod parts;
mod pcrs;
mod structure;
mod uki;
mod world;
