//! The words that name a signing key, for every command that signs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use touchstone_artifacts::signing_key::{SignatureDigest, SigningKey};

#[derive(Args)]
pub struct KeyArguments {
    /// The signing key: a PEM or DER file, pkcs11:…, or tpm2:…
    #[arg(long)]
    pub key: String,
    /// The key's certificate: a PEM or DER file; certificates after the first are its chain
    #[arg(long)]
    pub certificate: PathBuf,
    #[command(flatten)]
    pub how: HowToSign,
}

#[derive(Args)]
pub struct OptionalKey {
    /// The signing key: a PEM or DER file, pkcs11:…, tpm2:…, or agent:… where images are signed
    #[arg(long, requires = "certificate")]
    pub key: Option<String>,
    /// The key's certificate: a PEM or DER file; certificates after the first are its chain
    #[arg(long, requires = "key")]
    pub certificate: Option<PathBuf>,
    #[command(flatten)]
    pub how: HowToSign,
}

#[derive(Args)]
pub struct HowToSign {
    /// The file whose first line is the passphrase of an encrypted key file
    #[arg(long, value_name = "FILE", requires = "key")]
    pub passphrase_file: Option<PathBuf>,
    /// The digest of image and signature
    #[arg(long, default_value = "sha256", requires = "certificate")]
    pub digest: Digest,
    /// Sign although the certificate is not valid today: firmware ignores dates, other verifiers do not
    #[arg(long, requires = "certificate")]
    pub allow_expired: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Digest {
    Sha256,
    Sha384,
}

impl From<Digest> for SignatureDigest {
    fn from(digest: Digest) -> SignatureDigest {
        match digest {
            Digest::Sha256 => SignatureDigest::Sha256,
            Digest::Sha384 => SignatureDigest::Sha384,
        }
    }
}

impl From<KeyArguments> for SigningKey {
    fn from(arguments: KeyArguments) -> SigningKey {
        let KeyArguments {
            key,
            certificate,
            how,
        } = arguments;
        SigningKey {
            key,
            certificate,
            passphrase_file: how.passphrase_file,
            digest: how.digest.into(),
            allow_expired: how.allow_expired,
        }
    }
}

impl OptionalKey {
    /// The key, where one is named.
    pub fn named(self) -> Option<SigningKey> {
        let OptionalKey {
            key,
            certificate,
            how,
        } = self;
        key.zip(certificate).map(|(key, certificate)| {
            KeyArguments {
                key,
                certificate,
                how,
            }
            .into()
        })
    }
}
