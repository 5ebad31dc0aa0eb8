//! What is not accepted, and why.

use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_384};
use spki::AlgorithmIdentifierOwned;

use super::*;

#[test]
fn refuses_a_signer_whom_nobody_trusts() {
    let verdict = verify(
        &signed(),
        &[digest()],
        &[certificate(test_keys::other_rsa())],
    );
    assert!(matches!(verdict, Err(VerifyError::Untrusted { signer }) if signer.contains("CN=db")));
    assert!(matches!(
        verify(&signed(), &[digest()], &[]),
        Err(VerifyError::Untrusted { .. })
    ));
}

#[test]
fn refuses_another_image_and_names_both_digests() {
    let error = verify(&signed(), &[ImageDigest::sha256(&[0xa5; 32])], &trusted()).unwrap_err();
    assert_eq!(
        error,
        VerifyError::DigestMismatch {
            image: ImageDigest::sha256(&[0xa5; 32]),
            signed: digest()
        }
    );
    assert!(
        error.to_string().contains(&"a5".repeat(32))
            && error.to_string().contains(&"5a".repeat(32))
    );
}

#[test]
fn refuses_a_digest_changed_after_signing() {
    let pkcs7 = replace(&signed(), &BYTES, &[0xa5; 32]);
    let verdict = verify(&pkcs7, &[ImageDigest::sha256(&[0xa5; 32])], &trusted());
    assert_eq!(
        verdict,
        Err(VerifyError::NotAuthenticode(
            "its message digest is not of its content"
        ))
    );
}

#[test]
fn refuses_a_changed_signature_and_changed_attributes() {
    let signature = altered_signer(|info| {
        let mut bytes = info.signature.as_bytes().to_vec();
        bytes[100] ^= 1;
        info.signature = OctetString::new(bytes).unwrap();
    });
    assert!(matches!(
        refusal(&signature),
        VerifyError::BadSignature { .. }
    ));
    let attributes = altered_signer(|info| {
        let time = attribute(const_oid::db::rfc5911::ID_SIGNING_TIME, Any::null()).unwrap();
        info.signed_attrs.as_mut().unwrap().insert(time).unwrap();
    });
    assert!(matches!(
        refusal(&attributes),
        VerifyError::BadSignature { .. }
    ));
}

#[test]
fn refuses_the_certificate_of_another_key() {
    // Same names and serial number as the signer's, so that it is taken for the signer's.
    let forged = altered(|data| {
        let [real, other] = [
            certificate(test_keys::rsa()),
            certificate(test_keys::other_rsa()),
        ];
        let key = |of: &Certificate| {
            of.tbs_certificate()
                .subject_public_key_info()
                .to_der()
                .unwrap()
        };
        let der = replace(&real.to_der().unwrap(), &key(&real), &key(&other));
        let certificate = CertificateChoices::Certificate(Certificate::from_der(&der).unwrap());
        data.certificates = Some(CertificateSet::try_from(vec![certificate]).unwrap());
    });
    assert!(matches!(refusal(&forged), VerifyError::BadSignature { .. }));
}

#[test]
fn verifies_the_attributes_in_the_order_in_which_they_stand() {
    let data = signed_data(&signed());
    let info = data.signer_infos.0.get(0).unwrap();
    let attributes: Vec<_> = info
        .signed_attrs
        .as_ref()
        .unwrap()
        .iter()
        .map(|attribute| attribute.to_der().unwrap())
        .collect();
    let [sorted, swapped] = [
        attributes.concat(),
        [&*attributes[1], &attributes[0]].concat(),
    ];
    let unsorted = replace(&signed(), &sorted, &swapped);
    assert!(matches!(
        refusal(&unsorted),
        VerifyError::BadSignature { .. }
    ));

    let set = Any::new(Tag::Set, swapped).unwrap().to_der().unwrap();
    let signature = signer(test_keys::rsa()).sign(Hash::Sha256, &set).unwrap();
    let signed_so = replace(&unsorted, info.signature.as_bytes(), &signature);
    assert_eq!(verify(&signed_so, &[digest()], &trusted()), Ok(()));
}

