//! New keys with self-signed certificates. The only place whose output is random.
//!
//! Test keys are marked, so that nobody trusts them by mistake.

use std::time::Duration;

use const_oid::db::rfc4519::{COMMON_NAME, ORGANIZATIONAL_UNIT_NAME};
use der::asn1::{SetOfVec, Utf8StringRef};
use der::flagset::FlagSet;
use der::zeroize::Zeroizing;
use der::{Any, DateTime, Decode, Encode, EncodePem};
use p256::elliptic_curve::Generate;
use pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::RsaPrivateKey;
use rsa::pkcs1v15;
use sha2::Sha256;
use signature::{Keypair, Signer};
use spki::{
    DynSignatureAlgorithmIdentifier, SignatureBitStringEncoding, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use uuid::Uuid;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::certificate::{Certificate, TbsCertificate};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::time::{Time, Validity};

/// The organizational unit (OU) in the subject of every test certificate.
pub const TEST_KEY_MARK: &str = "Touchstone test key, do not trust";

/// What a key is to be.
#[derive(Clone, Copy, Debug)]
pub struct KeyRequest<'a> {
    /// Common name (CN) of the subject, for example "db"; at most 64 characters (X.520).
    pub common_name: &'a str,
    /// Kind and size of the key.
    pub algorithm: KeyAlgorithm,
    /// Beginning of the certificate's validity, in seconds since 1970-01-01 UTC. Firmware ignores
    /// it, other verifiers do not.
    pub not_before: u64,
    /// End of the certificate's validity, in seconds since 1970-01-01 UTC.
    pub not_after: u64,
    /// Whether the certificate carries [`TEST_KEY_MARK`].
    pub test: bool,
}

/// Kind and size of a new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// RSA of 2048 bits: what every firmware verifies.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
    /// ECDSA on P-256. Some firmware verifies RSA only.
    P256,
    /// ECDSA on P-384. Some firmware verifies RSA only.
    P384,
}

/// A new private key and its self-signed certificate, both PEM.
#[derive(Clone)]
pub struct NewKey {
    /// PKCS#8 ("PRIVATE KEY"), wiped when dropped.
    pub key_pem: Zeroizing<String>,
    /// X.509 ("CERTIFICATE").
    pub certificate_pem: String,
}

