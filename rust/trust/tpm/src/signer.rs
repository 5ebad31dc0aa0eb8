//! Lets a TPM sign.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use der::Encode;
use der::asn1::UintRef;
use touchstone_sign::{Hash, KeyKind, PublicKey, SignError, Signer};
use tss_esapi::constants::StructureTag;
use tss_esapi::handles::{KeyHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy as Seed;
use tss_esapi::structures::{
    Digest, EccSignature, HashScheme, HashcheckTicket, Signature, SignatureScheme,
};
use tss_esapi::tss2_esys::{TPM2B_DIGEST, TPMT_TK_HASHCHECK};
use zeroize::Zeroizing;

use crate::context::Tpm;
use crate::error::TpmError;
use crate::key::KeyFile;
use crate::public::{SigningPublic, algorithm};
use crate::tcti::Tcti;

/// Signs with a key that a TPM holds: RSASSA-PKCS1-v1_5, ECDSA on P-256 or P-384.
///
/// The key is opened once; the TPM is spoken to until the signer is dropped, which leaves nothing of it in the TPM. What is signed is hashed
/// here. The authorization value is wiped from memory when the signer is dropped (tpm2-tss has a copy of its own).
pub struct TpmSigner {
    name: String,
    public: SigningPublic,
    auth: Option<Zeroizing<Vec<u8>>>,
    opened: Mutex<Opened>,
}

struct Opened {
    tpm: Tpm,
    key: KeyHandle,
}

/// A key that can be opened.
#[derive(Clone, Copy, Debug)]
pub enum Key<'a> {
    /// Under this persistent handle.
    Persistent(u32),
    /// From this file.
    File(&'a KeyFile),
}

impl TpmSigner {
    /// Opens a key; `name` is what it is called in messages.
    ///
    /// # Errors
    /// When the TPM cannot be reached, has no such key or does not load it, or the key signs no boot files; when a file says that there is an
    /// authorization value and none is given. Whether the value is right shows when the key signs.
    pub fn open(
        name: String,
        tcti: &Tcti,
        key: Key<'_>,
        auth: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<TpmSigner, TpmError> {
        // Asking the TPM with an empty value would count as a wrong one. Whoever gives an empty value wants to ask: tpm2_encodeobject 5.7
        // writes of every key that it has one.
        if let (Key::File(file), None) = (key, &auth)
            && !file.has_empty_auth()
        {
            return Err(TpmError::AuthNeededByFile);
        }
        let mut tpm = Tpm::connect(tcti)?;
        let key = match key {
            Key::Persistent(handle) => tpm.persistent(handle)?,
            Key::File(file) => tpm.load(file)?,
        };
        let public = SigningPublic::of(&tpm.public(key)?)?;
        // An empty value is none: it needs no session.
        let auth = auth.filter(|auth| !auth.is_empty());
        if auth
            .as_ref()
            .is_some_and(|auth| auth.len() > public.longest_auth)
        {
            return Err(TpmError::AuthTooLong(public.longest_auth));
        }
        Ok(TpmSigner {
            name,
            public,
            auth,
            opened: Mutex::new(Opened { tpm, key }),
        })
    }

    fn try_sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, TpmError> {
        let algorithm = algorithm(hash);
        if self.public.digest.is_some_and(|bound| bound != algorithm) {
            return Err(TpmError::Digest(hash));
        }
        let auth = self.auth.as_ref().map(|auth| auth.as_slice());
        let refused = |error| TpmError::failed("take a digest", error);
        let digest = Digest::try_from(hash.digest(message)).map_err(refused)?;
        let ticket = no_ticket().map_err(refused)?;
        let scheme = scheme(self.public.key.kind(), algorithm);
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let Opened { tpm, key } = &mut *opened;
        let signature = tpm.authorized(
            *key,
            auth,
            |context| context.sign(*key, digest, scheme, ticket),
            |error| TpmError::of_sign(error, auth.is_some()),
        )?;
        match signature {
            Signature::RsaSsa(signature) => Ok(signature.signature().value().to_vec()),
            Signature::EcDsa(signature) => sequence(&signature),
            _ => Err(TpmError::Failed {
                doing: "sign",
                code: "it made a signature of another kind".to_owned(),
            }),
        }
    }
}

impl Signer for TpmSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public.key
    }

    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.try_sign(hash, message)
            .map_err(|error| error.of_signer(self.describe()))
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl fmt::Debug for TpmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TpmSigner({})", self.name)
    }
}

fn scheme(kind: KeyKind, algorithm: HashingAlgorithm) -> SignatureScheme {
    let hash_scheme = HashScheme::new(algorithm);
    match kind {
        KeyKind::Rsa => SignatureScheme::RsaSsa { hash_scheme },
        KeyKind::P256 | KeyKind::P384 => SignatureScheme::EcDsa { hash_scheme },
    }
}

/// The ticket that says nothing: unrestricted keys need none (TPM 2.0 Part 3, section 20.2).
fn no_ticket() -> tss_esapi::Result<HashcheckTicket> {
    TPMT_TK_HASHCHECK {
        tag: StructureTag::Hashcheck.into(),
        hierarchy: TpmHandle::from(Seed::Null).into(),
        digest: TPM2B_DIGEST::default(),
    }
    .try_into()
}

/// `Ecdsa-Sig-Value` (RFC 3279 section 2.2.3).
fn sequence(signature: &EccSignature) -> Result<Vec<u8>, TpmError> {
    let numbers = [signature.signature_r(), signature.signature_s()];
    let encode = || {
        let [r, s] = numbers.map(|number| UintRef::new(number.value()));
        let (r, s) = (r?, s?);
        [r, s].to_der()
    };
    encode().map_err(|error: der::Error| TpmError::Failed {
        doing: "sign",
        code: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_both_numbers_as_der_wants_them() {
        let number = |bytes: &[u8]| bytes.try_into().unwrap();
        let signature = EccSignature::create(
            HashingAlgorithm::Sha256,
            number(&[0, 0, 5]),
            number(&[0x80]),
        );
        let der = sequence(&signature.unwrap()).unwrap();
        assert_eq!(der, [0x30, 7, 2, 1, 5, 2, 2, 0, 0x80]);
    }
}
