//! Which signatures count as made by their signer, of this image.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{CertificateSet, SignedData, SignerInfo, SignerInfos};
use const_oid::db::rfc5911::{ID_SIGNED_DATA, ID_SIGNING_TIME};
use const_oid::db::rfc5912::ID_SHA_1;
use der::asn1::{OctetString, SetOfVec};
use der::{Any, Decode, Tag};
use spki::AlgorithmIdentifierOwned;
use x509_cert::Certificate;
use x509_cert::attr::Attribute;

use super::*;
use crate::Hash;

fn ours() -> Vec<u8> {
    signed(test_keys::rsa())
}

fn signed_data(pkcs7: &[u8]) -> SignedData {
    let outer = ContentInfo::from_der(pkcs7).unwrap();
    outer.content.decode_as().unwrap()
}

/// A good signature after `change`.
fn altered(change: impl FnOnce(&mut SignedData)) -> Vec<u8> {
    let mut data = signed_data(&ours());
    change(&mut data);
    let content = Any::encode_from(&data).unwrap();
    let content_type = ID_SIGNED_DATA;
    let outer = ContentInfo {
        content_type,
        content,
    };
    outer.to_der().unwrap()
}

/// A good signature whose one SignerInfo went through `change`.
fn altered_signer(change: impl FnOnce(&mut SignerInfo)) -> Vec<u8> {
    altered(|data| {
        let mut info = data.signer_infos.0.get(0).unwrap().clone();
        change(&mut info);
        data.signer_infos = SignerInfos::try_from(vec![info]).unwrap();
    })
}

fn replace(bytes: &[u8], old: &[u8], new: &[u8]) -> Vec<u8> {
    let mut places = bytes.windows(old.len());
    let at = places.position(|part| part == old).unwrap();
    [&bytes[..at], new, &bytes[at + old.len()..]].concat()
}

/// The one rule that decides on a signature by a db that trusts who made the good one.
fn rule(pkcs7: &[u8]) -> Rule {
    let (boots, by) = verdict(&[pkcs7], &of_key(test_keys::rsa()), &Database::default());
    assert_eq!(boots, by == [Rule::SignatureTrusted]);
    by[0]
}

/// The verdict on the good signature of firmware that trusts nobody, for an image with this digest.
fn by_nobody(digest: [u8; 32]) -> SignatureVerdict {
    let (digests, nobody) = ([(DigestKind::Sha256, digest.to_vec())], Database::default());
    let table = Table::of([&*ours()]);
    let verdict = judge(&digests.into(), Some(&table), &nobody, &nobody);
    assert!(!verdict.boots);
    verdict.signatures[0].clone()
}

#[test]
fn whose_signature_it_is_is_told_of_signers_whom_nobody_trusts() {
    let verdict = by_nobody(DIGEST);
    assert_eq!(verdict.reason.rule, Rule::NoChain);
    let subject = crate::certificate::subject(&certificate(test_keys::rsa()));
    assert!(subject.contains("CN=db") && verdict.reason.why.contains(&subject));
    assert_eq!(verdict.signer.as_ref(), Some(&subject));
    assert_eq!(verdict.issuer.as_ref(), Some(&subject));
}

#[test]
fn whose_signature_it_is_is_told_of_another_image_too_and_both_digests_are_named() {
    let verdict = by_nobody([0xa5; 32]);
    assert_eq!(verdict.reason.rule, Rule::ImageChanged);
    assert!(verdict.reason.why.contains(&"a5".repeat(32)));
    assert!(verdict.reason.why.contains(&"5a".repeat(32)));
    assert!(verdict.signer.unwrap().contains("CN=db"));
}

