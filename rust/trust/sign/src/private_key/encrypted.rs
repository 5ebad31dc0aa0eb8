//! Private keys that a passphrase protects: PKCS#8 by PBES2 (RFC 8018 section 6.2; scrypt: RFC
//! 7914), which is what OpenSSL 3 writes.

use der::asn1::OctetStringRef;
use der::{Decode, SecretDocument, Sequence};
use pkcs8::EncryptedPrivateKeyInfoRef;
use pkcs8::pkcs5::pbes2::{self, Kdf, ScryptParams};
use pkcs8::pkcs5::{self, EncryptionScheme};
use spki::AlgorithmIdentifierRef;

use crate::signer::SignError;

/// How much work it may be to turn a passphrase into a key: the file says how much, and whoever
/// wrote it may mean harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The iterations of PBKDF2.
    pub iterations: u32,
    /// The memory of scrypt in bytes; all its passes together go over four times as much.
    pub memory: u64,
}

impl Work {
    /// More than anybody is known to use, and over in seconds: 5 million iterations (OpenSSL
    /// writes 2048, OWASP recommends 600 000) or 256 MiB (OpenSSL writes 16 MiB, and reads no
    /// more than 32).
    pub const LIMIT: Self = Self {
        iterations: 5_000_000,
        memory: 256 << 20,
    };

    const PASSES: u64 = 4;

    fn check(self, parameters: &pbes2::Parameters) -> Result<(), SignError> {
        match &parameters.kdf {
            Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > self.iterations => {
                Err(unread(format!(
                    "it asks for {} iterations of PBKDF2, {} are allowed",
                    pbkdf2.iteration_count, self.iterations
                )))
            }
            // Section 6 of RFC 7914; pkcs5 0.8.1 computes with them before it looks.
            Kdf::Scrypt(scrypt)
                if scrypt.cost_parameter < 2
                    || !scrypt.cost_parameter.is_power_of_two()
                    || scrypt.block_size == 0
                    || scrypt.parallelization == 0 =>
            {
                Err(unread("its parameters are none that scrypt takes"))
            }
            Kdf::Scrypt(scrypt) if self.is_exceeded_by(scrypt) => Err(unread(format!(
                "it asks for scrypt with N={}, r={}, p={}: {} MiB at once are allowed",
                scrypt.cost_parameter,
                scrypt.block_size,
                scrypt.parallelization,
                self.memory >> 20
            ))),
            _ => Ok(()),
        }
    }

    fn is_exceeded_by(self, scrypt: &ScryptParams) -> bool {
        let (block, lanes) = (
            u64::from(scrypt.block_size) * 128,
            u64::from(scrypt.parallelization),
        );
        let memory = scrypt.cost_parameter.saturating_mul(block);
        // Beside the large table: a block for each lane.
        memory.saturating_add(block * lanes) > self.memory
            || memory.saturating_mul(lanes) > self.memory.saturating_mul(Self::PASSES)
    }
}

/// `EncryptedPrivateKeyInfo` with any algorithm: the crate reads those alone that it knows.
#[derive(Sequence)]
struct Container<'a> {
    #[allow(dead_code, reason = "only the form is looked at")]
    algorithm: AlgorithmIdentifierRef<'a>,
    #[allow(dead_code, reason = "only the form is looked at")]
    data: &'a OctetStringRef,
}

/// Is it an encrypted key in DER, by its form?
pub(super) fn is_container(der: &[u8]) -> bool {
    Container::from_der(der).is_ok()
}

/// The PKCS#8 document in `der`.
pub(super) fn decrypt(
    der: &[u8],
    passphrase: &[u8],
    limit: Work,
) -> Result<SecretDocument, SignError> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der)
        .map_err(|_| unread("its algorithm is none of PBES2 with AES or 3DES"))?;
    let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm else {
        return Err(unread("its algorithm is the outdated PBES1"));
    };
    limit.check(parameters)?;
    info.decrypt(passphrase).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | pkcs8::Error::Asn1(_) => {
            SignError::WrongPassphrase
        }
        // The crate's errors name algorithms, never the secret.
        other => unread(other.to_string()),
    })
}

fn unread(what: impl Into<String>) -> SignError {
    SignError::Encryption { what: what.into() }
}
