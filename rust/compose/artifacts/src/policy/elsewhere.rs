//! Signatures of PCR 11 values that were made elsewhere, in the folder that `boot.sign` fills.

use std::path::{Path, PathBuf};

use touchstone_measure::Bank;
use touchstone_measure::policy::PolicyError;
use touchstone_sign::{Hash, PublicKey, SignError, Signer};

use super::key::read_public;
use super::refused;
use crate::signing_key::KEY_LIMIT;
use crate::source::read_small;
use crate::{Error, Files, HostFiles};

/// How the files end that are to be signed: a policy's digest, and behind it that of the policy reference.
pub(crate) const PCR_DATA: &str = "pcr-data";
/// How the signatures' files end.
pub(crate) const PCR_SIGNATURE: &str = "pcr-signature";

/// A policy and its reference have 32 bytes each: nothing else that is signed is so short.
pub(crate) const PCR_DATA_LENGTHS: [usize; 2] = [32, 64];

/// The file in a folder that has to do with what is to be signed: it is named by its SHA-256.
pub(crate) fn named(message: &[u8], end: &str) -> String {
    format!("{}.{end}", Bank::Sha256.hash(message))
}

/// Signatures in a folder.
pub(super) struct FolderSigner {
    public: PublicKey,
    folder: PathBuf,
    /// Where the folder lies.
    place: PathBuf,
}

impl FolderSigner {
    /// Those by the private half of the key in `public`, which systemd must know.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`].
    pub(super) fn open(files: &dyn Files, public: &Path, folder: &Path) -> Result<Self, Error> {
        let place = files.locate(folder).map_err(|source| Error::Open {
            role: "folder of detached signatures",
            file: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            public: read_public(files, public)?,
            folder: folder.to_owned(),
            place,
        })
    }
}

impl Signer for FolderSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, _hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let name = named(message, PCR_SIGNATURE);
        let (file, place) = (self.folder.join(&name), self.place.join(&name));
        if !place.exists() {
            return Err(SignError::MadeNowhere { file });
        }
        let read = read_small(&HostFiles, "detached signature", &place, KEY_LIMIT as u64);
        read.map_err(|error| SignError::Holder {
            signer: file.display().to_string(),
            fault: touchstone_sign::Fault::Failed,
            what: error.to_string(),
        })
    }

    fn describe(&self) -> String {
        format!("whoever filled {}", self.folder.display())
    }
}

/// What becomes `.pcrpkey` of a file with a public key: the file as it is, as `ukify` has it; written anew where there is only a certificate.
///
/// # Errors
/// [`Error::Open`], [`Error::SignatureData`], [`Error::Policy`] of a key that systemd does not know.
pub(crate) fn public_section(files: &dyn Files, file: &Path) -> Result<Vec<u8>, Error> {
    let key = read_public(files, file)?;
    if !matches!(key, PublicKey::Rsa(_)) {
        return Err(refused(Some(file), PolicyError::NotRsa));
    }
    let bytes = read_small(files, "public key", file, KEY_LIMIT as u64)?;
    let pem = b"-----BEGIN PUBLIC KEY-----";
    if bytes.windows(pem.len()).any(|window| window == pem) {
        return Ok(bytes);
    }
    let pem = key.to_pem().map_err(|source| Error::Signer {
        key: file.display().to_string(),
        source,
    })?;
    Ok(pem.into_bytes())
}
