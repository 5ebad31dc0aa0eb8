//! Opening a key that a TPM holds.

use std::path::Path;

use touchstone_sign::{Fault, SignError, Signer};
use touchstone_tpm::{Key, KeyFile, KeyPlace, KeyUri, TpmSigner};
use zeroize::Zeroizing;

use super::{KEY_LIMIT, Secret, first_line};
use crate::source::{read_secret, read_small};
use crate::{Error, Files};

/// Opens the key that a `tpm2:` URI names.
///
/// # Errors
/// [`Error::Key`] when the authorization value lies in the store, [`Error::Open`] when a file is missing, else [`Error::Signer`].
pub(super) fn open(files: &dyn Files, key: &str) -> Result<Box<dyn Signer>, Error> {
    // The text is not repeated when it cannot be read: it may hold what has no place in a URI.
    let uri: KeyUri = key
        .parse()
        .map_err(|error| failed("tpm2:", holder("tpm2:", Fault::Name, &error)))?;
    let name = uri.describe();
    let auth = uri
        .auth_source()
        .map(|file| authorization(files, file))
        .transpose()?;
    let opened = match uri.place() {
        KeyPlace::Handle(handle) => {
            TpmSigner::open(name.clone(), uri.tcti(), Key::Persistent(*handle), auth)
        }
        KeyPlace::File(file) => {
            let file = KeyFile::read(&read_small(files, "signing key", file, KEY_LIMIT as u64)?)
                .map_err(|error| failed(key, holder(&name, error.fault(), &error)))?;
            TpmSigner::open(name.clone(), uri.tcti(), Key::File(&file), auth)
        }
    };
    match opened {
        Ok(signer) => Ok(Box::new(signer)),
        Err(error) => Err(failed(key, error.of_signer(name))),
    }
}

/// The first line of the file.
fn authorization(files: &dyn Files, file: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
    let secret = Secret {
        role: "authorization value",
        subject: "the authorization value",
        help: "keep the value outside of the store, and give the key a new one: this one is public",
    };
    secret.place(files, file)?;
    let bytes = read_secret(files, secret.role, file, KEY_LIMIT)?;
    Ok(Zeroizing::new(first_line(&bytes).to_vec()))
}

fn failed(key: &str, source: SignError) -> Error {
    Error::Signer {
        key: key.to_owned(),
        source,
    }
}

fn holder(signer: &str, fault: Fault, why: &dyn std::error::Error) -> SignError {
    SignError::Holder {
        signer: signer.to_owned(),
        fault,
        what: why.to_string(),
    }
}