#[test]
fn a_changed_signature_and_changed_attributes_are_bad() {
    let signature = altered_signer(|info| {
        let mut bytes = info.signature.as_bytes().to_vec();
        bytes[100] ^= 1;
        info.signature = OctetString::new(bytes).unwrap();
    });
    assert_eq!(rule(&signature), Rule::SignatureBad);
    let attributes = altered_signer(|info| {
        let time = Attribute {
            oid: ID_SIGNING_TIME,
            values: SetOfVec::try_from(vec![Any::null()]).unwrap(),
        };
        info.signed_attrs.as_mut().unwrap().insert(time).unwrap();
    });
    assert_eq!(rule(&attributes), Rule::SignatureBad);
}

#[test]
fn the_key_of_another_certificate_is_not_believed() {
    // Same names and serial number as the signer's, so that it is taken for the signer's.
    let [real, other] = [test_keys::rsa(), test_keys::other_rsa()].map(certificate);
    let key = |of: &Certificate| {
        let info = of.tbs_certificate().subject_public_key_info();
        info.to_der().unwrap()
    };
    let der = replace(&real.to_der().unwrap(), &key(&real), &key(&other));
    let forged = altered(|data| {
        let certificate = CertificateChoices::Certificate(Certificate::from_der(&der).unwrap());
        data.certificates = Some(CertificateSet::try_from(vec![certificate]).unwrap());
    });
    assert_eq!(rule(&forged), Rule::SignatureBad);
    assert_eq!(
        verdict(
            &[&forged],
            &Database::new(&[list(X509, &der)]),
            &Database::default()
        ),
        (false, vec![Rule::SignatureBad])
    );
}

#[test]
fn attributes_are_signed_in_the_order_in_which_they_stand() {
    let data = signed_data(&ours());
    let info = data.signer_infos.0.get(0).unwrap();
    let attributes = info.signed_attrs.as_ref().unwrap().iter();
    let attributes: Vec<_> = attributes.map(|one| one.to_der().unwrap()).collect();
    let sorted = attributes.concat();
    let swapped = [&*attributes[1], &attributes[0]].concat();
    let unsorted = replace(&ours(), &sorted, &swapped);
    assert_eq!(rule(&unsorted), Rule::SignatureBad);

    let set = Any::new(Tag::Set, swapped).unwrap().to_der().unwrap();
    let signature = signer(test_keys::rsa()).sign(Hash::Sha256, &set).unwrap();
    let signed_so = replace(&unsorted, info.signature.as_bytes(), &signature);
    assert_eq!(rule(&signed_so), Rule::SignatureTrusted);
}

#[test]
fn without_attributes_the_content_itself_must_be_signed() {
    let by = |signature: Option<OctetString>| {
        altered_signer(|info| {
            info.signed_attrs = None;
            info.signature = signature.unwrap_or(info.signature.clone());
        })
    };
    assert_eq!(rule(&by(None)), Rule::SignatureBad);
    let content = signed_data(&ours()).encap_content_info.econtent.unwrap();
    let signature = signer(test_keys::rsa()).sign(Hash::Sha256, content.value());
    let signature = OctetString::new(signature.unwrap()).unwrap();
    assert_eq!(rule(&by(Some(signature))), Rule::SignatureTrusted);
}

#[test]
fn each_of_several_signers_must_have_signed() {
    let with = |change: fn(&mut Vec<u8>)| {
        altered(|data| {
            let mut second = data.signer_infos.0.get(0).unwrap().clone();
            second.version = cms::content_info::CmsVersion::V3;
            let mut signature = second.signature.as_bytes().to_vec();
            change(&mut signature);
            second.signature = OctetString::new(signature).unwrap();
            data.signer_infos.0.insert(second).unwrap();
        })
    };
    assert_eq!(rule(&with(|_| {})), Rule::SignatureTrusted);
    assert_eq!(rule(&with(|bytes| bytes[100] ^= 1)), Rule::SignatureBad);
}

