use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Tag, Tagged};

use super::*;
use crate::FileSigner;
use crate::algorithm::KeyKind;
use crate::test_keys::{self, signer};

const BYTES: [u8; 32] = [0x5a; 32];

fn digest() -> ImageDigest {
    ImageDigest::sha256(&BYTES)
}

fn signed() -> Vec<u8> {
    signature(&digest(), &signer(test_keys::rsa())).unwrap()
}

fn signed_data(pkcs7: &[u8]) -> SignedData {
    ContentInfo::from_der(pkcs7)
        .unwrap()
        .content
        .decode_as()
        .unwrap()
}

#[test]
fn the_same_digest_and_key_give_the_same_bytes() {
    for key in [test_keys::rsa(), &test_keys::p256(), &test_keys::p384()] {
        let signed = || signature(&digest(), &signer(key)).unwrap();
        assert_eq!(signed(), signed());
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
