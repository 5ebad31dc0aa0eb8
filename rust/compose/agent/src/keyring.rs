//! The open keys of a policy. They sign what the judge has approved, and nothing else.

mod error;
mod open;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use touchstone_measure::policy::{PcrSignatures, Proof, SignedDigest};
use touchstone_sign::{CertifiedSigner, authenticode, certificate};
use touchstone_store::Manifest;

use crate::holder::{BootKey, Holder, NixKey};
use crate::judge::{ApprovedImage, ApprovedManifest, ApprovedPolicies};
use crate::log;
use crate::protocol::{KeyFacts, KeyKind, KeyName, ProfileSignatures};

pub use error::{KeyringError, NotSigned};
pub use open::open_checkpoint_key;

/// The open keys of a policy.
pub struct Keyring {
    keys: BTreeMap<KeyName, Key>,
    holder: Mutex<Option<Holder>>,
}

/// An open key.
struct Key {
    half: Half,
    /// What the log calls it by.
    sha256: log::Digest,
    /// The public half, as [`Request::Key`](crate::protocol::Request::Key) is answered.
    public: Vec<u8>,
}

/// The half of a key that signs.
enum Half {
    Image(Box<CertifiedSigner>),
    Pcr(BootKey),
    Nix(NixKey),
}

/// The number of the register whose values are signed.
const PCR: u32 = 11;

impl Keyring {
    /// What each key signs.
    pub fn facts(&self) -> impl Iterator<Item = KeyFacts> + '_ {
        self.keys.iter().map(|(name, key)| KeyFacts {
            name: name.clone(),
            kind: key.kind(),
        })
    }

    /// The keys, as the log names them.
    pub fn logged(&self) -> Vec<log::Key> {
        let keys = self.keys.iter();
        keys.map(|(name, key)| log::Key {
            name: name.clone(),
            kind: key.kind(),
            sha256: key.sha256,
        })
        .collect()
    }

    /// A key's kind and public half.
    pub fn public_half(&self, name: &KeyName) -> Option<(KeyKind, Vec<u8>)> {
        let key = self.keys.get(name)?;
        Some((key.kind(), key.public.clone()))
    }

    /// Signs an image: the PKCS#7 SignedData. It has been verified with the key's certificate.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn authenticode(&self, approved: &ApprovedImage) -> Result<Vec<u8>, NotSigned> {
        let Half::Image(signer) = &self.key(approved.key())?.half else {
            return Err(NotSigned::Kind(approved.key().clone()));
        };
        // An agent runs for longer than certificates are valid.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        if let Ok(now) = now {
            certificate::check_validity(signer.certificate(), now.as_secs())
                .map_err(|error| NotSigned::Signer(error.into()))?;
        }
        Ok(authenticode::signature(approved.digest(), signer)?)
    }

    /// Signs the values of PCR 11 of each profile. Each signature has been verified with the public key.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn pcr_policy(
        &self,
        approved: &ApprovedPolicies,
    ) -> Result<Vec<ProfileSignatures>, NotSigned> {
        let Half::Pcr(signer) = &self.key(approved.key())?.half else {
            return Err(NotSigned::Kind(approved.key().clone()));
        };
        let proof = Proof::Signed(signer);
        let reference = approved.reference();
        let profiles = approved.profiles().iter().map(|policies| {
            let mut signatures = PcrSignatures::default();
            for (bank, policy) in policies {
                let signed = SignedDigest::new(vec![PCR], *policy, reference, proof)?;
                signatures.add(*bank, signed);
            }
            Ok(ProfileSignatures { signatures })
        });
        profiles.collect()
    }

    /// Signs every path of a manifest, and the whole where it is for a class of machines. Each signature has been verified with the public key.
    ///
    /// # Errors
    /// [`NotSigned`].
    pub fn manifest(&self, approved: &ApprovedManifest) -> Result<Manifest, NotSigned> {
        let Half::Nix(key) = &self.key(approved.key())?.half else {
            return Err(NotSigned::Kind(approved.key().clone()));
        };
        let mut manifest = approved.manifest().clone();
        manifest.sign_by(|fingerprint| key.sign(fingerprint))?;
        Ok(manifest)
    }

    /// Ends the process that has the keys, and waits until it is gone. From here on nothing is signed.
    pub fn close(&self) {
        let mut holder = self.holder.lock().unwrap_or_else(PoisonError::into_inner);
        drop(holder.take());
    }

    fn key(&self, name: &KeyName) -> Result<&Key, NotSigned> {
        let missing = || NotSigned::Missing(name.clone());
        self.keys.get(name).ok_or_else(missing)
    }
}

impl Key {
    fn kind(&self) -> KeyKind {
        match self.half {
            Half::Image(_) => KeyKind::Image,
            Half::Pcr(_) => KeyKind::Pcr,
            Half::Nix(_) => KeyKind::Nix,
        }
    }
}