/// Why no key was made.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// No common name, or one that X.520 does not allow.
    #[error("a common name has 1 to 64 characters, this one has {length}")]
    CommonName {
        /// Characters in the name.
        length: usize,
    },
    /// A validity that ends before it begins or lies after the year 9999.
    #[error("the validity ends before it begins, or after the year 9999")]
    Validity,
    /// RSA key generation.
    #[error("cannot generate an RSA key: {0}")]
    Rsa(#[from] rsa::Error),
    /// Writing the key. The reason could show parts of it and is left out.
    #[error("cannot encode the private key")]
    Key,
    /// Building the certificate.
    #[error("cannot make the certificate: {0}")]
    Certificate(#[from] builder::Error),
}

/// A new key with a self-signed certificate, good for PK, KEK and db.
///
/// The certificate is version 3 with a random serial number and a subject key identifier; it is no
/// certificate authority and may be used for signatures only: firmware trusts what stands in a
/// variable itself, so it need not issue anything. Its own signature is over SHA-256, that of P-384
/// over SHA-384.
///
/// # Errors
/// When common name or validity are not possible in a certificate, or the system has no random
/// numbers.
pub fn generate(request: &KeyRequest<'_>) -> Result<NewKey, KeysError> {
    let rsa = |bits| -> Result<NewKey, KeysError> {
        let key = RsaPrivateKey::new(&mut rand::rng(), bits)?;
        certify::<_, pkcs1v15::Signature>(request, &pkcs1v15::SigningKey::<Sha256>::new(key))
    };
    match request.algorithm {
        KeyAlgorithm::Rsa2048 => rsa(2048),
        KeyAlgorithm::Rsa3072 => rsa(3072),
        KeyAlgorithm::Rsa4096 => rsa(4096),
        KeyAlgorithm::P256 => certify::<_, p256::ecdsa::DerSignature>(
            request,
            &p256::ecdsa::SigningKey::generate_from_rng(&mut rand::rng()),
        ),
        KeyAlgorithm::P384 => certify::<_, p384::ecdsa::DerSignature>(
            request,
            &p384::ecdsa::SigningKey::generate_from_rng(&mut rand::rng()),
        ),
    }
}

/// The key with a certificate that it signs itself.
fn certify<K, Signature>(request: &KeyRequest<'_>, key: &K) -> Result<NewKey, KeysError>
where
    K: Signer<Signature> + Keypair + DynSignatureAlgorithmIdentifier + EncodePrivateKey,
    K::VerifyingKey: EncodePublicKey,
    Signature: SignatureBitStringEncoding,
{
    if request.not_before > request.not_after {
        return Err(KeysError::Validity);
    }
    let validity = Validity::new(time(request.not_before)?, time(request.not_after)?);
    let profile = SelfSigned(subject(request)?);
    let serial = SerialNumber::generate(&mut rand::rng());
    let key_pem = key
        .to_pkcs8_pem(LineEnding::LF)
        .map_err(|_| KeysError::Key)?;
    let public_key =
        SubjectPublicKeyInfoOwned::from_key(&key.verifying_key()).map_err(builder::Error::from)?;
    let certificate = CertificateBuilder::new(profile, serial, validity, public_key)?
        .build::<K, Signature>(key)?;
    let certificate_pem = certificate
        .to_pem(LineEnding::LF)
        .map_err(builder::Error::from)?;
    Ok(NewKey {
        key_pem,
        certificate_pem,
    })
}

/// A new GUID (version 4), to stand as the owner beside one's own entries.
pub fn random_owner() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

/// Does the certificate say that it is of a test key (its subject has the OU [`TEST_KEY_MARK`])?
pub fn is_test_key(certificate: &Certificate) -> bool {
    certificate.tbs_certificate().subject().iter().any(|part| {
        part.oid == ORGANIZATIONAL_UNIT_NAME && part.value.value() == TEST_KEY_MARK.as_bytes()
    })
}

/// No text form shows the key.
impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// What the certificate of a new key says.
struct SelfSigned(Name);

impl BuilderProfile for SelfSigned {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }

    fn get_subject(&self) -> Name {
        self.0.clone()
    }

    fn build_extensions(
        &self,
        key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let usage = FlagSet::from(KeyUsages::DigitalSignature);
        Ok(vec![
            SubjectKeyIdentifier::try_from(key)?.to_extension(subject, &[])?,
            BasicConstraints {
                ca: false,
                path_len_constraint: None,
            }
            .to_extension(subject, &[])?,
            KeyUsage(usage).to_extension(subject, &[])?,
        ])
    }
}

/// The mark, if it is to have one (OU), and CN; built by hand, as the mark has a comma in it, which
/// the text form of names would split at.
fn subject(request: &KeyRequest<'_>) -> Result<Name, KeysError> {
    let length = request.common_name.chars().count();
    if !(1..=64).contains(&length) {
        return Err(KeysError::CommonName { length });
    }
    let mark = request
        .test
        .then_some((ORGANIZATIONAL_UNIT_NAME, TEST_KEY_MARK));
    let name = (COMMON_NAME, request.common_name);
    let mut names = RdnSequence::default();
    for (oid, text) in mark.into_iter().chain([name]) {
        let value = Utf8StringRef::new(text)
            .and_then(|text| Any::encode_from(&text))
            .map_err(builder::Error::from)?;
        let part = SetOfVec::try_from(vec![AttributeTypeAndValue { oid, value }])
            .map_err(builder::Error::from)?;
        names.push(RelativeDistinguishedName::from(part));
    }
    let names = names.to_der().map_err(builder::Error::from)?;
    Name::from_der(&names).map_err(|error| builder::Error::from(error).into())
}

fn time(seconds: u64) -> Result<Time, KeysError> {
    DateTime::from_unix_duration(Duration::from_secs(seconds))
        .map(Time::from)
        .map_err(|_| KeysError::Validity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_keys::{certificate, other_rsa, p256, request, rsa, signer};
    use crate::{Hash, KeyKind, certificate as reading};

    #[test]
    fn makes_a_key_that_signs() {
        assert_eq!(signer(rsa()).kind(), KeyKind::Rsa);
        assert_ne!(rsa().key_pem, other_rsa().key_pem);
        assert!(rsa().key_pem.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        for (algorithm, kind) in [
            (KeyAlgorithm::P256, KeyKind::P256),
            (KeyAlgorithm::P384, KeyKind::P384),
        ] {
            let request = KeyRequest {
                algorithm,
                ..request("db")
            };
            let [one, other] = [(); 2].map(|()| generate(&request).unwrap());
            assert_eq!(signer(&one).kind(), kind);
            assert_ne!(one.key_pem, other.key_pem);
        }
    }

    #[test]
    fn marks_test_certificates_alone_and_knows_them_by_it() {
        assert!(is_test_key(&certificate(rsa())));
        assert!(!is_test_key(&certificate(&p256())));
        let real = generate(&KeyRequest {
            test: false,
            algorithm: KeyAlgorithm::P256,
            ..request("db")
        });
        assert!(!is_test_key(&certificate(&real.unwrap())));
    }

    #[test]
    fn takes_name_size_and_validity_from_the_request() {
        let request = KeyRequest {
            algorithm: KeyAlgorithm::Rsa3072,
            not_after: 4_102_444_800,
            ..request("KEK, of a test")
        };
        let key = generate(&request).unwrap();
        let certificate = reading::read(key.certificate_pem.as_bytes()).unwrap();
        let tbs = certificate.tbs_certificate();
        assert_eq!(tbs.subject(), tbs.issuer());
        assert_eq!(
            tbs.subject().common_name().unwrap().unwrap().value(),
            "KEK, of a test"
        );
        assert_eq!(
            tbs.validity().not_before.to_string(),
            "2026-01-01T00:00:00Z"
        );
        assert_eq!(tbs.validity().not_after.to_string(), "2100-01-01T00:00:00Z");
        assert_eq!(signer(&key).sign(Hash::Sha256, b"").unwrap().len(), 384);
    }

    #[test]
    fn refuses_names_and_times_that_no_certificate_has() {
        let refusal = |request: KeyRequest<'_>| {
            generate(&KeyRequest {
                algorithm: KeyAlgorithm::P256,
                ..request
            })
            .unwrap_err()
        };
        assert!(matches!(
            refusal(request("")),
            KeysError::CommonName { length: 0 }
        ));
        assert!(matches!(
            refusal(request(&"x".repeat(65))),
            KeysError::CommonName { length: 65 }
        ));
        for not_after in [0, u64::MAX] {
            let request = KeyRequest {
                not_after,
                ..request("x")
            };
            assert!(matches!(refusal(request), KeysError::Validity));
        }
    }
}
