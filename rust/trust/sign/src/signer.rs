//! The seam between what is signed and who holds the key.

use x509_cert::Certificate;

use crate::algorithm::Algorithm;
use crate::certificate::{self, CertificateError};
use crate::public_key::PublicKey;

/// Somebody who can sign: a key file, later a token, a TPM or the signing agent.
pub trait Signer: Send + Sync {
    /// The certificate of the key that signs.
    fn certificate(&self) -> &Certificate;

    /// Further certificates to put into the signature, between this one and a trusted one; not the
    /// signer's own.
    fn chain(&self) -> &[Certificate];

    /// What [`sign`](Self::sign) makes.
    fn algorithm(&self) -> Algorithm;

    /// The signature of `message` (which is hashed here, whole): raw bytes for RSA, a DER
    /// `Ecdsa-Sig-Value` for ECDSA.
    ///
    /// # Errors
    /// When the holder of the key does not sign; the message never shows the secret.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Who signs, in words for a message or a log: algorithm and subject. Never the secret.
    fn describe(&self) -> String;
}

/// Why nothing was signed. The texts never show key material.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key file holds no private key.
    #[error("no private key found: give PKCS#8 or PKCS#1, in PEM or DER")]
    NotAKey,
    /// The key is protected by a passphrase.
    #[error(
        "the private key is encrypted, which is not supported: decrypt it with `openssl pkey -in KEY -out PLAIN`"
    )]
    EncryptedKey,
    /// A key in the container of SEC 1 ("EC PRIVATE KEY").
    #[error(
        "the private key is in SEC 1 form: convert it with `openssl pkcs8 -topk8 -nocrypt -in KEY -out PKCS8`"
    )]
    Sec1Key,
    /// A private key that is cut short or whose numbers do not belong together.
    #[error("the private key is damaged, or its numbers do not belong together")]
    DamagedKey,
    /// A kind of key that firmware does not verify.
    #[error(
        "keys of the algorithm {0} cannot sign boot files: use RSA 2048 to 4096, P-256 or P-384"
    )]
    UnsupportedKey(der::asn1::ObjectIdentifier),
    /// An RSA key outside of 2048 to 4096 bits.
    #[error("an RSA key of {bits} bits cannot sign boot files: use 2048 to 4096")]
    RsaSize {
        /// Length of the modulus.
        bits: u32,
    },
    /// The certificate file.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// Key and certificate are not of one another.
    #[error(
        "the private key does not belong to the certificate of {subject}: give the key's own certificate"
    )]
    Mismatch {
        /// Subject of the certificate.
        subject: String,
    },
    /// The holder of the key did not sign.
    #[error("{signer} did not sign")]
    Refused {
        /// What [`Signer::describe`] says.
        signer: String,
    },
    /// The signature was made and then found wrong. Nothing of it was given out.
    #[error(
        "{signer} made a signature that its own certificate does not verify: the key's holder is faulty"
    )]
    WrongSignature {
        /// What [`Signer::describe`] says.
        signer: String,
    },
    /// A structure that cannot be written, such as a certificate of more than 256 MiB.
    #[error("cannot encode the signature: {0}")]
    Encode(#[from] der::Error),
}

/// Lets `signer` sign and verifies what it made with its certificate: tokens are known to fail now
/// and then, and a faulty RSA computation would give the key away.
///
/// # Errors
/// The signer's own, or [`SignError::WrongSignature`].
pub(crate) fn sign_checked(signer: &dyn Signer, message: &[u8]) -> Result<Vec<u8>, SignError> {
    let signature = signer.sign(message)?;
    let key = PublicKey::of(signer.certificate()).map_err(SignError::UnsupportedKey)?;
    if key.verifies(signer.algorithm().scheme(), message, &signature) {
        Ok(signature)
    } else {
        Err(SignError::WrongSignature {
            signer: signer.describe(),
        })
    }
}

/// The usual answer of [`Signer::describe`].
pub(crate) fn describe(algorithm: Algorithm, certificate: &Certificate) -> String {
    format!("{algorithm} key of {}", certificate::subject(certificate))
}
