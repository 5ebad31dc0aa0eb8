use const_oid::db::rfc5911::ID_SIGNING_TIME;
use der::asn1::{SetOfVec, UtcTime};
use der::{Any, DateTime};

use super::super::{attribute as new_attribute, signature};
use super::*;
use crate::Signer;
use crate::firmware::table::Table;
use crate::firmware::{Database, DigestKind, judge};
use crate::test_keys::TestKey;
use crate::{FileSigner, test_keys};

fn digest() -> ImageDigest {
    ImageDigest::sha256(&[0x5a; 32])
}

fn certificates(key: &TestKey) -> Vec<Certificate> {
    vec![test_keys::certificate(key)]
}

fn sign(key: &TestKey, hash: Hash, data: &[u8]) -> Vec<u8> {
    let signer = FileSigner::new(key.key_pem.as_bytes()).unwrap();
    signer.sign(hash, data).unwrap()
}

/// Attributes of an image's signature after `change`.
fn changed(change: impl FnOnce(&mut Vec<x509_cert::attr::Attribute>)) -> Vec<u8> {
    let content = indirect_data::encode(&digest()).unwrap();
    let mut attributes = signed_attributes(Hash::Sha256, &content)
        .unwrap()
        .into_vec();
    change(&mut attributes);
    SetOfVec::try_from(attributes).unwrap().to_der().unwrap()
}

#[test]
fn in_two_steps_the_same_bytes_come_out_as_in_one() {
    for key in [test_keys::rsa(), &test_keys::p256(), &test_keys::p384()] {
        for digest in [
            digest(),
            ImageDigest::new(Hash::Sha384, &[0x5a; 48]).unwrap(),
            ImageDigest::new(Hash::Sha512, &[0x5a; 64]).unwrap(),
        ] {
            let data = prepare(&digest).unwrap();
            let prepared = Prepared::read(&data).unwrap();
            assert_eq!(prepared.hash(), digest.hash());
            let signed = sign(key, digest.hash(), &data);
            let attached = prepared.attach(&digest, &certificates(key), &signed);
            assert_eq!(
                attached.unwrap(),
                signature(&digest, &test_keys::signer(key)).unwrap()
            );
        }
    }
}

#[test]
fn what_another_program_attests_beside_the_digest_is_kept() {
    let key = test_keys::rsa();
    let time = UtcTime::from_date_time(DateTime::new(2026, 11, 20, 12, 0, 0).unwrap()).unwrap();
    let data = changed(|attributes| {
        let time = Any::encode_from(&time).unwrap();
        attributes.push(new_attribute(ID_SIGNING_TIME, time).unwrap());
    });
    let signed = sign(key, Hash::Sha256, &data);
    let attached = Prepared::read(&data)
        .unwrap()
        .attach(&digest(), &certificates(key), &signed)
        .unwrap();
    let image = [(DigestKind::Sha256, digest().as_bytes().to_vec())].into();
    let db = Database::of_certificates(&certificates(key)).unwrap();
    let table = Table::of([&*attached]);
    assert!(judge(&image, Some(&table), &db, &Database::default()).boots);
    assert!(
        attached
            .windows(data.len() - 2)
            .any(|window| window == &data[2..])
    );
}

#[test]
fn only_attributes_of_an_image_are_read() {
    let read = |data: &[u8]| Prepared::read(data).unwrap_err();
    let data = prepare(&digest()).unwrap();
    for damaged in [
        &b""[..],
        b"hello",
        &data[..data.len() - 1],
        &[&data[..], b"\0"].concat(),
        // As it stands in the signature.
        &[&[0xa0], &data[1..]].concat(),
    ] {
        assert!(matches!(read(damaged), DetachedError::NotAttributes));
    }
    let backwards = {
        let mut both = data[2..].to_vec();
        let first = 2 + usize::from(both[1]);
        both.rotate_left(first);
        [&data[..2], &both].concat()
    };
    assert!(matches!(read(&backwards), DetachedError::NotAttributes));
    for wrong in [
        changed(|attributes| drop(attributes.remove(0))),
        changed(|attributes| drop(attributes.remove(1))),
        changed(|attributes| {
            let digest = OctetString::new(vec![1; 32]).unwrap();
            let another = new_attribute(ID_MESSAGE_DIGEST, Any::encode_from(&digest).unwrap());
            attributes.push(another.unwrap());
        }),
        changed(|attributes| {
            let sha1 = Any::encode_from(&OctetString::new(vec![1; 20]).unwrap()).unwrap();
            attributes[1] = new_attribute(ID_MESSAGE_DIGEST, sha1).unwrap();
        }),
        changed(|attributes| {
            let data = Any::encode_from(&const_oid::db::rfc5911::ID_DATA).unwrap();
            attributes[0] = new_attribute(ID_CONTENT_TYPE, data).unwrap();
        }),
    ] {
        assert!(matches!(read(&wrong), DetachedError::NotOfAnImage(_)));
    }
}

