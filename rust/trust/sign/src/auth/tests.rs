use der::Encode;
use proptest::prelude::*;

use super::*;
use crate::esl;
use crate::test_keys::{self, certificate, signer};

fn time() -> EfiTime {
    "2026-01-31T12:34:56Z".parse().unwrap()
}

fn lists() -> Vec<u8> {
    esl::of_sha256(GLOBAL, &[[1; 32], [2; 32]]).unwrap()
}

fn update(variable: Variable, append: bool, lists: &[u8]) -> Update<'_> {
    Update {
        variable,
        append,
        time: time(),
        lists,
    }
}

fn signed(variable: Variable, append: bool) -> Vec<u8> {
    update(variable, append, &lists())
        .sign(&signer(test_keys::rsa()))
        .unwrap()
}

#[test]
fn what_is_signed_names_the_variable_its_attributes_and_the_time() {
    let bytes = update(Variable::Dbx, true, b"lists").to_be_signed();
    let vendor = [
        0xcb, 0xb2, 0x19, 0xd7, 0x3a, 0x3d, 0x96, 0x45, 0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65,
        0x6f,
    ];
    let expected = [
        &b"d\0b\0x\0"[..],
        &vendor,
        &[0x67, 0, 0, 0],
        &time().to_bytes(),
        b"lists",
    ];
    assert_eq!(bytes, expected.concat());
    let bytes = update(Variable::Pk, false, b"").to_be_signed();
    assert!(bytes.starts_with(b"P\0K\0\x61\xdf\xe4\x8b"));
    assert_eq!(bytes[20..24], [0x27, 0, 0, 0]);
}

#[test]
fn an_update_of_every_variable_is_known_again_by_its_signature() {
    for variable in Variable::ALL {
        for append in [false, true] {
            let read = SignedUpdate::parse(&signed(variable, append)).unwrap();
            assert_eq!(read.variable(), Ok(Some((variable, append))));
            assert_eq!((read.time, &read.lists), (time(), &lists()));
            assert_eq!(read.signer().unwrap(), certificate(test_keys::rsa()));
            assert!(matches!(
                read.verify(variable, !append),
                Err(AuthError::BadSignature { .. })
            ));
        }
    }
}

#[test]
fn every_kind_of_key_signs_an_update() {
    for key in [&test_keys::p256(), &test_keys::p384()] {
        let lists = lists();
        let file = update(Variable::Db, false, &lists)
            .sign(&signer(key))
            .unwrap();
        let read = SignedUpdate::parse(&file).unwrap();
        assert_eq!(read.verify(Variable::Db, false), Ok(()));
    }
}

#[test]
fn a_signature_that_was_made_elsewhere_gives_the_same_file() {
    let lists = lists();
    for key in [test_keys::rsa(), &test_keys::p256()] {
        let (update, signer) = (update(Variable::Db, true, &lists), signer(key));
        let signature = signer.sign(Hash::Sha256, &update.to_be_signed()).unwrap();
        let own = [certificate(key)];
        let attached = update.attach(&own, signature.clone()).unwrap();
        assert_eq!(attached, update.sign(&signer).unwrap());

        let other = Update {
            append: false,
            ..update
        };
        let stranger = [certificate(test_keys::other_rsa())];
        for refused in [
            other.attach(&own, signature.clone()),
            update.attach(&stranger, signature),
        ] {
            assert!(matches!(refused, Err(DetachedError::WrongSignature { .. })));
        }
    }
}

#[test]
fn an_update_without_lists_removes_the_platform_key() {
    let file = update(Variable::Pk, false, b"")
        .sign(&signer(test_keys::rsa()))
        .unwrap();
    let read = SignedUpdate::parse(&file).unwrap();
    assert_eq!(read.verify(Variable::Pk, false), Ok(()));
    assert_eq!(read.lists, b"");
}

#[test]
fn the_signature_may_stand_in_a_content_info() {
    let bare = signed(Variable::Db, false);
    let (header, rest) = bare.split_at(40);
    let (signature, lists) = rest.split_at(rest.len() - lists().len());
    let wrapped = cms::content_info::ContentInfo {
        content_type: const_oid::db::rfc5911::ID_SIGNED_DATA,
        content: der::Decode::from_der(signature).unwrap(),
    }
    .to_der()
    .unwrap();
    let mut file = [header, &wrapped, lists].concat();
    let length = u32::try_from(24 + wrapped.len()).unwrap();
    file[16..20].copy_from_slice(&length.to_le_bytes());
    let read = SignedUpdate::parse(&file).unwrap();
    assert_eq!(read.variable(), Ok(Some((Variable::Db, false))));
}

#[test]
fn refuses_what_is_no_update() {
    let good = signed(Variable::Db, false);
    let refusal = |bytes: &[u8]| SignedUpdate::parse(bytes).unwrap_err().to_string();
    for end in [0, 10, 16, 19, 39] {
        assert!(refusal(&good[..end]).contains(".auth"), "{end}");
    }
    for (at, fact) in [
        (7, "time"),
        (19, "past the end"),
        (21, "PKCS #7"),
        (22, "PKCS #7"),
        (24, "PKCS #7"),
    ] {
        let mut bytes = good.clone();
        bytes[at] ^= 0x41;
        assert!(refusal(&bytes).contains(fact), "{at}: {}", refusal(&bytes));
    }
    let mut short = good.clone();
    short[16..20].copy_from_slice(&23_u32.to_le_bytes());
    assert!(refusal(&short).contains("too short"));
}

#[test]
fn says_that_a_signature_is_unreadable() {
    let mut bytes = signed(Variable::Db, false);
    bytes[44] = 0xff;
    let read = SignedUpdate::parse(&bytes).unwrap();
    assert!(matches!(read.signer(), Err(AuthError::Malformed(_))));
    assert!(matches!(read.variable(), Err(AuthError::Malformed(_))));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = SignedUpdate::parse(&bytes);
    }

    #[test]
    fn a_changed_byte_makes_no_other_update_right(at in 0_usize..2000, change in 1_u8..) {
        let good = signed(Variable::Db, false);
        let mut bytes = good.clone();
        let at = at % bytes.len();
        bytes[at] ^= change;
        let Ok(read) = SignedUpdate::parse(&bytes) else { return Ok(()) };
        if let Ok(Some(found)) = read.variable() {
            // Then what the signature covers is as it was: the byte was elsewhere in the certificate.
            prop_assert_eq!(found, (Variable::Db, false));
            prop_assert_eq!((read.time, read.lists), (time(), lists()));
        }
    }
}
