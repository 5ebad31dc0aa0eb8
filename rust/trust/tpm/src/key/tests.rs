use der::Encode;
use der::asn1::Null;
use proptest::prelude::*;

use super::*;

const PUBLIC: [u8; 5] = [0, 3, 1, 2, 3];
const PRIVATE: [u8; 4] = [0, 2, 8, 9];

/// A DER value of this tag.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    if let Ok(short @ ..128) = u8::try_from(content.len()) {
        bytes.push(short);
    } else {
        bytes.extend([0x82]);
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
    }
    [bytes, content.to_vec()].concat()
}

/// A key file of these optional fields and this parent.
fn key(optional: &[Vec<u8>], parent: u32) -> Vec<u8> {
    let mut fields = LOADABLE.to_der().unwrap();
    fields.extend(optional.concat());
    fields.extend(parent.to_der().unwrap());
    fields.extend(value(4, &PUBLIC));
    fields.extend(value(4, &PRIVATE));
    value(0x30, &fields)
}

fn boolean_field(number: u8, byte: u8) -> Vec<u8> {
    value(0xa0 | number, &value(1, &[byte]))
}

fn null_field(number: u8) -> Vec<u8> {
    value(0xa0 | number, &Null.to_der().unwrap())
}

#[test]
fn reads_der_and_pem_with_text_before_it() {
    let der = key(&[], 0x8101_0001);
    let read = KeyFile::read(&der).unwrap();
    assert_eq!(read.parent(), Parent::Persistent(0x8101_0001));
    assert_eq!(
        (read.public(), read.private()),
        (&PUBLIC[2..], &PRIVATE[2..])
    );
    assert!(!read.has_empty_auth());
    let pem = der::pem::encode_string(LABEL, der::pem::LineEnding::LF, &der).unwrap();
    let pem = format!("a key of the TPM\n{pem}");
    assert_eq!(KeyFile::read(pem.as_bytes()), Ok(read));
}

#[test]
fn knows_the_parents_of_the_specification() {
    let parent = |optional: &[Vec<u8>], handle| {
        KeyFile::read(&key(optional, handle)).map(|key| key.parent())
    };
    for (handle, hierarchy) in [
        (0x4000_0001, Hierarchy::Owner),
        (0x4000_0007, Hierarchy::Null),
        (0x4000_000B, Hierarchy::Endorsement),
        (0x4000_000C, Hierarchy::Platform),
    ] {
        let primary = |rsa| Ok(Parent::Primary { hierarchy, rsa });
        assert_eq!(parent(&[], handle), primary(false));
        assert_eq!(parent(&[boolean_field(5, 0xff)], handle), primary(true));
    }
    for handle in [0, 0x4000_0009, 0x8000_0001, 0xffff_ffff] {
        assert_eq!(parent(&[], handle), Err(KeyFileError::Parent(handle)));
    }
}

#[test]
fn takes_true_as_every_program_writes_it() {
    for (byte, says) in [(0, false), (1, true), (0xff, true)] {
        let read = KeyFile::read(&key(&[boolean_field(0, byte)], 0x4000_0001)).unwrap();
        assert_eq!(read.has_empty_auth(), says);
    }
}

#[test]
fn refuses_policies_and_keys_that_are_to_be_imported() {
    let with = |optional| KeyFile::read(&key(&[optional], 0x4000_0001)).unwrap_err();
    assert_eq!(with(null_field(1)), KeyFileError::Policy);
    assert_eq!(with(null_field(2)), KeyFileError::Importable);
    assert_eq!(with(null_field(3)), KeyFileError::Policy);
    let mut of_type = key(&[], 0x4000_0001);
    for (last, error) in [
        (4, KeyFileError::Importable),
        (5, KeyFileError::Sealed),
        (
            6,
            KeyFileError::Type(ObjectIdentifier::new_unwrap("2.23.133.10.1.6")),
        ),
    ] {
        of_type[9] = last;
        assert_eq!(KeyFile::read(&of_type), Err(error));
    }
}

#[test]
fn refuses_fields_that_are_not_known_doubled_or_out_of_order() {
    let description = value(0xa4, &value(12, b"x"));
    assert!(KeyFile::read(&key(std::slice::from_ref(&description), 0x4000_0001)).is_ok());
    for optional in [
        vec![null_field(6)],
        vec![null_field(0)],
        vec![boolean_field(5, 1), description.clone()],
        vec![description.clone(), description],
        vec![value(0xa0, &value(1, &[1, 1]))],
    ] {
        let read = KeyFile::read(&key(&optional, 0x4000_0001));
        assert_eq!(read, Err(KeyFileError::Damaged), "{optional:x?}");
    }
}

#[test]
fn refuses_a_key_that_is_cut_short_or_longer_than_it_says() {
    let whole = key(&[], 0x4000_0001);
    for length in 12..whole.len() {
        let cut = KeyFile::read(&whole[..length]);
        assert_eq!(cut, Err(KeyFileError::Damaged), "{length}");
    }
    assert_eq!(
        KeyFile::read(&[&whole[..], b"\n"].concat()),
        Err(KeyFileError::Damaged)
    );
    let mut wrong = whole.clone();
    let at = whole.len() - PRIVATE.len() + 1;
    wrong[at] += 1;
    assert_eq!(KeyFile::read(&wrong), Err(KeyFileError::Damaged));
}

#[test]
fn says_what_another_file_holds() {
    for bytes in [&b""[..], b"hello", &[0x30], &[0x04, 2, 1, 1]] {
        assert_eq!(KeyFile::read(bytes), Err(KeyFileError::NotAKey));
    }
    let pem = |label, bytes: &[u8]| {
        der::pem::encode_string(label, der::pem::LineEnding::LF, bytes).unwrap()
    };
    let der = key(&[], 0x4000_0001);
    assert_eq!(
        KeyFile::read(pem("PRIVATE KEY", &der).as_bytes()),
        Err(KeyFileError::OtherPem("PRIVATE KEY".to_owned()))
    );
    let damaged = pem(LABEL, &der).replacen("\nM", "\n!", 1);
    assert_eq!(
        KeyFile::read(damaged.as_bytes()),
        Err(KeyFileError::Damaged)
    );
}

proptest! {
    #[test]
    fn reads_any_bytes(bytes: Vec<u8>) {
        let _ = KeyFile::read(&bytes);
    }

    #[test]
    fn reads_any_damage(at in 0usize..40, byte: u8) {
        let mut bytes = key(&[boolean_field(0, 1), boolean_field(5, 1)], 0x4000_0001);
        if let Some(place) = bytes.get_mut(at) {
            *place = byte;
        }
        let _ = KeyFile::read(&bytes);
    }
}
