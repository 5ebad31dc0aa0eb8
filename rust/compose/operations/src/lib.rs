//! One contract behind every door.
//!
//! A request is a JSON object whose `operation` names one of [`operations`]; its other fields are the request type's. [`answer`] turns
//! its bytes into those of the answer, or into a [`Failure`]. Every door calls it, so that the same request gives the same bytes through
//! each; the command line's shorthands build typed requests and [`perform`] them.
#![forbid(unsafe_code)]

mod answer;
mod contract;
mod effect;
mod failure;
mod registry;
mod typed;

pub use answer::{REQUEST_LIMIT, answer, parse, to_bytes};
pub use contract::contract;
pub use effect::Effect;
pub use failure::{Failure, one_line};
pub use registry::{Description, Operation, dispatch, operations, perform};
