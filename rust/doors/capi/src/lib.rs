//! The C ABI: every operation through one entry, request bytes in and answer bytes out.
//!
//! What C sees is in `abi.rs` and `options.rs`, and nothing else is exported; `cargo xtask header` writes `include/touchstone.h` from
//! it. Everything that needs `unsafe` is there and in `answer.rs`, which gives answers away and takes them back. Behind are safe values,
//! and `border.rs` sees to it that nothing unwinds into C.
#![deny(unsafe_op_in_unsafe_fn)]
#![warn(clippy::undocumented_unsafe_blocks)]

mod abi;
mod answer;
mod border;
mod misuse;
mod options;
mod perform;
mod progress;

pub use abi::*;
pub use options::TouchstoneOptions;

#[cfg(panic = "abort")]
compile_error!(
    "libtouchstone catches panics at its border: build it with a profile that unwinds, such as `release`"
);
