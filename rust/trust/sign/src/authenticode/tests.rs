use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Any, Decode, Encode, Tag, Tagged};
use proptest::prelude::*;
use x509_cert::Certificate;
use x509_cert::ext::pkix::KeyUsages;

use super::*;
use crate::FileSigner;
use crate::algorithm::KeyKind;
use crate::test_keys::{self, Issue, certificate, signer, test_key};

mod refusals;

const BYTES: [u8; 32] = [0x5a; 32];

fn digest() -> ImageDigest {
    ImageDigest::sha256(&BYTES)
}

fn signed() -> Vec<u8> {
    signature(&digest(), &signer(test_keys::rsa())).unwrap()
}

fn trusted() -> Vec<Certificate> {
    vec![certificate(test_keys::rsa())]
}

fn signed_data(pkcs7: &[u8]) -> SignedData {
    ContentInfo::from_der(pkcs7)
        .unwrap()
        .content
        .decode_as()
        .unwrap()
}

/// A valid signature after `change`.
fn altered(change: impl FnOnce(&mut SignedData)) -> Vec<u8> {
    let mut data = signed_data(&signed());
    change(&mut data);
    let content = Any::encode_from(&data).unwrap();
    ContentInfo {
        content_type: ID_SIGNED_DATA,
        content,
    }
    .to_der()
    .unwrap()
}

/// A valid signature whose one SignerInfo went through `change`.
fn altered_signer(change: impl FnOnce(&mut SignerInfo)) -> Vec<u8> {
    altered(|data| {
        let mut info = data.signer_infos.0.get(0).unwrap().clone();
        change(&mut info);
        data.signer_infos = SignerInfos::try_from(vec![info]).unwrap();
    })
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let at = bytes
        .windows(old.len())
        .position(|window| window == old)
        .unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

fn refusal(pkcs7: &[u8]) -> VerifyError {
    verify(pkcs7, &[digest()], &trusted()).unwrap_err()
}

fn not_authenticode(pkcs7: &[u8]) -> bool {
    matches!(refusal(pkcs7), VerifyError::NotAuthenticode(_))
}

#[test]
fn every_kind_of_key_signs_and_is_verified() {
    for key in [test_keys::rsa(), &test_keys::p256(), &test_keys::p384()] {
        let pkcs7 = signature(&digest(), &signer(key)).unwrap();
        assert_eq!(verify(&pkcs7, &[digest()], &[certificate(key)]), Ok(()));
        assert_eq!(
            signature(&digest(), &signer(key)).unwrap(),
            pkcs7,
            "the same bytes every time"
        );
    }
}

#[test]
fn has_the_form_that_verifiers_expect() {
    let data = signed_data(&signed());
    assert_eq!(data.version, CmsVersion::V1);
    assert_eq!(data.digest_algorithms.len(), 1);
    let content = data.encap_content_info.econtent.unwrap();
    assert_eq!(content.tag(), Tag::Sequence, "no OCTET STRING around it");
    assert!(content.value().ends_with(&BYTES));

    let info = data.signer_infos.0.get(0).unwrap();
    assert_eq!(info.version, CmsVersion::V1);
    assert!(matches!(
        info.sid,
        SignerIdentifier::IssuerAndSerialNumber(_)
    ));
    assert_eq!(
        info.signature_algorithm,
        KeyKind::Rsa.identifier(Hash::Sha256)
    );
    let attributes: Vec<_> = info
        .signed_attrs
        .as_ref()
        .unwrap()
        .iter()
        .map(|attribute| attribute.oid)
        .collect();
    assert_eq!(
        attributes,
        [ID_CONTENT_TYPE, ID_MESSAGE_DIGEST],
        "no signing time"
    );
    assert!(info.unsigned_attrs.is_none());
}

#[test]
fn carries_the_chain_once() {
    let [a, b] = [test_keys::rsa(), test_keys::other_rsa()];
    let file = format!("{0}{1}{1}{0}", a.certificate_pem, b.certificate_pem);
    let signer = CertifiedSigner::new(
        Box::new(FileSigner::new(a.key_pem.as_bytes()).unwrap()),
        crate::certificate::read_all(file.as_bytes()).unwrap(),
    )
    .unwrap();
    let data = signed_data(&signature(&digest(), &signer).unwrap());
    assert_eq!(data.certificates.unwrap().0.len(), 2);
}

#[test]
fn a_certificate_issued_by_a_trusted_authority_is_trusted() {
    let authority = p256::ecdsa::SigningKey::from_slice(&[1; 32]).unwrap();
    let key = p256::ecdsa::SigningKey::from_slice(&[2; 32]).unwrap();
    let stranger = p256::ecdsa::SigningKey::from_slice(&[3; 32]).unwrap();
    let root = |by: &p256::ecdsa::SigningKey, authority, usage| {
        Issue {
            subject: "CN=root",
            issuer: "CN=root",
            authority,
            usage,
        }
        .by::<_, p256::ecdsa::DerSignature>(by, by)
    };
    let leaf = Issue {
        subject: "CN=leaf",
        issuer: "CN=root",
        authority: None,
        usage: None,
    }
    .by::<_, p256::ecdsa::DerSignature>(&authority, &key);
    let pkcs7 = signature(&digest(), &signer(&test_key(&key, &leaf))).unwrap();

    let verdict = |anchor| {
        verify(
            &pkcs7,
            &[digest()],
            &[certificate(test_keys::rsa()), anchor],
        )
    };
    let untrusted = Err(VerifyError::Untrusted {
        signer: "CN=leaf".into(),
    });
    assert_eq!(verdict(root(&authority, Some(true), None)), Ok(()));
    assert_eq!(
        verdict(root(&authority, Some(true), Some(KeyUsages::KeyCertSign))),
        Ok(())
    );
    assert_eq!(verdict(leaf.clone()), Ok(()), "the leaf itself");
    assert_eq!(
        verdict(root(
            &authority,
            Some(true),
            Some(KeyUsages::DigitalSignature)
        )),
        untrusted,
        "may not issue"
    );
    assert_eq!(
        verdict(root(&authority, Some(false), None)),
        untrusted,
        "no authority"
    );
    assert_eq!(
        verdict(root(&authority, None, None)),
        untrusted,
        "does not say that it is an authority"
    );
    assert_eq!(
        verdict(root(&stranger, Some(true), None)),
        untrusted,
        "another key of the same name"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert!(verify(&bytes, &[digest()], &[]).is_err());
    }

    #[test]
    fn no_changed_byte_makes_it_trusted_for_another_image(at in 0_usize..1400, change in 1_u8..) {
        let mut pkcs7 = signed();
        let at = at % pkcs7.len();
        pkcs7[at] ^= change;
        prop_assert!(verify(&pkcs7, &[ImageDigest::sha256(&[0xa5; 32])], &trusted()).is_err());
    }
}
