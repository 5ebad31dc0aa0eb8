use super::*;

/// The example of Go's documentation of its package `note`.
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_SECRET: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_SIGNATURE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn go_note() -> String {
    format!("{GO_TEXT}\n{GO_SIGNATURE}")
}

#[test]
fn makes_and_verifies_the_notes_of_go() {
    let key: PublicKey = GO_KEY.parse().unwrap();
    assert_eq!(
        open(go_note().as_bytes(), std::slice::from_ref(&key)),
        Ok(GO_TEXT)
    );
    let secret = CheckpointKey::read(GO_SECRET.as_bytes()).unwrap();
    assert_eq!(sign(GO_TEXT, &secret), Ok(go_note()));
    assert_eq!(secret.public_key(), &key);
    assert_eq!(secret.expose_text().as_str(), GO_SECRET);
    assert_eq!(key.to_string(), GO_KEY);
}

#[test]
fn no_changed_byte_of_a_note_is_believed() {
    let keys = [GO_KEY.parse().unwrap()];
    let note = go_note();
    for at in 0..note.len() {
        for bit in 0..8 {
            let mut changed = note.clone().into_bytes();
            changed[at] ^= 1 << bit;
            assert!(open(&changed, &keys).is_err(), "byte {at}, bit {bit}");
        }
    }
    for len in 0..note.len() {
        assert!(open(&note.as_bytes()[..len], &keys).is_err(), "{len} bytes");
    }
}

#[test]
fn believes_a_note_that_others_have_signed_too() {
    let other = CheckpointKey::from_seed("witness.example", &Zeroizing::new([7; 32])).unwrap();
    let line = sign(GO_TEXT, &other).unwrap().split_off(GO_TEXT.len() + 1);
    let both = format!("{}{line}", go_note());
    assert_eq!(
        open(both.as_bytes(), &[GO_KEY.parse().unwrap()]),
        Ok(GO_TEXT)
    );
    assert_eq!(
        open(both.as_bytes(), &[other.public_key().clone()]),
        Ok(GO_TEXT)
    );
    let note = go_note();
    let foreign = open(note.as_bytes(), &[other.public_key().clone()]);
    assert_eq!(
        foreign,
        Err(NoteError::Foreign(vec!["PeterNeumann+c74f20a3".to_owned()]))
    );
}

#[test]
fn refuses_keys_of_another_form_and_never_shows_them() {
    let secret = &GO_SECRET[34..];
    for text in [
        "",
        "a+b",
        GO_KEY,
        &GO_SECRET[..60],
        &GO_SECRET.replace("c74f20a3", "c74f20a4"),
        &GO_SECRET.replace("PeterNeumann", "Peter Neumann"),
        &GO_SECRET.replace("PeterNeumann", ""),
    ] {
        let error = CheckpointKey::read(text.as_bytes()).unwrap_err();
        assert!(
            !format!("{error} {error:?}").contains(&secret[4..16]),
            "{error}"
        );
    }
    let weak = PublicKey::new("a", &{
        let mut identity = [0; 32];
        identity[0] = 1;
        identity
    });
    assert_eq!(weak, Err(KeyError::Weak("a".to_owned())));
    assert!(GO_KEY.replace("c74f", "c74e").parse::<PublicKey>().is_err());
    let shown = format!("{:?}", CheckpointKey::read(GO_SECRET.as_bytes()).unwrap());
    assert_eq!(shown, format!("CheckpointKey({GO_KEY})"));
}
