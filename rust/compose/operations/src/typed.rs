//! From JSON to a request's type, with refusals that say where and what.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::Failure;

/// The request of the operation `name`.
///
/// # Errors
/// [`Failure`] when a field is missing, unknown or of the wrong type: it names the field by its way from the request, such as
/// `measure.pcrs[2]`, and says what was expected.
pub(crate) fn request<T: DeserializeOwned>(name: &str, fields: Value) -> Result<T, Failure> {
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let fact = error.inner();
        Failure::malformed(match error.path().iter().next() {
            Some(_) => format!("{name}: {}: {fact}", error.path()),
            None => format!("{name}: {fact}"),
        })
    })
}
