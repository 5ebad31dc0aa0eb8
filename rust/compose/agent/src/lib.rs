//! The signing agent: builds sign, and keys stay out of them.
//!
//! - [`protocol`]: what goes over a socket: frames, requests, answers, limits.
//! - [`client`]: who asks over them: builds, installers, people, the pre-build hook.
//! - [`identity`]: who asks.
//!
//! What is handed in is judged by content: no request carries a digest that is to be signed.
#![forbid(unsafe_code)]

pub mod client;
pub mod identity;
pub mod protocol;

pub use identity::{Derivation, Identity, NotADerivation};