#[test]
fn nothing_is_attached_to_another_image() {
    let key = test_keys::rsa();
    let data = prepare(&digest()).unwrap();
    let signed = sign(key, Hash::Sha256, &data);
    let prepared = Prepared::read(&data).unwrap();
    for other in [
        ImageDigest::sha256(&[0xa5; 32]),
        ImageDigest::new(Hash::Sha384, &[0x5a; 48]).unwrap(),
    ] {
        assert!(matches!(
            prepared.attach(&other, &certificates(key), &signed),
            Err(DetachedError::OtherImage)
        ));
    }
}

#[test]
fn only_the_key_of_the_certificate_is_believed() {
    let key = test_keys::rsa();
    let data = prepare(&digest()).unwrap();
    let prepared = Prepared::read(&data).unwrap();
    let right = sign(key, Hash::Sha256, &data);
    let wrong = [
        sign(test_keys::other_rsa(), Hash::Sha256, &data),
        sign(&test_keys::p256(), Hash::Sha256, &data),
        sign(key, Hash::Sha384, &data),
        sign(key, Hash::Sha256, &data[..data.len() - 1]),
        right[1..].to_vec(),
        Vec::new(),
    ];
    for signed in wrong {
        assert!(matches!(
            prepared.attach(&digest(), &certificates(key), &signed),
            Err(DetachedError::WrongSignature { subject }) if subject.contains("CN=db")
        ));
    }
    assert!(matches!(
        prepared.attach(&digest(), &[], &right),
        Err(DetachedError::Sign(SignError::Certificate(_)))
    ));
}

#[test]
fn a_whole_signature_is_confirmed_when_it_is_the_one_that_we_would_have_made() {
    for key in [test_keys::rsa(), &test_keys::p256()] {
        let signed = signature(&digest(), &test_keys::signer(key)).unwrap();
        confirm(&signed, &digest(), &certificates(key)).unwrap();
    }
}

#[test]
fn a_whole_signature_of_something_else_is_not_confirmed() {
    let key = test_keys::rsa();
    let signed = signature(&digest(), &test_keys::signer(key)).unwrap();
    let refused = |signed: &[u8], digest: &ImageDigest, certificates: &[Certificate]| {
        confirm(signed, digest, certificates).unwrap_err()
    };
    let other_image = ImageDigest::sha256(&[0x5b; 32]);
    let error = refused(&signed, &other_image, &certificates(key));
    let wrong = DetachedError::WrongSignature {
        subject: String::new(),
    };
    let is = |error: &UnconfirmedError, expected: &DetachedError| {
        matches!(error, UnconfirmedError::Detached(error)
            if std::mem::discriminant(error) == std::mem::discriminant(expected))
    };
    assert!(is(&error, &wrong), "{error}");
    let error = refused(&signed, &digest(), &certificates(test_keys::other_rsa()));
    assert!(is(&error, &wrong), "{error}");
    // Another certificate beside the signer's.
    let more = [certificates(key), certificates(test_keys::other_rsa())].concat();
    let error = refused(&signed, &digest(), &more);
    assert!(matches!(error, UnconfirmedError::Other), "{error}");
    // A byte behind it, and no signature at all.
    for nothing in [
        [signed.as_slice(), &[0]].concat(),
        Vec::new(),
        vec![0x30; 9],
    ] {
        let error = refused(&nothing, &digest(), &certificates(key));
        assert!(matches!(error, UnconfirmedError::NotASignature), "{error}");
    }
}
