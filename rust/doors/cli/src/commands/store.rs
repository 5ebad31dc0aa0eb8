//! `touchstone store`.

use touchstone_artifacts::Context;
use touchstone_artifacts::store_path::{ParseStorePath, ParsedStorePath};
use touchstone_operations::{Failure, perform};

use super::print;
use crate::arguments::Store;

/// Takes a store path's name apart.
///
/// # Errors
/// [`Failure`] when it is none.
pub fn run(words: Store, context: &Context<'_>) -> Result<(), Failure> {
    let Store::Path { path, json } = words;
    let parsed = perform(&ParseStorePath { path }, context)?;
    match json {
        true => print::json(&parsed),
        false => lines(&parsed).iter().try_for_each(|line| print::line(line)),
    }
}

fn lines(parsed: &ParsedStorePath) -> Vec<String> {
    let rest = parsed.rest.iter();
    let mut lines = vec![
        format!("store path  {}", parsed.store_path),
        format!("hash        {}", parsed.hash_part),
        format!("name        {}", parsed.name),
    ];
    lines.extend(rest.map(|rest| format!("in it       {rest}")));
    lines
}
