//! One contract behind every door.
//!
//! A request is a JSON object whose `operation` names one of [`operations`]; its other fields are the request type's. [`dispatch`]
//! turns it into an answer or a [`Failure`]. The Nix builder, the command line and every later door call nothing else, so that the
//! same request gives the same bytes through each.
#![forbid(unsafe_code)]

mod failure;
mod registry;

pub use failure::Failure;
pub use registry::{Description, Operation, dispatch, operations, perform};
