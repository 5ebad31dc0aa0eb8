//! Activation without interpreters: a verified closure becomes a generation of a profile, and is installed.
//!
//! - [`boot`]: the closure of a toplevel, signed by keys that the running system trusts, becomes what the machine boots next.
//! - [`rollback`]: the generation before the current one does.
//! - [`profile`]: profiles, changed exactly as Nix changes them.
//!
//! Either all of it happens, or the profile is as it was. Restarting the machine is the caller's.

pub(crate) mod command;
mod lock;
pub mod profile;
mod trust;

use std::error::Error;
use std::path::{Path, PathBuf};

use serde::Serialize;
use touchstone_store::{StorePath, StorePathError};

pub use trust::{TrustError, Verified};

use crate::Host;
use profile::{Before, Generation, Locked, Profile, ProfileError};

/// What becomes what the machine boots next.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The generation's toplevel, or a link to it.
    pub toplevel: PathBuf,
    /// The profile; `system` when not given.
    pub profile: Option<String>,
    /// The folder of `.narinfo` files that have the closure's signatures; what `touchstone closure import` keeps when not given.
    pub signatures: Option<PathBuf>,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Activated {
    /// The profile.
    pub profile: PathBuf,
    /// The generation's number.
    pub generation: u64,
    /// Its link.
    pub link: PathBuf,
}

/// Why nothing was activated.
#[derive(Debug, thiserror::Error)]
pub enum ActivateError {
    /// The toplevel cannot be found.
    #[error("{} cannot be found: {source}\n  help: bring its closure with `touchstone closure import`, or with `nix copy` where there is Nix", toplevel.display())]
    Toplevel {
        /// What was named.
        toplevel: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// What was named is no store path.
    #[error(
        "{source}\n  help: name the toplevel of a generation, as /nix/store/HASH-nixos-system-NAME"
    )]
    NotAStorePath {
        /// Why.
        source: StorePathError,
    },
    /// The closure is not trusted.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The profile cannot be changed.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Nothing was installed; the profile is as it was.
    #[error("{source}\n  note: the profile {} is as it was before", profile.display())]
    Install {
        /// The profile.
        profile: PathBuf,
        /// Why.
        source: Box<dyn Error>,
    },
    /// Nothing was installed, and the profile could not be put back either.
    #[error("{source}\n  note: the profile {} could not be put back: {restoring}\n  help: `touchstone-install rollback` does it, or `ln -sfn` of its link to the generation before", profile.display())]
    Restore {
        /// The profile.
        profile: PathBuf,
        /// Why nothing was installed.
        source: Box<dyn Error>,
        /// Why it could not be put back.
        restoring: ProfileError,
    },
}

/// Puts a toplevel on the partitions.
pub type Installer<'a> = dyn FnMut(&Path) -> Result<(), Box<dyn Error>> + 'a;

/// Who is told what takes time.
pub struct Watch<'a> {
    /// That something else has to finish first.
    pub waiting: &'a dyn Fn(&str),
    /// How many bytes of how many are verified; from several threads.
    pub verified: &'a (dyn Fn(u64, u64) + Sync),
}

/// Verifies a closure, makes it the current generation of a profile, and installs it.
///
/// The keys are those of the *running* system: a new one that could name its own would trust itself.
///
/// # Errors
/// [`ActivateError`]; the profile is as it was then.
pub fn boot(
    host: &Host,
    request: &Boot,
    watch: &Watch<'_>,
    install: &mut Installer<'_>,
) -> Result<(Activated, Verified), ActivateError> {
    let toplevel = store_path(host, &request.toplevel)?;
    let verified = trust::verify(
        host,
        &toplevel,
        request.signatures.as_deref(),
        watch.verified,
    )?;
    let profile = Profile::of(host, request.profile.as_deref())?;
    profile.make_folder()?;
    let locked = profile.lock(watch.waiting)?;
    let (generation, before) = locked.set(&toplevel, watch.waiting)?;
    let link = profile.link(&generation);
    finish(&locked, &before, install(Path::new(toplevel.as_str())))?;
    Ok((activated(&profile, &generation, link), verified))
}

/// Makes the generation before the current one of a profile the current one, and installs it.
///
/// # Errors
/// [`ActivateError`]; the profile is as it was then.
pub fn rollback(
    host: &Host,
    profile: Option<&str>,
    watch: &Watch<'_>,
    install: &mut Installer<'_>,
) -> Result<Activated, ActivateError> {
    let profile = Profile::of(host, profile)?;
    profile.must_be_there()?;
    let locked = profile.lock(watch.waiting)?;
    let (generation, before) = locked.rollback()?;
    let link = profile.link(&generation);
    let installed = match store_path(host, &link) {
        Ok(toplevel) => install(Path::new(toplevel.as_str())),
        Err(error) => Err(error.into()),
    };
    finish(&locked, &before, installed)?;
    Ok(activated(&profile, &generation, link))
}

fn activated(profile: &Profile, generation: &Generation, link: PathBuf) -> Activated {
    Activated {
        profile: profile.path().to_owned(),
        generation: generation.number,
        link,
    }
}

/// What could not be installed is no generation that the machine is to boot.
fn finish(
    locked: &Locked<'_>,
    before: &Before,
    installed: Result<(), Box<dyn Error>>,
) -> Result<(), ActivateError> {
    let Err(source) = installed else {
        return Ok(());
    };
    let profile = locked.profile().path().to_owned();
    match locked.restore(before) {
        Ok(()) => Err(ActivateError::Install { profile, source }),
        Err(restoring) => Err(ActivateError::Restore {
            profile,
            source,
            restoring,
        }),
    }
}

fn store_path(host: &Host, toplevel: &Path) -> Result<StorePath, ActivateError> {
    let absolute = std::path::absolute(toplevel);
    let path = absolute.and_then(|toplevel| host.canonical(toplevel));
    let path = path.map_err(|source| ActivateError::Toplevel {
        toplevel: toplevel.to_owned(),
        source,
    })?;
    StorePath::parse(&path.to_string_lossy())
        .map_err(|source| ActivateError::NotAStorePath { source })
}

#[cfg(test)]
mod tests;
