//! The seam between what is signed and who holds the key.

use std::fmt;

use x509_cert::Certificate;

use crate::algorithm::{Hash, KeyKind};
use crate::certificate::{self, CertificateError};
use crate::fault::Fault;
use crate::public_key::PublicKey;

/// Who holds a private key: a file, a token, a TPM. Nobody else sees it.
pub trait Signer: Send + Sync {
    /// The other half of the key.
    fn public_key(&self) -> &PublicKey;

    /// The signature of `message` (which is hashed here, whole): raw bytes for RSA, a DER
    /// `Ecdsa-Sig-Value` for ECDSA.
    ///
    /// # Errors
    /// When the holder of the key does not sign; the message never shows the secret.
    fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Where the key is, in words for a message or a log. Never the secret.
    fn describe(&self) -> String;
}

/// A signer with the certificate of its key: what signs an image.
pub struct CertifiedSigner {
    signer: Box<dyn Signer>,
    certificate: Certificate,
    chain: Vec<Certificate>,
}

impl CertifiedSigner {
    /// `certificates` are the key's own, and after it the chain that goes into signatures.
    ///
    /// # Errors
    /// [`SignError::Mismatch`] when the first certificate is of another key, [`SignError::Certificate`] when there is none.
    pub fn new(signer: Box<dyn Signer>, certificates: Vec<Certificate>) -> Result<Self, SignError> {
        let mut certificates = certificates.into_iter();
        let certificate = certificates
            .next()
            .ok_or(CertificateError::NotACertificate)?;
        let key = PublicKey::of(&certificate).map_err(SignError::UnsupportedKey)?;
        if key != *signer.public_key() {
            return Err(SignError::Mismatch {
                subject: certificate::subject(&certificate),
            });
        }
        Ok(Self {
            signer,
            certificate,
            chain: certificates.collect(),
        })
    }

    /// The certificate of the key that signs.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Further certificates to put into the signature, between the signer's own and a trusted one.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The kind of the key.
    pub fn kind(&self) -> KeyKind {
        self.signer.public_key().kind()
    }

    /// Lets the signer sign and verifies what it made: tokens are known to fail now and then, and a
    /// faulty RSA computation would give the key away.
    ///
    /// # Errors
    /// The signer's own, or [`SignError::WrongSignature`].
    pub fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.signer.sign(hash, message)?;
        if self.signer.public_key().verify(hash, message, &signature) {
            Ok(signature)
        } else {
            Err(SignError::WrongSignature {
                signer: self.describe(),
            })
        }
    }

    /// Who signs, in words for a message or a log: where the key is, its kind, the subject. Never the secret.
    pub fn describe(&self) -> String {
        format!(
            "the {} key of {} ({})",
            self.kind(),
            certificate::subject(&self.certificate),
            self.signer.describe()
        )
    }
}

impl fmt::Debug for CertifiedSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertifiedSigner({})", self.describe())
    }
}

/// Why nothing was signed. The texts never show key material.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key file holds no private key.
    #[error("no private key found: give PKCS#8, PKCS#1 or SEC 1, in PEM or DER")]
    NotAKey,
    /// The key is protected by a passphrase.
    #[error("the private key is encrypted, and no passphrase was given")]
    EncryptedKey,
    /// The passphrase is not that of the key (or the encrypted bytes are damaged, which looks the same).
    #[error("the passphrase does not open the private key")]
    WrongPassphrase,
    /// The key is encrypted in a way that is not read, or not at this price.
    #[error(
        "the private key is encrypted in a way that is not read: {what}; convert it with `openssl pkcs8 -topk8 -in KEY -out PKCS8`"
    )]
    Encryption {
        /// What is in the way.
        what: String,
    },
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
    /// The holder of the key did not sign, or does not let anybody use it.
    #[error("{signer}: {what}")]
    Holder {
        /// What [`Signer::describe`] says.
        signer: String,
        /// The kind of failure.
        fault: Fault,
        /// What happened, in a sentence.
        what: String,
    },
    /// A signature was to be taken from a file, and there is none.
    #[error("there is no signature {}, which was to be made elsewhere", .file.display())]
    MadeNowhere {
        /// The file.
        file: std::path::PathBuf,
    },
    /// The signature was made and then found wrong. Nothing of it was given out.
    #[error(
        "{signer} made a signature that its own certificate does not verify: the key's holder is faulty"
    )]
    WrongSignature {
        /// What [`CertifiedSigner::describe`] says.
        signer: String,
    },
    /// A structure that cannot be written, such as a certificate of more than 256 MiB.
    #[error("cannot encode the signature: {0}")]
    Encode(#[from] der::Error),
}

