use super::*;
use crate::fingerprint::tests::curl;
use proptest::prelude::*;

const CACHE: &str = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";
const CURL: &str = "cache.nixos.org-1:TsTTb3WGTZKphvYdBHXwo6weVILmTytUjLB+vcX89fOjjRicCHmKA4RCPMVLkj6TMJ4GMX3HPVWRdD1hkeKZBQ==";

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &Zeroizing::new([seed; 32])).unwrap()
}

#[test]
fn verifies_what_the_nixos_cache_signed() {
    let key = PublicKey::parse(&format!("{CACHE}\n")).unwrap();
    let signature = Signature::parse(CURL).unwrap();
    assert!(key.verifies(&curl(), &signature));
    assert!(!key.verifies(&curl().replace("196040", "196041"), &signature));
    assert_eq!(
        (key.to_string().as_str(), signature.to_string().as_str()),
        (CACHE, CURL)
    );
}

#[test]
fn does_not_verify_under_another_name() {
    let renamed = PublicKey::parse(&CACHE.replace("org-1", "org-2")).unwrap();
    assert!(!renamed.verifies(&curl(), &Signature::parse(CURL).unwrap()));
}

#[test]
fn does_not_verify_a_malleable_twin() {
    // S + L is another encoding of the same scalar: strict verification refuses it.
    let order = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut twin = Signature::parse(CURL).unwrap();
    let mut carry = 0u16;
    for (byte, add) in twin.bytes[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + add + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert!(!PublicKey::parse(CACHE).unwrap().verifies(&curl(), &twin));
}

#[test]
fn signs_what_its_public_half_verifies() {
    let secret = key("host-1", 7);
    let again = SecretKey::parse(&format!(" {}\n", secret.expose_text().as_str())).unwrap();
    assert_eq!(again.sign("text"), secret.sign("text"));
    assert!(again.public_key().verifies("text", &secret.sign("text")));
}

#[test]
fn never_shows_the_secret() {
    let secret = key("host-1", 7);
    assert_eq!(format!("{secret:?}"), "SecretKey { name: \"host-1\", .. }");
    let text = secret.expose_text();
    let payload = text.split_once(':').unwrap().1;
    for damaged in [
        payload.to_owned(),
        format!("a:{}", &payload[4..]),
        format!("a:{}AAAA", &payload[..84]),
    ] {
        let error = SecretKey::parse(&damaged).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains(&payload[10..30]),
            "{error}"
        );
    }
}

#[test]
fn refuses_halves_of_two_keys() {
    let (one, two) = (
        key("a", 1).key.to_keypair_bytes(),
        key("a", 2).key.to_keypair_bytes(),
    );
    let mixed = [&one[..32], &two[32..]].concat();
    let text = format!("a:{}", BASE64.encode(&mixed));
    assert_eq!(
        SecretKey::parse(&text).unwrap_err(),
        KeyError::Halves("a".to_owned())
    );
}

#[test]
fn refuses_a_key_for_which_anybody_can_sign() {
    let identity = [&[1u8][..], &[0; 31]].concat();
    let text = format!("evil:{}", BASE64.encode(&identity));
    assert_eq!(
        PublicKey::parse(&text),
        Err(KeyError::Weak("evil".to_owned()))
    );
}

#[test]
fn refuses_texts_of_another_form() {
    for text in ["", ":", "a", "a:", ":AAAA"] {
        assert_eq!(
            PublicKey::parse(text),
            Err(KeyError::Form(PUBLIC)),
            "{text}"
        );
    }
    assert_eq!(PublicKey::parse("a b:AAAA"), Err(KeyError::Name(PUBLIC)));
    assert!(matches!(
        PublicKey::parse("a:AAAA"),
        Err(KeyError::Payload { bytes: 32, .. })
    ));
    assert!(matches!(
        Signature::parse(CACHE),
        Err(KeyError::Payload { bytes: 64, .. })
    ));
    assert!(Signature::parse(&format!("{CURL}\n")).is_err());
}

#[test]
fn counts_keys_by_their_contents() {
    let keys = [key("a", 1), key("b", 1), key("a", 2)].map(|key| key.public_key());
    assert_eq!(distinct_contents(&keys), 2);
}

proptest! {
    #[test]
    fn never_panics(text in "\\PC{0,4}:?[A-Za-z0-9+/]{0,90}={0,2}") {
        let _ = SecretKey::parse(&text);
        if let Ok(key) = PublicKey::parse(&text) {
            prop_assert_eq!(key.to_string(), text.clone());
        }
        if let Ok(signature) = Signature::parse(&text) {
            prop_assert_eq!(signature.to_string(), text);
        }
    }
}

#[test]
fn refuses_a_second_spelling_of_the_same_bytes() {
    // 2 and 30 bytes apart, as long as 32 together: padding stands inside.
    let pieces = format!("a:{}{}", BASE64.encode(&[9; 2]), BASE64.encode(&[9; 30]));
    assert!(matches!(
        PublicKey::parse(&pieces),
        Err(KeyError::Payload { .. })
    ));
}