#[test]
fn refuses_what_is_not_authenticode() {
    assert!(not_authenticode(b""));
    assert!(not_authenticode(b"hello"));
    assert!(not_authenticode(&signed()[..200]));
    assert!(not_authenticode(
        &certificate(test_keys::rsa()).to_der().unwrap()
    ));
    assert!(not_authenticode(&altered(|data| data
        .encap_content_info
        .econtent = None)));
    assert!(not_authenticode(&altered(|data| data
        .encap_content_info
        .econtent_type =
        ID_SIGNED_DATA)));
    assert!(not_authenticode(&altered(|data| data.certificates = None)));
    assert!(not_authenticode(&altered(
        |data| data.signer_infos.0 = SetOfVec::new()
    )));
    assert!(not_authenticode(&altered(|data| {
        let mut second = data.signer_infos.0.get(0).unwrap().clone();
        second.version = CmsVersion::V3;
        data.signer_infos.0.insert(second).unwrap();
    })));
    assert!(not_authenticode(&altered_signer(|info| info
        .signed_attrs =
        None)));
}

#[test]
fn refuses_weak_digests_anywhere() {
    let named = |oid| AlgorithmIdentifierOwned {
        oid,
        parameters: None,
    };
    let weak = altered_signer(|info| info.digest_alg = named(ID_SHA_1));
    assert_eq!(refusal(&weak), VerifyError::Algorithm(ID_SHA_1));
    let weak = altered_signer(|info| info.signature_algorithm = named(ID_SHA_1));
    assert_eq!(refusal(&weak), VerifyError::Algorithm(ID_SHA_1));

    // SHA3-256: an identifier and a digest as long as those of SHA-256.
    let sha3 = const_oid::db::fips202::ID_SHA_3_256;
    let [sha256, other] =
        [const_oid::db::rfc5912::ID_SHA_256, sha3].map(|oid| oid.to_der().unwrap());
    let other = altered(|data| {
        let content = data.encap_content_info.econtent.take().unwrap();
        let value = replace(content.value(), &sha256, &other);
        data.encap_content_info.econtent = Some(Any::new(Tag::Sequence, value).unwrap());
    });
    assert_eq!(refusal(&other), VerifyError::Algorithm(sha3));
}

#[test]
fn asks_for_the_digest_by_the_hash_that_was_signed() {
    let digest = ImageDigest::new(Hash::Sha384, &[0x5a; 48]).unwrap();
    for key in [test_keys::rsa(), &test_keys::p256()] {
        let pkcs7 = signature(&digest, &signer(key)).unwrap();
        let trusted = [certificate(key)];
        assert_eq!(signed_hash(&pkcs7), Ok(Hash::Sha384));
        assert_eq!(
            verify(&pkcs7, &[super::digest(), digest.clone()], &trusted),
            Ok(())
        );
        assert_eq!(
            verify(&pkcs7, &[super::digest()], &trusted),
            Err(VerifyError::Algorithm(ID_SHA_384)),
            "the image's digest is not known by this hash"
        );
    }
}

#[test]
fn refuses_a_digest_of_another_length() {
    let short = altered(|data| {
        let mut content: Vec<u8> = data
            .encap_content_info
            .econtent
            .take()
            .unwrap()
            .value()
            .to_vec();
        // The last TLV is the digest: shorten it and the two SEQUENCEs that hold it by a byte.
        let length = content.len();
        content.pop();
        content[length - 33] -= 1;
        content[length - 50] -= 1;
        data.encap_content_info.econtent = Some(Any::new(Tag::Sequence, content).unwrap());
    });
    assert_eq!(
        refusal(&short),
        VerifyError::NotAuthenticode("what is signed is not the digest of an image")
    );
}

#[test]
fn ignores_the_padding_of_the_certificate_table_and_nothing_else() {
    let followed_by = |rest: &[u8]| [&signed(), rest].concat();
    assert_eq!(
        verify(&followed_by(&[0; 7]), &[digest()], &trusted()),
        Ok(())
    );
    assert!(not_authenticode(&followed_by(&[0; 8])));
    assert!(not_authenticode(&followed_by(&[1])));
}
