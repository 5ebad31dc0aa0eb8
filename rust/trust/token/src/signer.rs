//! The signer: a session with a token, and a key in it.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::MechanismType;
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use cryptoki::slot::Slot;
use touchstone_sign::{Hash, KeyKind, PublicKey, SignError, Signer};

use crate::ecdsa;
use crate::error::TokenError;
use crate::key::Key;
use crate::mechanism::Way;
use crate::module::Module;
use crate::pin::Pin;
use crate::token::Token;
use crate::uri::Uri;

/// Signs with a private key that a PKCS#11 token holds: RSA of 2048 to 4096 bits, P-256 or P-384.
///
/// The session is logged in until the signer is dropped. The PIN is wiped as soon as that is done, but for keys that want it for each
/// signature (CKA_ALWAYS_AUTHENTICATE): theirs is wiped when the signer is dropped. RSA signatures are the same each time, as a key
/// file's; ECDSA signatures differ each time, because the token draws a random number.
pub struct TokenSigner {
    // In this order they are dropped: the session is closed before its module is given back.
    session: Mutex<Session>,
    key: ObjectHandle,
    public_key: PublicKey,
    mechanisms: Vec<MechanismType>,
    pin_for_each: Option<Pin>,
    name: String,
    _module: Module,
}

impl TokenSigner {
    /// Loads the module, finds token and key, and logs in. `certificate` is the public key that is taken for the key's own where the
    /// token does not tell it; what it signs must then verify with that.
    ///
    /// # Errors
    /// [`TokenError`] says which step failed.
    pub fn open(uri: &Uri, certificate: Option<&PublicKey>) -> Result<Self, TokenError> {
        let module = Module::open(&uri.module)?;
        let token = Token::find(&module, uri)?;
        let pin = Pin::for_token(&token.info, uri)?;
        let session = module.open_ro_session(token.slot)?;
        if let Some(pin) = &pin {
            pin.log_in(&session)?;
        }
        let key = Key::find(&session, uri)?;
        let public_key = key.public_key(certificate)?;
        let for_each = key.always_authenticates()?;
        let key = key.handle;
        Ok(Self {
            key,
            public_key,
            mechanisms: signing_mechanisms(&module, token.slot)?,
            pin_for_each: pin.filter(|_| for_each),
            name: uri.name(),
            session: Mutex::new(session),
            _module: module,
        })
    }

    fn raw_signature(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let ways = Way::all(self.public_key.kind(), hash, self.pin_for_each.is_some());
        let way = ways
            .iter()
            .find(|way| way.is_offered(&self.mechanisms))
            .ok_or_else(|| TokenError::NoMechanism {
                wanted: ways.iter().map(Way::name).collect::<Vec<_>>().join(", "),
            })?;
        let input = way.input(hash, message);
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(pin) = &self.pin_for_each else {
            return Ok(session.sign(&way.mechanism, self.key, &input)?);
        };
        session.sign_init(&way.mechanism, self.key)?;
        pin.allow(&session)?;
        match session.sign_update(&input) {
            Ok(()) => Ok(session.sign_final()?),
            Err(Error::Pkcs11(RvError::OperationNotInitialized, _)) => Err(TokenError::InOneStep),
            Err(Error::Pkcs11(RvError::FunctionNotSupported, _)) => Err(TokenError::InOneStep),
            Err(error) => Err(error.into()),
        }
    }

    fn signature(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, TokenError> {
        let raw = self.raw_signature(hash, message)?;
        match self.public_key.kind() {
            KeyKind::Rsa => Ok(raw),
            KeyKind::P256 => ecdsa::to_der(&raw, 32),
            KeyKind::P384 => ecdsa::to_der(&raw, 48),
        }
    }
}

impl Signer for TokenSigner {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.signature(hash, message)
            .map_err(|error| error.of(self.describe()))
    }

    fn describe(&self) -> String {
        describe(&self.name)
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenSigner({})", self.name)
    }
}

/// What a signer with this name says of itself.
fn describe(name: &str) -> String {
    format!("the token's key {name}")
}

/// The mechanisms that sign: some tokens offer a mechanism for verification alone.
fn signing_mechanisms(module: &Module, slot: Slot) -> Result<Vec<MechanismType>, TokenError> {
    let mut offered = module.get_mechanism_list(slot)?;
    offered.retain(|&kind| {
        module
            .get_mechanism_info(slot, kind)
            .is_ok_and(|info| info.sign())
    });
    Ok(offered)
}
