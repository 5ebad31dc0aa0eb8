//! Requests out of files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde_json::Value;
use touchstone_artifacts::Context;
use touchstone_operations::{Failure, REQUEST_LIMIT, answer, parse};

/// The answer to the request in this file; `-` is standard input.
///
/// # Errors
/// [`Failure`] when it cannot be read, and that of [`answer`]. What is wrong with the request itself names the file.
pub fn answered(path: &Path, context: &Context<'_>) -> Result<Vec<u8>, Failure> {
    answer(&read(path)?, context).map_err(|failure| about(failure, path))
}

/// The JSON document in this file, which need be no whole request.
///
/// # Errors
/// As [`answered`].
pub fn document(path: &Path) -> Result<Value, Failure> {
    parse(&read(path)?).map_err(|failure| about(failure, path))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    try_read(path).map_err(|error| Failure {
        file: Some(path.to_owned()),
        ..Failure::malformed(format!("the request cannot be read: {error}"))
    })
}

/// The whole request, or more than a request may have.
fn try_read(path: &Path) -> io::Result<Vec<u8>> {
    let source: &mut dyn Read = match path == Path::new("-") {
        true => &mut io::stdin(),
        false => &mut File::open(path)?,
    };
    let mut request = Vec::new();
    source
        .take(REQUEST_LIMIT as u64 + 1)
        .read_to_end(&mut request)?;
    Ok(request)
}

fn about(failure: Failure, request: &Path) -> Failure {
    match failure.code.as_str() {
        "request.malformed" | "request.too-large" => Failure {
            file: Some(request.to_owned()),
            ..failure
        },
        _ => failure,
    }
}
