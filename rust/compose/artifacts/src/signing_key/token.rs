//! Opening a key that a PKCS#11 token holds.

use touchstone_sign::{PublicKey, SignError, Signer};
use touchstone_token::{TokenError, TokenSigner, Uri};

use super::Secret;
use crate::{Error, Files};

/// Opens the key that a `pkcs11:` URI names. `certificate` is the public key of its certificate, for tokens that do not tell it.
///
/// # Errors
/// [`Error::Key`] when the PIN lies in the store, [`Error::Open`] where nobody may look, else [`Error::Signer`].
pub(super) fn open(
    files: &dyn Files,
    key: &str,
    certificate: Option<&PublicKey>,
) -> Result<Box<dyn Signer>, Error> {
    // The text is not repeated when it cannot be read: it may hold a PIN.
    let mut uri: Uri = key
        .parse()
        .map_err(|error| failed("pkcs11:", TokenError::Uri(error).of("the URI".to_owned())))?;
    if let Some(file) = &mut uri.pin_source {
        let secret = Secret {
            role: "PIN",
            subject: "the PIN",
            help: "keep the PIN outside of the store, and give the token a new one: this one is public",
        };
        *file = secret.place(files, file)?;
    }
    match TokenSigner::open(&uri, certificate) {
        Ok(signer) => Ok(Box::new(signer)),
        Err(error) => Err(failed(key, error.of(uri.name()))),
    }
}

fn failed(key: &str, source: SignError) -> Error {
    Error::Signer {
        key: key.to_owned(),
        source,
    }
}
