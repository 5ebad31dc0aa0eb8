//! Signed paths into the store of a machine without Nix.

mod crash;
pub mod made;
mod refusals;
mod whole;
