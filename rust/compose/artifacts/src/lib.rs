//! One generation's boot artifacts: assemble, sign, predict, list, bind together.
//!
//! Each module holds one operation: its request (as it stands in a request file), its answer, and the function that performs it.
//! The functions act on the world only through the [`Context`] of the caller: the files that a request names are those that its
//! [`Files`] lead to. Every output is written whole or not at all ([`output`]).
#![forbid(unsafe_code)]

pub mod agent;
pub mod boot_signatures;
pub mod boot_verify;
pub mod bootspec;
pub mod closure_export;
mod closure_files;
pub mod closure_import;
mod closure_known;
pub mod closure_manifest;
pub mod closure_registration;
pub mod closure_verify;
mod companions;
mod content;
pub mod cpio;
pub mod detached;
pub mod diff;
mod efifw;
pub mod error;
pub mod eventlog;
pub mod extra_initrd;
pub mod files;
pub mod firmware;
pub mod generation;
pub mod host_options;
mod hwids;
pub mod input;
pub mod inspect;
pub mod inspect_uki;
pub mod interpreters;
pub mod keys;
pub mod machine;
pub mod manifest;
pub mod measure_parts;
pub mod output;
mod parts;
pub mod pcr11;
pub mod policy;
pub mod predict;
pub mod progress;
pub mod reference;
pub mod refuted;
mod request;
pub mod seal;
pub mod secrets;
mod secure_boot;
pub mod sign;
pub mod signing_key;
pub mod source;
pub mod space;
pub mod store_path;
pub mod uki;
pub mod unsign;
pub mod verify;

pub use agent::Agent;
pub use error::Error;
pub use files::{Files, HostFiles};
pub use progress::Progress;

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// What a door lends to an operation: its files, where progress goes, and which keys may be used where and when it runs.
pub struct Context<'a> {
    /// Where the files lie that the request names.
    pub files: &'a dyn Files,
    /// Where phases and byte counts are reported.
    pub progress: &'a dyn Progress,
    /// Which private keys may be opened.
    pub keys: signing_key::KeyPolicy,
    /// Who is asked for signatures by keys that are named `agent:…`; nobody where a door leads to no agent.
    pub agent: Option<&'a dyn Agent>,
    /// The time, in seconds since 1970-01-01 UTC, where signers are to be valid now; a build, which gives the same on every day, has none.
    pub now: Option<u64>,
}
