//! Why a token does not sign.

use std::path::PathBuf;

use cryptoki::context::Function;
use cryptoki::error::{Error, RvError};
use touchstone_sign::{Fault, SignError};

use crate::uri::UriError;

/// Why a key in a token is not used. No text shows a PIN.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The URI is refused.
    #[error(transparent)]
    Uri(#[from] UriError),
    /// The module is missing, cannot be loaded, or is no PKCS#11 module.
    #[error("the PKCS#11 module {module} cannot be loaded: {what}")]
    Load {
        /// Its file, or the names under which the system was asked.
        module: String,
        /// What the dynamic linker or the module says.
        what: String,
    },
    /// The URI's `library-…` attributes are of another module.
    #[error(
        "the module is another one than the URI says: it is `{description}` {version} of `{manufacturer}`"
    )]
    OtherModule {
        /// Its description.
        description: String,
        /// Its version.
        version: String,
        /// Its manufacturer.
        manufacturer: String,
    },
    /// No token is as the URI says.
    #[error("no token matches; {there}")]
    TokenMissing {
        /// Which tokens are there.
        there: String,
    },
    /// More than one token is as the URI says.
    #[error("{count} tokens match: {there}")]
    SeveralTokens {
        /// How many.
        count: usize,
        /// Which, as URIs.
        there: String,
    },
    /// No object in the token is as the URI says.
    #[error("no object of the token matches{hint}")]
    ObjectMissing {
        /// What else may be the reason.
        hint: &'static str,
    },
    /// Only objects that are no private keys are as the URI says.
    #[error(
        "what matches in the token is no private key: certificates and public keys cannot sign"
    )]
    NotAPrivateKey,
    /// More than one private key is as the URI says.
    #[error("{count} private keys of the token match: {there}")]
    SeveralKeys {
        /// How many.
        count: usize,
        /// Which, as URIs.
        there: String,
    },
    /// The token wants a PIN and the URI names no file with one.
    #[error("the token wants a PIN, and the URI names no file with one (`pin-source`)")]
    PinNeeded,
    /// The PIN's file cannot be read.
    #[error("the file with the PIN, {}, cannot be read: {source}", file.display())]
    PinFile {
        /// The file.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// The first line of the PIN's file is empty or too long for a PIN.
    #[error("the first line of {}, where the PIN should be, {what}", file.display())]
    NoPin {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The token refuses the PIN.
    #[error("the token says that the PIN is wrong")]
    WrongPin,
    /// One more wrong PIN locks the token: none is tried.
    #[error(
        "the token says that one more wrong PIN locks it, so none was tried: log in by hand once (`pkcs11-tool --login --list-objects`), which resets the count, or add `x-touchstone-last-try=yes` to the URI's query"
    )]
    LastTry,
    /// The token is locked.
    #[error("the token is locked: too many wrong PINs were tried")]
    Locked,
    /// The PIN must be changed first.
    #[error("the PIN has expired: set a new one with the token's own tool")]
    PinExpired,
    /// The token has no user PIN.
    #[error("the token has no user PIN yet: set one with the token's own tool")]
    PinNotSet,
    /// A kind of key that cannot sign boot files.
    #[error("{0} cannot sign boot files: use RSA 2048 to 4096, P-256 or P-384")]
    UnsupportedKey(String),
    /// The public half is damaged or too small.
    #[error("the key's public half is not usable: {0}")]
    PublicKey(SignError),
    /// The public half is nowhere.
    #[error(
        "the token does not tell the key's public half, and the certificate is of another kind of key"
    )]
    NoPublicKey,
    /// The token has no way to make this signature.
    #[error("the token signs with this key in none of the ways {wanted}")]
    NoMechanism {
        /// The mechanisms that were looked for.
        wanted: String,
    },
    /// The token does not do with this key what is asked.
    #[error("the token does not let this key sign: {call} answered {code}")]
    Refused {
        /// The function that was called.
        call: String,
        /// What it answered.
        code: String,
    },
    /// The key wants its PIN between the steps of a signature, and the token makes such a signature in one.
    #[error(
        "the key wants its PIN for each signature, and the token offers no mechanism for it that is used in steps (such as CKM_ECDSA_SHA256): use a key without CKA_ALWAYS_AUTHENTICATE, or one of RSA"
    )]
    InOneStep,
    /// The token was taken out.
    #[error("the token was removed while it was used")]
    Removed,
    /// A signature of another form than the mechanism's.
    #[error(
        "the token gave an ECDSA signature of {length} bytes, which is not two numbers of the curve's size"
    )]
    Signature {
        /// Its length.
        length: usize,
    },
    /// The module failed in another way.
    #[error("{call} answered {code}")]
    Failed {
        /// The function that was called.
        call: String,
        /// What it answered.
        code: String,
    },
    /// The module does not keep to PKCS#11.
    #[error("the module does not do as PKCS#11 says: {0}")]
    Module(String),
}

impl TokenError {
    /// The kind of failure, which names what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Uri(_) => Fault::Name,
            Self::Load { .. } | Self::Removed => Fault::Unreachable,
            Self::OtherModule { .. } | Self::TokenMissing { .. } | Self::ObjectMissing { .. } => {
                Fault::Missing
            }
            Self::SeveralTokens { .. } | Self::SeveralKeys { .. } => Fault::Ambiguous,
            Self::NotAPrivateKey => Fault::NotAKey,
            Self::PinNeeded | Self::PinFile { .. } | Self::NoPin { .. } => Fault::SecretNeeded,
            Self::WrongPin | Self::LastTry => Fault::WrongSecret,
            Self::Locked => Fault::Locked,
            Self::UnsupportedKey(_)
            | Self::NoMechanism { .. }
            | Self::InOneStep
            | Self::Refused { .. } => Fault::Unsupported,
            Self::PublicKey(error) => error.fault(),
            Self::NoPublicKey => Fault::Mismatch,
            Self::PinExpired
            | Self::PinNotSet
            | Self::Signature { .. }
            | Self::Failed { .. }
            | Self::Module(_) => Fault::Failed,
        }
    }

    /// The failure of the signer that describes itself so.
    pub fn of(self, signer: String) -> SignError {
        SignError::Holder {
            signer,
            fault: self.fault(),
            what: self.to_string(),
        }
    }
}

impl From<Error> for TokenError {
    fn from(error: Error) -> Self {
        match error {
            Error::Pkcs11(code, function) => Self::answered(code, function),
            other => Self::Module(other.to_string()),
        }
    }
}

impl TokenError {
    fn answered(answer: RvError, function: Function) -> Self {
        let (call, code) = (format!("C_{function:?}"), format!("{answer:?}"));
        match answer {
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => Self::WrongPin,
            RvError::PinLocked => Self::Locked,
            RvError::PinExpired => Self::PinExpired,
            RvError::UserPinNotInitialized => Self::PinNotSet,
            RvError::UserNotLoggedIn => Self::PinNeeded,
            // A token that goes away ends its sessions (PKCS#11 v3.1 section 5.6).
            RvError::DeviceRemoved | RvError::TokenNotPresent | RvError::SessionHandleInvalid => {
                Self::Removed
            }
            RvError::MechanismInvalid
            | RvError::KeyFunctionNotPermitted
            | RvError::KeyTypeInconsistent
            | RvError::KeySizeRange
            | RvError::FunctionNotSupported => Self::Refused { call, code },
            _ => Self::Failed { call, code },
        }
    }
}
