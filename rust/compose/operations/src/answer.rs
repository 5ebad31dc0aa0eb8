//! Bytes in, bytes out: what is the same at every door.

use serde::Serialize;
use serde_json::Value;
use touchstone_artifacts::Context;

use crate::{Failure, dispatch};

/// The largest request, in bytes: 64 MiB. The largest thing that stands in requests is the graph of a closure, with about a kilobyte a path.
pub const REQUEST_LIMIT: usize = 64 << 20;

/// Performs the request, JSON in UTF-8, and gives the answer as every door hands it out: JSON, indented by two spaces, fields in the order
/// of the answer's type, and a line feed at the end.
///
/// # Errors
/// [`Failure`] `request.too-large` beyond [`REQUEST_LIMIT`], before anything is read of the request; `request.malformed` when it is no
/// JSON, nested deeper than 128 levels, or not of the form of its operation; and what the operation refuses.
pub fn answer(request: &[u8], context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    to_bytes(&dispatch(parse(request)?, context)?)
}

/// A document as bytes, in the form of [`answer`].
///
/// # Errors
/// [`Failure`] when the document cannot be JSON: no type of an answer is such.
pub fn to_bytes(document: &impl Serialize) -> Result<Vec<u8>, Failure> {
    let mut bytes = serde_json::to_vec_pretty(document)
        .map_err(|error| Failure::malformed(error.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The document that a request is, of whatever form it is.
///
/// # Errors
/// As [`answer`].
pub fn parse(request: &[u8]) -> Result<Value, Failure> {
    if request.len() > REQUEST_LIMIT {
        return Err(Failure::too_large());
    }
    serde_json::from_slice(request)
        .map_err(|error| Failure::malformed(format!("the request is no JSON: {error}")))
}
