//! The twelve invariants of the installer, each a claim about the real program on real folders; and that it executes nothing but itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

mod assembled;
mod believed;
mod by_agent;
mod documents;
mod evicted;
mod failure;
mod fat;
mod foreign;
mod incomplete;
mod machine;
mod malformed;
mod mirrored;
mod policy;
mod profiles;
mod programs;
mod sealed;
mod traced;
mod transaction;
mod unchanged;
mod verified;
mod world;
