//! Signatures of PCR 11 values that were made elsewhere, in the folder that `boot.sign` fills.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use touchstone_measure::Bank;
use touchstone_measure::policy::PolicyError;
use touchstone_sign::{Hash, PublicKey, SignError, Signer};

use super::key::read_public;
use super::refused;
use crate::signing_key::KEY_LIMIT;
use crate::source::{entries, read_small};
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
    /// By its name in the folder, where each signature lies.
    places: BTreeMap<OsString, PathBuf>,
}

impl FolderSigner {
    /// Those by the private half of the key in `public`, which systemd must know.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`].
    pub(super) fn open(files: &dyn Files, public: &Path, folder: &Path) -> Result<Self, Error> {
        let public = read_public(files, public)?;
        let places = places(files, folder).map_err(|source| Error::Open {
            role: "folder of detached signatures",
            file: folder.to_owned(),
            source,
        })?;
        Ok(Self {
            public,
            folder: folder.to_owned(),
            places,
        })
    }
}

impl Signer for FolderSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, _hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let name = named(message, PCR_SIGNATURE);
        let file = self.folder.join(&name);
        let Some(place) = self.places.get(OsStr::new(&name)) else {
            return Err(SignError::MadeNowhere { file });
        };
        // Located when the folder was opened.
        let read = read_small(&HostFiles, "detached signature", place, KEY_LIMIT as u64);
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

/// Where each signature of the folder lies: they are asked for while the caller's files are at hand, and read when a digest is known.
fn places(files: &dyn Files, folder: &Path) -> io::Result<BTreeMap<OsString, PathBuf>> {
    let is_signature =
        |name: &OsString| Path::new(name).extension() == Some(PCR_SIGNATURE.as_ref());
    let names = entries(files, folder)?.into_iter().map(|entry| entry.name);
    names
        .filter(is_signature)
        .map(|name| {
            let place = files.locate(&folder.join(&name))?;
            Ok((name, place))
        })
        .collect()
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
