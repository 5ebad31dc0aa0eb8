//! Opening a key that a PKCS#11 token holds.

use touchstone_sign::{PublicKey, SignError, Signer};
use touchstone_token::{TokenError, TokenSigner, Uri};

use super::refuse_in_store;
use crate::Error;

/// Opens the key that a `pkcs11:` URI names. `certificate` is the public key of its certificate, for tokens that do not tell it.
///
/// # Errors
/// [`Error::Key`] when the PIN lies in the store, else [`Error::Signer`].
pub(super) fn open(key: &str, certificate: Option<&PublicKey>) -> Result<Box<dyn Signer>, Error> {
    // The text is not repeated when it cannot be read: it may hold a PIN.
    let uri: Uri = key
        .parse()
        .map_err(|error| failed("pkcs11:", TokenError::Uri(error).of("the URI".to_owned())))?;
    if let Some(file) = &uri.pin_source {
        let help =
            "keep the PIN outside of the store, and give the token a new one: this one is public";
        refuse_in_store(file, "the PIN", help)?;
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
