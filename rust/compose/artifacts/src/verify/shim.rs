//! What shim asks of an image beyond the firmware's rules.

use std::fs::File;

use sha1::Sha1;
use sha2::Sha256;
use touchstone_pe::{Image, ReadError, authenticode};
use touchstone_sign::firmware::{
    DigestKind, ImageDigests, Reason, Rule, Verdict, objections_of_shim,
};

use super::{Lists, Presented};

/// Said with every verdict under shim.
pub(super) const NOTE: &str = "this is the verdict of firmware and shim: what shim starts although firmware alone would not is refused here; \
     shim also trusts its own certificate and those of MokList, and refuses what MokListX names, of which only the given lists were asked";

/// Why shim does not start the image of which firmware says `verdict`. SBAT is asked apart.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn objections(
    file: &mut File,
    image: &Image,
    verdict: &Verdict,
    presented: &Presented,
    lists: &Lists,
) -> Result<Vec<Reason>, ReadError> {
    let digests = match padded(file, image) {
        Err(error @ (ReadError::Io(_) | ReadError::Truncated(_))) => return Err(error),
        Err(error) => {
            return Ok(vec![Reason {
                rule: Rule::ImageMalformed,
                why: error.to_string(),
            }]);
        }
        Ok(digests) => digests,
    };
    let table = presented.table.as_ref();
    Ok(objections_of_shim(
        verdict, table, &digests, &lists.db, &lists.dbx,
    ))
}

/// The digests that signers and shim compute.
fn padded(file: &mut File, image: &Image) -> Result<ImageDigests, ReadError> {
    let sha1 = authenticode::digest::<Sha1, _>(image, file)?.to_vec();
    let sha256 = authenticode::digest::<Sha256, _>(image, file)?.to_vec();
    Ok([(DigestKind::Sha1, sha1), (DigestKind::Sha256, sha256)].into())
}
