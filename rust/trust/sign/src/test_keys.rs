//! Keys and certificates for the unit tests: RSA generated once a run, elliptic curves from fixed
//! numbers.

use std::str::FromStr;
use std::sync::LazyLock;

use der::EncodePem;
use der::flagset::FlagSet;
use pkcs8::{EncodePrivateKey, LineEnding};
use signature::{Keypair, Signer as Sign};
use spki::{
    DynSignatureAlgorithmIdentifier, EncodePublicKey, SignatureBitStringEncoding,
    SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef,
};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

pub(crate) use crate::keys::NewKey as TestKey;
use crate::keys::{KeyAlgorithm, KeyRequest, generate};
use crate::{CertifiedSigner, FileSigner};

/// The private key of RFC 6979, section A.2.5.
pub(crate) const RFC_6979_P256: [u8; 32] = [
    0xc9, 0xaf, 0xa9, 0xd8, 0x45, 0xba, 0x75, 0x16, 0x6b, 0x5c, 0x21, 0x57, 0x67, 0xb1, 0xd6, 0x93,
    0x4e, 0x50, 0xc3, 0xdb, 0x36, 0xe8, 0x9b, 0x12, 0x7b, 0x8a, 0x62, 0x2b, 0x12, 0x0f, 0x67, 0x21,
];

/// 2026-01-01 to 2036-01-01.
pub(crate) fn request(common_name: &str) -> KeyRequest<'_> {
    KeyRequest {
        common_name,
        algorithm: KeyAlgorithm::Rsa2048,
        not_before: 1_767_225_600,
        not_after: 2_082_758_400,
        test: true,
    }
}

pub(crate) fn rsa() -> &'static TestKey {
    static KEY: LazyLock<TestKey> = LazyLock::new(|| generate(&request("db")).unwrap());
    &KEY
}

pub(crate) fn other_rsa() -> &'static TestKey {
    static KEY: LazyLock<TestKey> = LazyLock::new(|| generate(&request("another")).unwrap());
    &KEY
}

pub(crate) fn p256() -> TestKey {
    let key = p256::ecdsa::SigningKey::from_slice(&RFC_6979_P256).unwrap();
    let certificate = Issue::to_itself("CN=P-256").by::<_, p256::ecdsa::DerSignature>(&key, &key);
    test_key(&key, &certificate)
}

pub(crate) fn p384() -> TestKey {
    let key = p384::ecdsa::SigningKey::from_slice(&[7; 48]).unwrap();
    let certificate = Issue::to_itself("CN=P-384").by::<_, p384::ecdsa::DerSignature>(&key, &key);
    test_key(&key, &certificate)
}

pub(crate) fn test_key(key: &impl EncodePrivateKey, certificate: &Certificate) -> TestKey {
    TestKey {
        key_pem: key.to_pkcs8_pem(LineEnding::LF).unwrap(),
        certificate_pem: certificate.to_pem(LineEnding::LF).unwrap(),
    }
}

pub(crate) fn signer(key: &TestKey) -> CertifiedSigner {
    let signer = FileSigner::new(key.key_pem.as_bytes()).unwrap();
    let certificates = crate::certificate::read_all(key.certificate_pem.as_bytes()).unwrap();
    CertifiedSigner::new(Box::new(signer), certificates).unwrap()
}

pub(crate) fn certificate(key: &TestKey) -> Certificate {
    crate::certificate::read(key.certificate_pem.as_bytes()).unwrap()
}

/// A certificate to be issued.
pub(crate) struct Issue {
    pub(crate) subject: &'static str,
    pub(crate) issuer: &'static str,
    /// Basic constraints, if any, say that it is a certificate authority.
    pub(crate) authority: Option<bool>,
    pub(crate) usage: Option<KeyUsages>,
}

impl Issue {
    pub(crate) fn to_itself(subject: &'static str) -> Self {
        Self {
            subject,
            issuer: subject,
            authority: Some(true),
            usage: None,
        }
    }

    /// The certificate of `key`, signed by `issuer`.
    pub(crate) fn by<S, Signature>(
        self,
        issuer: &S,
        key: &impl Keypair<VerifyingKey: EncodePublicKey>,
    ) -> Certificate
    where
        S: Sign<Signature> + Keypair + DynSignatureAlgorithmIdentifier,
        S::VerifyingKey: EncodePublicKey,
        Signature: SignatureBitStringEncoding,
    {
        let key = SubjectPublicKeyInfoOwned::from_key(&key.verifying_key()).unwrap();
        let validity = Validity::new(
            Time::from_str("2026-01-01T00:00:00Z").unwrap(),
            Time::from_str("2036-01-01T00:00:00Z").unwrap(),
        );
        CertificateBuilder::new(self, SerialNumber::from(1_u32), validity, key)
            .unwrap()
            .build::<S, Signature>(issuer)
            .unwrap()
    }
}

impl BuilderProfile for Issue {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.parse().unwrap()
    }

    fn get_subject(&self) -> Name {
        self.subject.parse().unwrap()
    }

    fn build_extensions(
        &self,
        _key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let mut extensions = Vec::new();
        if let Some(ca) = self.authority {
            let constraints = BasicConstraints {
                ca,
                path_len_constraint: None,
            };
            extensions.push(constraints.to_extension(subject, &[])?);
        }
        if let Some(usage) = self.usage {
            extensions.push(KeyUsage(FlagSet::from(usage)).to_extension(subject, &[])?);
        }
        Ok(extensions)
    }
}
