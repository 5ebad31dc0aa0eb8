//! The signing agent: builds sign, and keys stay out of them.
//!
//! - [`protocol`]: what goes over a socket: frames, requests, answers, limits.
//! - [`client`]: who asks over them: builds, installers, people, the pre-build hook.
//! - [`identity`]: who asks.
//! - [`holder`]: the process that has the keys.
//! - [`keyring`]: the open keys, which sign what was approved and nothing else.
//! - [`server`]: the service.
//! - [`limits`]: how much of the agent a client can have.
//! - [`log`]: what was signed and what was refused, hash-chained, with signed checkpoints.
//! - [`payload`]: what is to be signed, while it is read.
//! - [`policy`]: who may have what signed, by which key.
//! - [`derivation`]: what a build was made of.
//! - [`judge`]: whether something may be signed, and what.
//!
//! What is handed in is judged by content: no request carries a digest that is to be signed.
#![forbid(unsafe_code)]

pub mod client;
pub mod derivation;
pub mod holder;
mod hygiene;
pub mod identity;
pub mod judge;
pub mod keyring;
pub mod limits;
pub mod log;
pub mod payload;
pub mod policy;
pub mod protocol;
pub mod server;

pub use identity::{Derivation, Identity, NotADerivation};
