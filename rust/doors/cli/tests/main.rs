//! `touchstone` on real inputs, beside its peers. The inputs come from `cargo xtask setup`: run these tests with `cargo xtask test`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod agent;
#[cfg(all(feature = "token", feature = "tpm"))]
mod agent_builds;
mod agent_log;
mod artifacts;
mod bootspec;
mod builder_answer;
mod by_agent;
mod checks;
mod closure_import;
mod closure_verify;
mod detached;
mod detached_builds;
mod diff;
mod digests;
mod doors;
mod eventlog;
mod examples;
mod flake;
mod hostile;
mod inspect;
mod interpreters;
mod keys;
mod measure;
mod modules;
mod nix;
mod nixos_pages;
mod nixos_test;
mod options;
mod pcrlock;
mod policy;
mod readme;
mod real_nix;
mod reference;
mod refusals;
mod sealed;
mod shorthand;
mod sign;
mod sign_files;
mod sign_many;
mod support;
#[cfg(feature = "token")]
mod token;
#[cfg(feature = "tpm")]
mod tpm;
mod ukify;
mod values;
mod verify;
mod virtual_files;
