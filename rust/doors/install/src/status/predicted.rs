//! The PCR values that were predicted of generations.

use std::path::Path;

use touchstone_measure::Prediction;

use super::answer::{Predicted, PredictedLeaf};
use super::judge::digest_of;
use crate::Host;
use crate::generation::StoredFile;

/// Larger than any prediction, in bytes.
const LIMIT: u64 = 64 << 20;

/// The values in a generation's document, which must be the one that its `boot.json` names.
pub(super) fn read(host: &Host, file: &StoredFile) -> Result<Predicted, String> {
    let failed = |why: String| format!("{}: {why}", file.path.display());
    let place = host
        .resolve(&file.path)
        .map_err(|error| failed(error.to_string()))?;
    let bytes = bytes(&place, file).map_err(failed)?;
    let prediction: Prediction =
        serde_json::from_slice(&bytes).map_err(|error| failed(error.to_string()))?;
    Ok(Predicted {
        file: file.path.clone(),
        leaves: prediction
            .leaves
            .into_iter()
            .map(PredictedLeaf::from)
            .collect(),
    })
}

fn bytes(place: &Path, file: &StoredFile) -> Result<Vec<u8>, String> {
    let opened = std::fs::File::open(place).map_err(|error| error.to_string())?;
    if file.size > LIMIT {
        return Err("it is too large for a prediction".to_owned());
    }
    let digest = digest_of(opened).map_err(|error| error.to_string())?;
    if file.digest() != Some(digest) {
        return Err("it is not the file that boot.json names".to_owned());
    }
    std::fs::read(place).map_err(|error| error.to_string())
}