impl SignError {
    /// The kind of failure, which names what to do.
    pub fn fault(&self) -> Fault {
        match self {
            Self::NotAKey | Self::Encryption { .. } => Fault::NotAKey,
            Self::EncryptedKey => Fault::SecretNeeded,
            Self::WrongPassphrase => Fault::WrongSecret,
            Self::DamagedKey => Fault::Damaged,
            Self::UnsupportedKey(_) | Self::RsaSize { .. } => Fault::Unsupported,
            Self::Certificate(CertificateError::NotValid { .. }) => Fault::Expired,
            Self::Certificate(_) | Self::Encode(_) => Fault::Certificate,
            Self::Mismatch { .. } => Fault::Mismatch,
            Self::Holder { fault, .. } => *fault,
            Self::MadeNowhere { .. } => Fault::MadeNowhere,
            Self::WrongSignature { .. } => Fault::WrongSignature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileSigner, test_keys};

    fn certified(key: &[u8], certificates: &[u8]) -> Result<CertifiedSigner, SignError> {
        CertifiedSigner::new(
            Box::new(FileSigner::new(key)?),
            certificate::read_all(certificates)?,
        )
    }

    #[test]
    fn takes_the_first_certificate_as_its_own_and_the_others_as_its_chain() {
        let (key, issuer) = (test_keys::p384(), test_keys::rsa());
        let both = [key.certificate_pem.as_str(), &issuer.certificate_pem].concat();
        let signer = certified(key.key_pem.as_bytes(), both.as_bytes()).unwrap();
        assert_eq!(signer.kind(), KeyKind::P384);
        assert_eq!(signer.chain(), [test_keys::certificate(issuer)]);
    }

    #[test]
    fn refuses_a_key_that_is_not_of_the_certificate() {
        let certificate = test_keys::rsa().certificate_pem.as_bytes();
        for key in [&test_keys::other_rsa().key_pem, &test_keys::p256().key_pem] {
            let error = certified(key.as_bytes(), certificate).unwrap_err();
            assert!(
                matches!(&error, SignError::Mismatch { subject } if subject.contains("CN=db")),
                "{error}"
            );
        }
    }

    #[test]
    fn shows_who_it_is_and_never_the_key() {
        let signer = test_keys::signer(test_keys::rsa());
        assert_eq!(
            format!("{signer:?}"),
            r"CertifiedSigner(the RSA key of CN=db,OU=Touchstone test key\, do not trust (a key file))"
        );
    }

    /// Signs as its key does, but for one bit.
    struct Faulty(FileSigner);

    impl Signer for Faulty {
        fn public_key(&self) -> &PublicKey {
            self.0.public_key()
        }

        fn sign(&self, hash: Hash, message: &[u8]) -> Result<Vec<u8>, SignError> {
            let mut signature = self.0.sign(hash, message)?;
            signature[7] ^= 1;
            Ok(signature)
        }

        fn describe(&self) -> String {
            "a faulty token".to_owned()
        }
    }

    #[test]
    fn gives_out_no_signature_that_does_not_verify() {
        for key in [test_keys::rsa(), &test_keys::p256()] {
            let faulty = Faulty(FileSigner::new(key.key_pem.as_bytes()).unwrap());
            let signer =
                CertifiedSigner::new(Box::new(faulty), vec![test_keys::certificate(key)]).unwrap();
            assert!(matches!(
                signer.sign(Hash::Sha256, b"message"),
                Err(SignError::WrongSignature { signer }) if signer.contains("a faulty token")
            ));
        }
    }
}
