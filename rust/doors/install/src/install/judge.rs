//! Whether this machine's firmware would start an image: a bad signature ends in the firmware and not in the next entry, so that counting boots
//! does not rescue it.

use std::fs::File;
use std::path::Path;

use touchstone_artifacts::verify::verdict;
use touchstone_sign::firmware::Database;

use super::candidates::{Candidate, Default};
use super::error::{Incomplete, InstallError};
use crate::Host;
use crate::settings::Settings;
use crate::variables::Variables;
use crate::variables::secure_boot::SecureBoot;

/// The lists of a machine that enforces signatures.
#[derive(Clone, Debug)]
pub struct Judge {
    secure_boot: SecureBoot,
    /// Whether the machine goes on being started by a shim that started it this time.
    shim_stays: bool,
}

impl Judge {
    /// None where nothing is enforced. Where the generation that boots next brings shim, shim decides, by lists that only it reads. Where it
    /// brings none, one that ran until now stays in front only if the boot loader is left alone.
    ///
    /// # Errors
    /// [`InstallError::Variable`].
    pub fn on(
        host: &Host,
        settings: &Settings,
        candidates: &[Candidate],
        default: &Default,
    ) -> Result<Option<Self>, InstallError> {
        let variables = Variables::at(host.at(host.efi_variables()));
        let mut next = candidates.iter();
        let next = next.find(|candidate| candidate.identity == default.identity);
        let next = next.and_then(|candidate| candidate.generation.as_ref().ok());
        let shim = next.is_some_and(|generation| generation.shim.is_some());
        let enforces = |firmware: &SecureBoot| firmware.enforced && !shim;
        let secure_boot = variables.secure_boot()?.filter(enforces);
        Ok(secure_boot.map(|secure_boot| Self {
            secure_boot,
            shim_stays: settings.loader.is_none(),
        }))
    }

    /// Judges what the boot loader starts, in a file; `shown` is what it is called.
    ///
    /// # Errors
    /// [`Incomplete::Unbootable`], [`Incomplete::Missing`].
    pub fn entry(&self, file: &Path, shown: &Path) -> Result<(), Incomplete> {
        match self.shim_stays {
            true => check(file, shown, self.secure_boot.of_entries()),
            false => self.loader(file, shown),
        }
    }

    /// Judges what the firmware itself starts.
    ///
    /// # Errors
    /// Those of [`Judge::entry`].
    pub fn loader(&self, file: &Path, shown: &Path) -> Result<(), Incomplete> {
        check(file, shown, (&self.secure_boot.db, &self.secure_boot.dbx))
    }
}

fn check(file: &Path, shown: &Path, lists: (&Database, &Database)) -> Result<(), Incomplete> {
    let mut open = File::open(file).map_err(|source| Incomplete::Missing {
        file: shown.to_owned(),
        source,
    })?;
    let unbootable = |fact: String| Incomplete::Unbootable {
        file: shown.to_owned(),
        fact,
    };
    let (db, dbx) = lists;
    let verdict = verdict(&mut open, db.clone(), dbx.clone());
    let verdict = verdict.map_err(|error| unbootable(error.to_string()))?;
    if verdict.boots {
        return Ok(());
    }
    let reasons: Vec<String> = verdict.reasons.into_iter().map(|one| one.why).collect();
    Err(unbootable(reasons.join("; ")))
}
