//! Whether this machine's firmware would start an image: a bad signature ends in the firmware and not in the next entry, so that counting boots
//! does not rescue it.

use std::fs::File;
use std::path::Path;

use touchstone_artifacts::verify::verdict;

use super::candidates::{Candidate, Default};
use super::error::{Incomplete, InstallError};
use crate::Host;
use crate::variables::Variables;
use crate::variables::secure_boot::SecureBoot;

/// The lists of a machine that enforces signatures.
#[derive(Clone, Debug)]
pub struct Judge(SecureBoot);

impl Judge {
    /// None where nothing is enforced. Where the generation that boots next brings shim, shim decides, by lists that only it reads.
    ///
    /// # Errors
    /// [`InstallError::Variable`].
    pub fn on(
        host: &Host,
        candidates: &[Candidate],
        default: &Default,
    ) -> Result<Option<Self>, InstallError> {
        let variables = Variables::at(host.at(host.efi_variables()));
        let mut next = candidates.iter();
        let next = next.find(|candidate| candidate.identity == default.identity);
        let next = next.and_then(|candidate| candidate.generation.as_ref().ok());
        let shim = next.is_some_and(|generation| generation.shim.is_some());
        let enforces = |firmware: &SecureBoot| firmware.enforced && !shim;
        Ok(variables.secure_boot()?.filter(enforces).map(Self))
    }

    /// Judges the image in a file; `shown` is what it is called.
    ///
    /// # Errors
    /// [`Incomplete::Unbootable`], [`Incomplete::Missing`].
    pub fn check(&self, file: &Path, shown: &Path) -> Result<(), Incomplete> {
        let mut open = File::open(file).map_err(|source| Incomplete::Missing {
            file: shown.to_owned(),
            source,
        })?;
        let unbootable = |fact: String| Incomplete::Unbootable {
            file: shown.to_owned(),
            fact,
        };
        let (db, dbx) = self.0.of_entries();
        let verdict = verdict(&mut open, db.clone(), dbx.clone());
        let verdict = verdict.map_err(|error| unbootable(error.to_string()))?;
        if verdict.boots {
            return Ok(());
        }
        let reasons: Vec<String> = verdict.reasons.into_iter().map(|one| one.why).collect();
        Err(unbootable(reasons.join("; ")))
    }
}