#[test]
fn what_is_no_authenticode_signature_is_unreadable() {
    let other = certificate(test_keys::rsa()).to_der().unwrap();
    for noise in [&b""[..], b"hello", &other] {
        assert_eq!(rule(noise), Rule::HashUnknown);
    }
    for unreadable in [
        ours()[..200].to_vec(),
        altered(|data| data.encap_content_info.econtent = None),
        altered(|data| data.encap_content_info.econtent_type = ID_SIGNED_DATA),
        altered(|data| data.certificates = None),
        altered(|data| data.signer_infos.0 = SetOfVec::new()),
    ] {
        assert_eq!(rule(&unreadable), Rule::Unreadable);
    }
}

#[test]
fn a_signer_must_hash_as_the_signature_announces() {
    let named = |oid| AlgorithmIdentifierOwned {
        oid,
        parameters: None,
    };
    let weaker = altered_signer(|info| info.digest_alg = named(ID_SHA_1));
    assert_eq!(rule(&weaker), Rule::SignatureBad);
    // SHA3-256: an identifier as long as that of SHA-256.
    let sha3 = named(const_oid::db::fips202::ID_SHA_3_256);
    let unknown = altered(|data| {
        data.digest_algorithms = SetOfVec::try_from(vec![sha3]).unwrap();
    });
    assert_eq!(rule(&unknown), Rule::HashUnknown);
}

#[test]
fn a_signature_is_of_no_image_whose_digest_by_its_hash_is_not_known() {
    let image = ImageDigest::new(Hash::Sha384, &digests()[&DigestKind::Sha384]).unwrap();
    for key in [test_keys::rsa(), &test_keys::p256()] {
        let pkcs7 = authenticode::signature(&image, &signer(key)).unwrap();
        let (trusted, nothing) = (of_key(key), Database::default());
        let by = (true, vec![Rule::SignatureTrusted]);
        assert_eq!(verdict(&[&pkcs7], &trusted, &nothing), by);
        for unknown in [None, Some(vec![]), Some(vec![0x38; 47])] {
            let mut digests = digests();
            digests.remove(&DigestKind::Sha384);
            digests.extend(unknown.map(|digest| (DigestKind::Sha384, digest)));
            let table = Table::of([&*pkcs7]);
            let judged = judge(&digests, Some(&table), &trusted, &nothing);
            assert_eq!(
                (judged.boots, rules(&judged)),
                (false, vec![Rule::HashUnknown])
            );
        }
    }
}

#[test]
fn a_shorter_digest_is_of_another_image() {
    let short = altered(|data| {
        let content = data.encap_content_info.econtent.take().unwrap();
        let mut content = content.value().to_vec();
        // The last TLV is the digest: shorten it and the two SEQUENCEs that hold it by a byte.
        let length = content.len();
        content.pop();
        content[length - 33] -= 1;
        content[length - 50] -= 1;
        data.encap_content_info.econtent = Some(Any::new(Tag::Sequence, content).unwrap());
    });
    assert_eq!(rule(&short), Rule::ImageChanged);
}

#[test]
fn what_follows_a_signature_is_not_looked_at() {
    for rest in [&[0; 7][..], &[0; 8], &[1]] {
        let followed = [&ours(), rest].concat();
        assert_eq!(rule(&followed), Rule::SignatureTrusted);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_no_signature(bytes in prop::collection::vec(any::<u8>(), 0..512)) {
        prop_assert_ne!(rule(&bytes), Rule::SignatureTrusted);
    }

    #[test]
    fn no_changed_byte_makes_it_one_of_another_image(at in any::<prop::sample::Index>(), change in 1_u8..) {
        let mut pkcs7 = ours();
        let at = at.index(pkcs7.len());
        pkcs7[at] ^= change;
        let other = [(DigestKind::Sha256, vec![0xa5; 32])].into();
        let (db, dbx) = (of_key(test_keys::rsa()), Database::default());
        prop_assert!(!judge(&other, Some(&Table::of([&*pkcs7])), &db, &dbx).boots);
    }
}
