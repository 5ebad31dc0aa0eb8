//! Opening the keys: the holder reads the private halves, this what is public.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Mutex;

use der::EncodePem;
use der::pem::LineEnding;
use touchstone_sign::{Certificate, CertifiedSigner, PublicKey, SignError, Signer, certificate};

use super::{Half, Key, Keyring, KeyringError};
use crate::holder::{
    BootKey, CheckpointLine, HeldKey, Holder, HolderError, KeyForm, KeySpec, Program,
};
use crate::log::Digest;
use crate::policy::{self, Policy};
use crate::protocol::{KeyKind, KeyName};

/// Certificates and public keys are at most this large.
const LIMIT: u64 = 1 << 16;

impl Keyring {
    /// Opens all keys of the policy, in a process of their own. `ended` is called if that ends before its time.
    ///
    /// # Errors
    /// [`KeyringError`].
    pub fn open(
        policy: &Policy,
        program: &Program,
        ended: impl FnOnce() + Send + 'static,
    ) -> Result<Self, KeyringError> {
        let specs: Vec<KeySpec> = policy.keys().map(|(_, key)| spec(key)).collect();
        let (holder, held) = Holder::start(program, &specs, ended)?;
        let mut keys = BTreeMap::new();
        for ((name, key), held) in policy.keys().zip(held) {
            keys.insert(name.clone(), open(name, key, held)?);
        }
        Ok(Self {
            keys,
            holder: Mutex::new(Some(holder)),
        })
    }
}

/// Opens the key that signs checkpoints of the log, in another process: it outlives the others, for the last checkpoint.
///
/// # Errors
/// [`HolderError`].
pub fn open_checkpoint_key(
    file: &Path,
    program: &Program,
    ended: impl FnOnce() + Send + 'static,
) -> Result<CheckpointLine, HolderError> {
    let spec = KeySpec {
        form: KeyForm::Checkpoint,
        key: file.display().to_string(),
        passphrase_file: None,
        public: None,
    };
    let (holder, held) = Holder::start(program, &[spec], ended)?;
    CheckpointLine::new(holder, held)
}

fn spec(key: &policy::Key) -> KeySpec {
    KeySpec {
        form: match key.kind {
            KeyKind::Image | KeyKind::Pcr => KeyForm::Boot,
            KeyKind::Nix => KeyForm::Nix,
        },
        key: key.key.clone(),
        passphrase_file: key.passphrase_file.clone(),
        public: key.public_key.clone().or_else(|| key.certificate.clone()),
    }
}

fn open(name: &KeyName, key: &policy::Key, held: HeldKey) -> Result<Key, KeyringError> {
    match (key.kind, held) {
        (KeyKind::Image, HeldKey::Boot(signer)) => image(name, key, signer),
        (KeyKind::Pcr, HeldKey::Boot(signer)) => pcr(name, key, signer),
        (KeyKind::Nix, HeldKey::Nix(signer)) => Ok(Key {
            sha256: Digest::of(signer.public_key().contents()),
            public: signer.public_key().to_string().into_bytes(),
            half: Half::Nix(signer),
        }),
        _ => Err(KeyringError::Kind(name.clone())),
    }
}

fn image(name: &KeyName, key: &policy::Key, signer: BootKey) -> Result<Key, KeyringError> {
    let file = key.certificate.as_deref();
    let bytes = read(name, file)?;
    let wrong = |source: SignError| public(name, file, source);
    let all = certificate::read_all(&bytes).map_err(|error| wrong(error.into()))?;
    let signer = CertifiedSigner::new(Box::new(signer), all).map_err(wrong)?;
    let own = certificate::to_der(signer.certificate()).map_err(|error| wrong(error.into()))?;
    Ok(Key {
        sha256: Digest::of(&own),
        public: pem(&signer).map_err(|error| wrong(error.into()))?,
        half: Half::Image(Box::new(signer)),
    })
}

/// The certificate and its chain.
fn pem(signer: &CertifiedSigner) -> Result<Vec<u8>, der::Error> {
    let all = std::iter::once(signer.certificate()).chain(signer.chain());
    let texts = all.map(|one: &Certificate| one.to_pem(LineEnding::LF));
    Ok(texts.collect::<Result<String, _>>()?.into_bytes())
}

fn pcr(name: &KeyName, key: &policy::Key, signer: BootKey) -> Result<Key, KeyringError> {
    let file = key.public_key.as_deref();
    let wrong = |source| public(name, file, source);
    if !matches!(signer.public_key(), PublicKey::Rsa(_)) {
        return Err(KeyringError::Kind(name.clone()));
    }
    let text = signer.public_key().to_pem().map_err(wrong)?;
    let (_, der) = der::Document::from_pem(&text).map_err(|error| wrong(error.into()))?;
    Ok(Key {
        sha256: Digest::of(der.as_bytes()),
        // `.pcrpkey` holds the file's own bytes.
        public: match file {
            Some(_) => read(name, file)?,
            None => text.into_bytes(),
        },
        half: Half::Pcr(signer),
    })
}

fn public(name: &KeyName, file: Option<&Path>, source: SignError) -> KeyringError {
    KeyringError::Public {
        key: name.clone(),
        file: file.map(Path::to_owned),
        source,
    }
}

fn read(name: &KeyName, file: Option<&Path>) -> Result<Vec<u8>, KeyringError> {
    let path = file.unwrap_or(Path::new(""));
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?.take(LIMIT).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read().map_err(|source| KeyringError::Unreadable {
        key: name.clone(),
        file: path.to_owned(),
        source,
    })
}
