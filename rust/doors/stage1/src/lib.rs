//! What stands between the kernel and systemd in a verified initrd (`docs/stage1.md`).
//!
//! - [`first_process`]: the initrd's `/init`, which becomes systemd only where nothing could have told systemd to do something else.
//! - [`configuration`]: `/etc/touchstone/stage1.conf`, part of the signed image.
//! - [`command_line`]: words as the kernel, systemd and plain programs see them.
//! - [`gate`]: the judgement of command line, credentials and extensions.
//! - [`root`]: what must not lie on the root file system, and what must.
//! - [`measured`] and [`tpm`]: the register that tells of a verified closure.
//! - [`verify`] and [`progress`]: `touchstone-stage1 verify`, which hashes the closure and tells how far it is.
//! - [`failure`]: what happens when the answer is no.
//! - [`messages`]: console, kernel log, plymouth.
#![forbid(unsafe_code)]

pub mod command_line;
pub mod configuration;
pub mod failure;
pub mod first_process;
pub mod gate;
pub mod machine;
pub mod measured;
pub mod messages;
pub mod progress;
pub mod root;
mod text;
pub mod tpm;
pub mod verify;
