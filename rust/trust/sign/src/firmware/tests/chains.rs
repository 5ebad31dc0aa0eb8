//! Who may have issued a signer's certificate.

use p256::ecdsa::{DerSignature, SigningKey};
use x509_cert::Certificate;
use x509_cert::certificate::Version;
use x509_cert::ext::pkix::KeyUsages;

use super::*;
use crate::test_keys::{Issue, test_key};

fn key(number: u8) -> SigningKey {
    SigningKey::from_slice(&[number; 32]).unwrap()
}

fn root(by: &SigningKey, authority: Option<bool>, usage: Option<KeyUsages>) -> Certificate {
    let root = Issue {
        subject: "CN=root",
        issuer: "CN=root",
        authority,
        usage,
    };
    root.by::<_, DerSignature>(by, by)
}

#[test]
fn a_certificate_issued_by_a_trusted_authority_is_trusted() {
    let (authority, own, stranger) = (key(1), key(2), key(3));
    let leaf = Issue {
        subject: "CN=leaf",
        issuer: "CN=root",
        authority: None,
        usage: None,
    };
    let leaf = leaf.by::<_, DerSignature>(&authority, &own);
    let pkcs7 = signed(&test_key(&own, &leaf));
    let verdict = |anchor: Certificate| {
        let db = [certificate(test_keys::rsa()), anchor];
        let db = Database::of_certificates(&db).unwrap();
        let table = Table::of([&*pkcs7]);
        let verdict = judge(&digests(), Some(&table), &db, &Database::default());
        let reason = verdict.reasons[0].clone();
        assert_eq!(verdict.signatures[0].signer.as_deref(), Some("CN=leaf"));
        assert_eq!(verdict.boots, reason.rule == Rule::SignatureTrusted);
        (!verdict.boots).then_some(reason)
    };
    let usage = |usage| root(&authority, Some(true), Some(usage));
    assert_eq!(verdict(root(&authority, Some(true), None)), None);
    assert_eq!(verdict(usage(KeyUsages::KeyCertSign)), None);
    assert_eq!(verdict(leaf.clone()), None, "the leaf itself");
    let by_usage = |usage| root(&authority, None, Some(usage));
    assert_eq!(verdict(by_usage(KeyUsages::KeyCertSign)), None);
    let old = root(&authority, None, None);
    assert_eq!(old.tbs_certificate().version(), Version::V1);
    assert_eq!(verdict(old), None, "of before there were extensions");
    for (anchor, why) in [
        (
            usage(KeyUsages::DigitalSignature),
            "is no certificate authority",
        ),
        (
            root(&authority, Some(false), None),
            "is no certificate authority",
        ),
        (
            by_usage(KeyUsages::DigitalSignature),
            "is no certificate authority",
        ),
        (root(&stranger, Some(true), None), "did not sign it"),
    ] {
        let reason = verdict(anchor).unwrap();
        assert_eq!(reason.rule, Rule::NoChain);
        assert!(reason.why.ends_with(why), "{}", reason.why);
    }
}
