//! Why a key of a TPM does not sign, from what the TPM answers.

use touchstone_sign::{Fault, SignError};
use tss_esapi::Error;
use tss_esapi::constants::response_code::{Tss2ResponseCode, Tss2ResponseCodeKind as Kind};

/// Why a key of a TPM is not used. The texts never show an authorization value.
#[derive(Debug, thiserror::Error)]
pub enum TpmError {
    /// Nothing speaks at the other end, or the part of tpm2-tss that would speak to it is missing.
    #[error("no TPM answers there ({code})")]
    Unreachable {
        /// What tpm2-tss says.
        code: String,
    },
    /// Nothing is under a persistent handle.
    #[error("nothing is under this handle")]
    EmptyHandle,
    /// The object under which the key was made is not there.
    #[error("the key's parent is not in this TPM: nothing is under the handle {0:#010x}")]
    NoParent(u32),
    /// The hierarchy of the key's parent is closed.
    #[error("the hierarchy of the key's parent is closed in this TPM")]
    ClosedHierarchy,
    /// The parent has an authorization value of its own, and only the key's can be given.
    #[error(
        "the key's parent wants an authorization value, which cannot be given: make the key persistent (tpm2_evictcontrol) and name its handle"
    )]
    ParentAuth,
    /// The TPM cannot decrypt the key.
    #[error("this TPM did not make the key, or was cleared since, or the key file is damaged")]
    Foreign,
    /// The two halves of a key file are of different keys, or the TPM cannot read one.
    #[error("the TPM does not read the key: its file is damaged ({0})")]
    Damaged(String),
    /// A key that is not for signing.
    #[error("the key is not for signing: make one with the attribute `sign`")]
    NotForSigning,
    /// A key that signs only what the TPM itself made.
    #[error(
        "the key is restricted to signing what the TPM made: make one without the attribute `restricted`"
    )]
    Restricted,
    /// A key that no authorization value opens.
    #[error("the key is bound to a policy (it lacks `userwithauth`), which is not supported")]
    Policy,
    /// A key that makes other signatures than those of boot files.
    #[error("the key is bound to the scheme {0}: boot files need RSASSA or ECDSA")]
    Scheme(&'static str),
    /// A key that makes signatures over another digest.
    #[error("the key is bound to another digest than {0}")]
    Digest(touchstone_sign::Hash),
    /// A kind, curve or size of key that firmware does not verify, or this TPM does not know.
    #[error("the TPM or boot files do not know such a key: {0}")]
    UnsupportedKey(String),
    /// No authorization value was given, and the key has one.
    #[error("the key wants an authorization value, and none was given")]
    AuthNeeded,
    /// No authorization value was given, and the key's file says that there is one.
    #[error(
        "the key file says that the key has an authorization value, and none was given (if it has none, give an empty file)"
    )]
    AuthNeededByFile,
    /// The authorization value is wrong.
    #[error("the authorization value is wrong ({})", counted(*counts))]
    WrongAuth {
        /// Whether the TPM counts it: the key is protected against dictionary attacks.
        counts: bool,
    },
    /// A value that no such key can have: the TPM was not asked.
    #[error("the authorization value is wrong: the key's has at most {0} bytes")]
    AuthTooLong(usize),
    /// Too many wrong values: the TPM refuses right ones too.
    #[error("the TPM is in lockout after too many wrong authorization values")]
    Lockout,
    /// Another failure.
    #[error("the TPM failed to {doing} ({code}; `tpm2_rc_decode` explains it)")]
    Failed {
        /// What it was to do.
        doing: &'static str,
        /// What it answered.
        code: String,
    },
}

fn counted(counts: bool) -> &'static str {
    if counts {
        "the TPM counts this: a few more and it goes into lockout"
    } else {
        "the TPM does not count this: the key is not protected against guessing"
    }
}

/// TSS2_TCTI_RC_IO_ERROR: the connection broke.
const IO_ERROR: u32 = 0x000a_000a;

