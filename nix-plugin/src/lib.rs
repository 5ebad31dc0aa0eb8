//! The plugin door: `builtins.touchstone`, whose functions are operations that compute a value.
//!
//! The C++ half (`glue/`) forces what a request is made of, keeps contexts, finds files through the evaluator and throws Nix' errors.
//! The Rust half writes the request, performs it and knows which functions there are. It never sees a Nix value, so that the garbage
//! collector need not know of it.

pub mod answer;
#[cfg(all(feature = "nix", not(test)))]
mod bridge;
pub mod documentation;
#[cfg(all(feature = "nix", feature = "faults", not(test)))]
mod faults;
#[cfg(all(feature = "nix", not(test)))]
mod files;
pub mod functions;
pub mod perform;
pub mod request;
pub mod shape;
