//! Claims about `touchstone-pe`, on images that `builder` makes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // helpers of tests

mod authenticode;
mod builder;
mod certificates;
mod checksum;
mod edit;
mod failing;
mod kernel;
mod layout;
mod levels;
mod malformed;
mod peers;
mod profiles;
mod properties;
mod read;
mod sbat;
mod uki;
