//! What can go wrong while reading an image and while writing one: one variant for each rule.

mod read;
mod write;

pub use read::{NotPe, ReadError};
pub use write::WriteError;
