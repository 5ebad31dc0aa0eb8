//! What operations do with an agent: what it answers is the same as what the key would have made here, or it is not used.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

mod in_memory;
mod lies;
mod work;
