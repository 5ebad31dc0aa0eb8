//! Bootspec documents, version 1 and version 2: what a NixOS generation tells its boot loader.
//!
//! - [`Document`]: a whole `boot.json`, read strictly.
//! - [`V1`] and [`V2`]: the core objects.
//! - [`Extensions`]: everything else in it, kept to the byte.
//! - [`emit`]: the document of a generation, v1 beside v2.
//! - [`upgrade`]: v2 beside the v1 that is there; [`synthesize()`]: v1 of a toplevel that has no document.
//! - [`InitrdSecrets`] and [`touchstone`]: extensions that have a specification.
//!
//! Sources: NixOS RFC 125 (v1), RFC 165 (v2); `docs/bootspec.md` says how this crate reads them.
#![forbid(unsafe_code)]

mod agree;
mod core;
mod document;
mod emit;
mod error;
mod extension;
mod initrd_secrets;
mod members;
mod synthesize;
pub mod touchstone;
mod upgrade;

pub use crate::core::{Core, V1, V2};
pub use document::{Document, Generation, Specialisation};
pub use emit::{BesideV1, EmitError, Emitted, Inexpressible, emit};
pub use error::ReadError;
pub use extension::{Extension, Extensions};
pub use initrd_secrets::{InitrdSecrets, InitrdSecretsError};
pub use synthesize::{SynthesizeError, Toplevel, synthesize};
pub use upgrade::{Additions, SecretsProgram, UpgradeError, upgrade};

/// The extension that names the initrd's secrets: name → path, read at install time.
pub const INITRD_SECRETS: &str = "org.nixos.initrd-secrets.v1";
