//! What the transaction promises, on real folders: `kill.rs` is a program of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

mod counters;
mod damage;
mod faults;
mod names;
mod order;
mod rerun;
mod room;
mod scenario;
mod state;
mod two_at_once;
mod watched;
mod world;
