//! Whether the keys that the running system trusts signed a closure, and the disk holds what they signed.

use std::path::{Path, PathBuf};

use serde::Serialize;
use touchstone_store::closure::{self, REGISTRY_DIR, Refused, Registry, Trust};
use touchstone_store::manifest::VerifyError;
use touchstone_store::{KeyError, PublicKey, STORE_DIR, StorePath};

use crate::Host;
use crate::settings::{Settings, SettingsError};

/// What was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Store paths.
    pub paths: usize,
    /// Bytes of them that were hashed, as NAR.
    pub bytes: u64,
}

/// Why a closure is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// What the running system trusts is not known.
    #[error("whom the running system trusts is not known: {source}")]
    Settings {
        /// Why.
        source: Box<SettingsError>,
    },
    /// It trusts nobody.
    #[error(
        "the running system trusts no key\n  help: set boot.loader.touchstone.trustedPublicKeys, and install that configuration as this machine was installed"
    )]
    Nobody,
    /// A key of it cannot be read.
    #[error(
        "the running system trusts {text:?}, which is no key: {source}\n  help: correct boot.loader.touchstone.trustedPublicKeys"
    )]
    Key {
        /// As it is written.
        text: String,
        /// What is wrong.
        source: KeyError,
    },
    /// Its keys are fewer than it asks for.
    #[error(
        "what the running system asks for cannot be: {source}\n  help: correct boot.loader.touchstone.trustedPublicKeys and sigsNeeded"
    )]
    Demand {
        /// Why.
        source: VerifyError,
    },
    /// The closure is not what trusted keys signed.
    #[error("{toplevel} is not trusted: {source}\n  help: {help}")]
    Refused {
        /// The toplevel.
        toplevel: StorePath,
        /// Why.
        source: Box<Refused>,
        /// What to do.
        help: &'static str,
    },
}

/// Verifies every path that a toplevel reaches.
///
/// # Errors
/// [`TrustError`].
pub(super) fn verify(
    host: &Host,
    toplevel: &StorePath,
    signatures: Option<&Path>,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Verified, TrustError> {
    let trust = trusted(host)?;
    let kept = || host.at(REGISTRY_DIR);
    let registry = Registry::folder(signatures.map_or_else(kept, PathBuf::from));
    let store = host.at(STORE_DIR);
    let verified = closure::verify(toplevel, &registry, &trust, &store, progress);
    let verified = verified.map_err(|source| TrustError::Refused {
        toplevel: toplevel.clone(),
        help: help(&source),
        source: Box::new(source),
    })?;
    Ok(Verified {
        paths: verified.paths().len(),
        bytes: verified.nar_size(),
    })
}

/// Whom the running system trusts.
fn trusted(host: &Host) -> Result<Trust, TrustError> {
    let settings = Settings::of(host, &host.current_system());
    let settings = settings.map_err(|source| TrustError::Settings {
        source: Box::new(source),
    })?;
    if settings.trusted_public_keys.is_empty() {
        return Err(TrustError::Nobody);
    }
    let mut keys = Vec::new();
    for text in settings.trusted_public_keys {
        match PublicKey::parse(&text) {
            Ok(key) => keys.push(key),
            Err(source) => return Err(TrustError::Key { text, source }),
        }
    }
    let needed = usize::try_from(settings.sigs_needed).unwrap_or(usize::MAX);
    Trust::new(keys, needed).map_err(|source| TrustError::Demand { source })
}

fn help(refused: &Refused) -> &'static str {
    match refused {
        Refused::Unknown(_) | Refused::Incomplete { .. } => {
            "where Nix brought the closure, name a folder of .narinfo files with --signatures: a copy of it in a binary cache has them"
        }
        Refused::Signatures(_) | Refused::Address { .. } => {
            "sign the closure with a key that this system trusts (`nix store sign --recursive`), and bring the signatures here"
        }
        Refused::Registry(_) => "import the closure again",
        Refused::Manifest(_) | Refused::OtherToplevel { .. } => {
            "name the manifest of this very toplevel, as it was made"
        }
        Refused::Closure(_)
        | Refused::Nar(_)
        | Refused::Content { .. }
        | Refused::Longer { .. }
        | Refused::Name(_) => {
            "the disk does not hold what was signed: remove the path, and import it again"
        }
    }
}
