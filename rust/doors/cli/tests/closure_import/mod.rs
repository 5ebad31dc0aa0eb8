//! Signed paths into the store of a machine without Nix.

mod caches;
mod crash;
mod disk;
pub mod made;
mod nix;
mod page;
mod refusals;
mod whole;
