//! A signer whose key comes from a file.

use std::fmt;

use x509_cert::Certificate;

use crate::algorithm::Algorithm;
use crate::certificate;
use crate::private_key::PrivateKey;
use crate::public_key::PublicKey;
use crate::signer::{self, SignError, Signer};

/// Signs with a private key that lies in memory: RSA of 2048 to 4096 bits, P-256 or P-384.
///
/// The key is wiped when the signer is dropped; wiping the bytes it was read from is up to the caller. Neither `Debug` nor any error
/// shows it. Some firmware verifies RSA only: RSA is the safe choice.
pub struct FileSigner {
    key: PrivateKey,
    public_key: PublicKey,
    certificate: Certificate,
    chain: Vec<Certificate>,
}

impl FileSigner {
    /// Reads the key (PKCS#8 or PKCS#1, PEM or DER) and its certificate (PEM or DER). Certificates after the first are the
    /// chain that goes into signatures.
    ///
    /// # Errors
    /// When one of the two cannot be read ([`SignError::Certificate`] is about the certificate, the others about the key), the key
    /// is of a kind or size that firmware does not verify, or the two do not belong together.
    pub fn new(key: &[u8], certificate: &[u8]) -> Result<Self, SignError> {
        let key = PrivateKey::read(key)?;
        let mut chain = certificate::read_all(certificate)?;
        let certificate = chain.remove(0);
        let public_key = PublicKey::of(&certificate).map_err(SignError::UnsupportedKey)?;
        if key.public_key() != public_key {
            return Err(SignError::Mismatch {
                subject: certificate::subject(&certificate),
            });
        }
        Ok(Self {
            key,
            public_key,
            certificate,
            chain,
        })
    }
}

impl Signer for FileSigner {
    fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    fn algorithm(&self) -> Algorithm {
        self.public_key.algorithm()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let signature = self.key.sign(message).map_err(|_| SignError::Refused {
            signer: self.describe(),
        })?;
        if self
            .public_key
            .verifies(self.algorithm().scheme(), message, &signature)
        {
            Ok(signature)
        } else {
            Err(SignError::WrongSignature {
                signer: self.describe(),
            })
        }
    }

    fn describe(&self) -> String {
        signer::describe(self.algorithm(), &self.certificate)
    }
}

impl fmt::Debug for FileSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FileSigner({})", self.describe())
    }
}
