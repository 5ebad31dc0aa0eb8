//! The PCR values that were predicted of generations.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use touchstone_measure::Prediction;

use super::answer::{Predicted, PredictedLeaf};
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
    let mut bytes = Vec::new();
    let opened = File::open(place).map_err(|error| error.to_string())?;
    let read = opened.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if bytes.len() as u64 > LIMIT {
        return Err("it is too large for a prediction".to_owned());
    }
    if file.digest() != Some(Sha256::digest(&bytes).into()) {
        return Err("it is not the file that boot.json names".to_owned());
    }
    Ok(bytes)
}
