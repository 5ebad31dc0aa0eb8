//! Whether a toplevel's closure on a disk is what trusted keys signed.
//!
//! Two questions, asked in this order: is it authentic what is said of the toplevel and all that it reaches ([`Trusted`]), and does the disk
//! hold that ([`check`](check()))? What is said of a path comes from a [`Registry`] or from a manifest, which are not trusted: a lie in them has no signature.
//! [`verify`] asks both.

mod check;
mod graph;
mod judge;
mod order;
mod refused;
mod registration;
mod registry;
pub mod stream;
mod trusted;
mod verify;
mod walk;

pub use crate::content_address::{Digest, Proof};
pub use crate::manifest::Trust;
pub use check::{Checked, Progress, Settings, Store, check, lies};
pub use order::{Circle, references_first};
pub use refused::Refused;
pub use registration::registration;
pub use registry::{REGISTRY_DIR, Registry, RegistryError, file_name};
pub use trusted::{Expected, Trusted};
pub use verify::verify;
pub use walk::walk;
