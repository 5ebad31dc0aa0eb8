//! `libtouchstone` for the checks: what is at the border of the C ABI is the shipped crate's own code, behind it are panics.
#![deny(unsafe_op_in_unsafe_fn)]

#[path = "../../../rust/doors/capi/src/abi.rs"]
mod abi;
#[path = "../../../rust/doors/capi/src/answer.rs"]
mod answer;
#[path = "../../../rust/doors/capi/src/border.rs"]
mod border;
#[path = "../../../rust/doors/capi/src/misuse.rs"]
mod misuse;
#[path = "../../../rust/doors/capi/src/options.rs"]
mod options;
mod perform;
#[path = "../../../rust/doors/capi/src/progress.rs"]
mod progress;

pub use abi::*;
pub use options::TouchstoneOptions;
