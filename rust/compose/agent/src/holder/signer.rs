//! Keys that the holder has: signers like any other.

use std::sync::Arc;

use touchstone_sign::{Hash, PublicKey, SignError, Signer};
use touchstone_store::{KeyError, Signature};

use super::messages::{HashName, KeyForm, KeySpec, NotHeld, PublicHalf};
use super::{Holder, HolderError, Line};
use crate::log::{self, CheckpointSigner, SignFault};

/// A key that the holder has open.
pub enum HeldKey {
    /// For images and values of PCR 11.
    Boot(BootKey),
    /// For store paths.
    Nix(NixKey),
    /// For checkpoints of the log.
    Checkpoint(CheckpointHalf),
}

/// An RSA or ECDSA key that the holder has open.
pub struct BootKey {
    line: Arc<Line>,
    key: usize,
    public: PublicKey,
    place: String,
}

impl Signer for BootKey {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.line.sign(self.key, hash.into(), message);
        signature.map_err(|why| why.of_holder(self.describe()))
    }

    fn describe(&self) -> String {
        self.place.clone()
    }
}

/// A Nix key that the holder has open.
pub struct NixKey {
    line: Arc<Line>,
    key: usize,
    public: touchstone_store::PublicKey,
}

impl NixKey {
    /// The other half.
    pub fn public_key(&self) -> &touchstone_store::PublicKey {
        &self.public
    }

    /// Signs a fingerprint, and verifies what was made.
    ///
    /// # Errors
    /// [`NotHeld`].
    pub fn sign(&self, fingerprint: &str) -> Result<Signature, NotHeld> {
        let signature = self
            .line
            .sign(self.key, HashName::Sha512, fingerprint.as_bytes())?;
        let signature = std::str::from_utf8(&signature).unwrap_or_default();
        match Signature::parse(signature) {
            Ok(made) if self.public.verifies(fingerprint, &made) => Ok(made),
            _ => Err(NotHeld::new(
                "key.wrong-signature",
                format!(
                    "the key {} made a signature that does not verify",
                    self.public.name()
                ),
                "do not use what holds this key until it is repaired",
            )),
        }
    }
}

/// A key of checkpoints that the holder has open.
pub struct CheckpointHalf {
    line: Arc<Line>,
    key: usize,
    public: log::PublicKey,
}

/// A key of checkpoints, and the holder that has nothing else.
pub struct CheckpointLine {
    half: CheckpointHalf,
    _holder: Holder,
}

impl CheckpointLine {
    /// The only key that the holder opened.
    ///
    /// # Errors
    /// [`HolderError`] when it is none.
    pub(crate) fn new(holder: Holder, keys: Vec<HeldKey>) -> Result<Self, HolderError> {
        match <[HeldKey; 1]>::try_from(keys) {
            Ok([HeldKey::Checkpoint(half)]) => Ok(Self {
                half,
                _holder: holder,
            }),
            _ => Err(other_keys().into()),
        }
    }
}

impl CheckpointLine {
    /// The other half, as a text.
    pub fn public_text(&self) -> String {
        self.half.public.to_string()
    }
}

impl CheckpointSigner for CheckpointLine {
    fn public_key(&self) -> &log::PublicKey {
        &self.half.public
    }

    fn sign(&self, text: &[u8]) -> Result<[u8; 64], SignFault> {
        let CheckpointHalf { line, key, .. } = &self.half;
        let signature = line.sign(*key, HashName::Sha512, text);
        let signature = signature.map_err(|why| SignFault(why.what))?;
        let wrong = |_| SignFault("it is no signature".to_owned());
        signature.try_into().map_err(wrong)
    }
}

fn other_keys() -> NotHeld {
    let what = "the process that holds the keys opened others";
    NotHeld::new("key.failed", what.to_owned(), "start the agent again")
}

/// The keys, as the holder opened them.
pub(super) fn held(
    line: &Arc<Line>,
    specs: &[KeySpec],
    halves: Vec<PublicHalf>,
) -> Result<Vec<HeldKey>, HolderError> {
    let wrong = |what: String| NotHeld::new("key.failed", what, "start the agent again");
    if halves.len() != specs.len() {
        return Err(other_keys().into());
    }
    let pairs = specs.iter().zip(halves).enumerate();
    pairs
        .map(|(key, (spec, half))| {
            let line = Arc::clone(line);
            Ok(match spec.form {
                KeyForm::Boot => HeldKey::Boot(BootKey {
                    line,
                    key,
                    public: PublicKey::read(half.public.as_bytes())
                        .map_err(|error| NotHeld::of_signing(&error))?,
                    place: half.place,
                }),
                KeyForm::Nix => HeldKey::Nix(NixKey {
                    line,
                    key,
                    public: half
                        .public
                        .parse()
                        .map_err(|error: KeyError| wrong(error.to_string()))?,
                }),
                KeyForm::Checkpoint => HeldKey::Checkpoint(CheckpointHalf {
                    line,
                    key,
                    public: half
                        .public
                        .parse()
                        .map_err(|error: log::note::KeyError| wrong(error.to_string()))?,
                }),
            })
        })
        .collect()
}
