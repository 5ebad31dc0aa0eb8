//! Activation, beside a real Nix and with the program itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

mod assess;
mod boot;
mod firmware;
mod nix;
mod status;
mod world;