impl TpmError {
    /// The kind of failure, which names what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unreachable { .. } => Fault::Unreachable,
            Self::EmptyHandle | Self::NoParent(_) | Self::ClosedHierarchy => Fault::Missing,
            Self::ParentAuth | Self::AuthNeeded | Self::AuthNeededByFile => Fault::SecretNeeded,
            Self::Foreign => Fault::Foreign,
            Self::Damaged(_) => Fault::Damaged,
            Self::NotForSigning
            | Self::Restricted
            | Self::Policy
            | Self::Scheme(_)
            | Self::Digest(_)
            | Self::UnsupportedKey(_) => Fault::Unsupported,
            Self::WrongAuth { .. } | Self::AuthTooLong(_) => Fault::WrongSecret,
            Self::Lockout => Fault::Lockout,
            Self::Failed { .. } => Fault::Failed,
        }
    }

    /// The same as an error of the signer that `describe` names.
    pub fn of_signer(self, signer: String) -> SignError {
        SignError::Holder {
            signer,
            fault: self.fault(),
            what: self.to_string(),
        }
    }

    /// A failure that has no kind of its own where it happened.
    pub(crate) fn failed(doing: &'static str, error: Error) -> TpmError {
        if error == Error::Tss2Error(Tss2ResponseCode::from(IO_ERROR)) {
            return Self::unreachable(error);
        }
        match kind(error) {
            Some(Kind::Lockout) => Self::Lockout,
            _ => Self::Failed {
                doing,
                code: code(error),
            },
        }
    }

    pub(crate) fn unreachable(error: Error) -> TpmError {
        Self::Unreachable { code: code(error) }
    }

    /// Where the storage primary of a hierarchy was to be made.
    pub(crate) fn of_primary(error: Error) -> TpmError {
        match kind(error) {
            Some(Kind::AuthFail | Kind::BadAuth) => Self::ParentAuth,
            Some(Kind::Hierarchy) => Self::ClosedHierarchy,
            _ => Self::failed("make a storage primary", error),
        }
    }

    /// Where a key from a file was to be loaded.
    pub(crate) fn of_load(error: Error) -> TpmError {
        match kind(error) {
            Some(Kind::Integrity) => Self::Foreign,
            Some(Kind::AuthFail | Kind::BadAuth) => Self::ParentAuth,
            // The parent is no storage key.
            Some(Kind::Type) => Self::UnsupportedKey("its parent is no storage key".to_owned()),
            Some(
                Kind::Binding
                | Kind::Size
                | Kind::Sensitive
                | Kind::Insufficient
                | Kind::Value
                | Kind::EccPoint,
            ) => Self::Damaged(code(error)),
            Some(
                Kind::Scheme
                | Kind::Hash
                | Kind::Curve
                | Kind::Attributes
                | Kind::Asymmetric
                | Kind::KeySize
                | Kind::Symmetric
                | Kind::Kdf,
            ) => Self::UnsupportedKey(code(error)),
            _ => Self::failed("load the key", error),
        }
    }

    /// Where a key was to sign; `given` says whether an authorization value was.
    pub(crate) fn of_sign(error: Error, given: bool) -> TpmError {
        match kind(error) {
            Some(Kind::AuthFail | Kind::BadAuth) if !given => Self::AuthNeeded,
            Some(Kind::AuthFail) => Self::WrongAuth { counts: true },
            Some(Kind::BadAuth) => Self::WrongAuth { counts: false },
            Some(Kind::AuthUnavailable | Kind::PolicyFail) => Self::Policy,
            Some(Kind::Scheme | Kind::Hash | Kind::Value) => Self::UnsupportedKey(code(error)),
            _ => Self::failed("sign", error),
        }
    }
}

/// What the TPM said. (tss-esapi does not look at the layer that a code comes from: only what no other layer uses is matched for.)
pub(crate) fn kind(error: Error) -> Option<Kind> {
    match error {
        Error::Tss2Error(code) => code.kind(),
        Error::WrapperError(_) => None,
    }
}

/// An answer in words: tss-esapi gives the number inside alone.
pub(crate) fn code(error: Error) -> String {
    match error {
        Error::Tss2Error(Tss2ResponseCode::FormatZero(code)) => code.to_string(),
        Error::Tss2Error(Tss2ResponseCode::FormatOne(code)) => code.to_string(),
        other => other.to_string(),
    }
    .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u32) -> Error {
        Error::Tss2Error(Tss2ResponseCode::from(code))
    }

    #[test]
    fn tells_the_answers_to_a_wrong_value_apart() {
        let of_sign = |code, given| TpmError::of_sign(answer(code), given);
        assert!(matches!(
            of_sign(0x98e, true),
            TpmError::WrongAuth { counts: true }
        ));
        assert!(matches!(
            of_sign(0x9a2, true),
            TpmError::WrongAuth { counts: false }
        ));
        for code in [0x98e, 0x9a2] {
            assert!(matches!(of_sign(code, false), TpmError::AuthNeeded));
        }
        assert!(matches!(of_sign(0x921, true), TpmError::Lockout));
    }

    #[test]
    fn shows_the_number_of_what_it_does_not_know() {
        let error = TpmError::of_sign(answer(0x7000b), true);
        assert_eq!(error.fault(), Fault::Failed);
        assert!(error.to_string().contains("0x7000b"), "{error}");
    }

    #[test]
    fn takes_a_broken_connection_for_no_tpm() {
        let error = TpmError::of_load(answer(IO_ERROR));
        assert_eq!(error.fault(), Fault::Unreachable);
    }
}
