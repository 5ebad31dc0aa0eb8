use std::io::{Cursor, Read};

use proptest::prelude::*;
use touchstone_artifacts::agent::StorePart;
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::{Bank, PhasePath};
use touchstone_store::StoreFile;

use super::*;
use crate::identity::Derivation;

const DRV: &str = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-web.drv";

fn parts() -> impl Strategy<Value = Vec<StorePart>> {
    let file = "[a-z]{1,8}(/[a-z]{1,8}){0,2}".prop_map(|name| {
        let text = format!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-{name}");
        StoreFile::parse(&text).unwrap()
    });
    let part = (any::<u64>(), any::<u64>(), file);
    let part = part.prop_map(|(at, size, file)| StorePart { at, size, file });
    proptest::collection::vec(part, 0..4)
}

fn requests() -> impl Strategy<Value = Request> {
    let key = || "[a-zA-Z0-9][-_.a-zA-Z0-9]{0,63}".prop_map(|name| KeyName::parse(&name).unwrap());
    let hash = prop_oneof![Just(SignatureDigest::Sha256), Just(SignatureDigest::Sha384)];
    let banks = Just(vec![Bank::Sha256, Bank::Sha384]);
    let phases = Just(PhasePath::standard());
    prop_oneof![
        any::<u32>().prop_map(|version| Request::Hello { version }),
        key().prop_map(|key| Request::Key { key }),
        (key(), hash, parts()).prop_map(|(key, hash, from_store)| Request::Authenticode {
            key,
            hash,
            from_store
        }),
        (
            key(),
            banks,
            phases,
            proptest::option::of(".{0,40}"),
            parts()
        )
            .prop_map(
                |(key, banks, phases, policy_ref, from_store)| Request::PcrPolicy {
                    key,
                    banks,
                    phases,
                    policy_ref,
                    from_store
                }
            ),
        key().prop_map(|key| Request::Manifest { key }),
    ]
}

fn frame(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap();
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

fn request(text: &str) -> Result<Option<Frame<Request>>, FrameError> {
    read(&mut frame(text).as_slice())
}

proptest! {
    #[test]
    fn requests_arrive_as_they_were_sent(
        sent in proptest::collection::vec((any::<u64>(), requests(), proptest::collection::vec(any::<u8>(), 0..64)), 0..8)
    ) {
        let mut wire = Vec::new();
        for (id, message, payload) in &sent {
            let frame = Frame { id: *id, size: payload.len() as u64, message: message.clone() };
            write(&mut wire, &frame).unwrap();
            wire.extend_from_slice(payload);
        }
        let mut wire = Cursor::new(wire);
        for (id, message, payload) in sent {
            let frame = read::<Request>(&mut wire).unwrap().unwrap();
            prop_assert_eq!((frame.id, frame.message), (id, message));
            prop_assert_eq!(read_payload(&mut wire, frame.size, 64).unwrap(), payload);
        }
        prop_assert!(read::<Request>(&mut wire).unwrap().is_none());
    }

    #[test]
    fn what_ends_in_the_middle_is_cut(message in requests(), kept in any::<prop::sample::Index>()) {
        let mut wire = Vec::new();
        write(&mut wire, &Frame { id: 1, size: 0, message }).unwrap();
        let kept = 1 + kept.index(wire.len() - 1);
        let cut = read::<Request>(&mut &wire[..kept]);
        prop_assert!(matches!(cut, Err(FrameError::Cut)), "{:?}", cut);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = read::<Request>(&mut bytes.as_slice());
        let header = frame(&String::from_utf8_lossy(&bytes));
        let _ = read::<Request>(&mut header.as_slice());
        let _ = read::<ControlRequest>(&mut header.as_slice());
        let _ = read::<Answer>(&mut header.as_slice());
    }
}

#[test]
fn unknown_and_repeated_fields_are_refused() {
    request(r#"{"id":1,"message":{"operation":"manifest","key":"web"}}"#).unwrap();
    for wrong in [
        r#"{"id":1,"message":{"operation":"manifest","key":"web","force":true}}"#,
        r#"{"id":1,"message":{"operation":"manifest","key":"web","key":"db"}}"#,
        r#"{"id":1,"message":{"operation":"manifest","key":"../web"}}"#,
        r#"{"id":1,"force":true,"message":{"operation":"manifest","key":"web"}}"#,
        r#"{"id":-1,"message":{"operation":"manifest","key":"web"}}"#,
        r#"{"id":1,"size":-1,"message":{"operation":"manifest","key":"web"}}"#,
        r#"{"message":{"operation":"manifest","key":"web"}}"#,
        r#"{"id":1,"message":{"operation":"hello"}}"#,
        r#"{"id":1,"message":{"operation":"hello","version":1}} {}"#,
    ] {
        let error = request(wrong).unwrap_err();
        assert_eq!(error.code(), "protocol.malformed", "{wrong}");
    }
}

#[test]
fn no_request_carries_a_digest() {
    for field in ["digest", "sha256", "tbs", "hash"] {
        for operation in ["key", "pcrPolicy", "manifest"] {
            let text = format!(
                r#"{{"id":1,"message":{{"operation":"{operation}","key":"k","banks":["sha256"],"phases":[],"{field}":"sha256"}}}}"#
            );
            request(&text).unwrap_err();
        }
    }
    request(
        r#"{"id":1,"message":{"operation":"authenticode","key":"k","hash":"sha256","digest":"00"}}"#,
    )
    .unwrap_err();
}

#[test]
fn control_and_work_are_different_languages() {
    let offer = format!(r#"{{"id":1,"message":{{"operation":"offer","derivation":"{DRV}"}}}}"#);
    let read_offer = read::<ControlRequest>(&mut frame(&offer).as_slice());
    let derivation = Derivation::parse(DRV).unwrap();
    let message = read_offer.unwrap().unwrap().message;
    assert_eq!(message, ControlRequest::Offer { derivation });
    request(&offer).unwrap_err();
}

#[test]
fn a_header_has_a_limit_in_both_directions() {
    for announced in [0, HEADER_LIMIT as u32 + 1, u32::MAX] {
        let error = read::<Request>(&mut announced.to_be_bytes().as_slice()).unwrap_err();
        assert_eq!(error.code(), "protocol.too-large");
    }
    let message = "x".repeat(HEADER_LIMIT);
    let frame = Frame {
        id: 1,
        size: 0,
        message,
    };
    let mut wire = Vec::new();
    write(&mut wire, &frame).unwrap_err();
    assert!(wire.is_empty());
}

#[test]
fn a_refusal_always_has_room_in_a_header() {
    // A control character takes six bytes of JSON.
    let long = "\u{1}ü".repeat(TEXT_LIMIT);
    let mut refusal = Refusal::new("policy.kernel", &long, &long);
    refusal.entry = Some(u64::MAX);
    let message = Answer::Refused(refusal);
    write(
        &mut Vec::new(),
        &Frame {
            id: u64::MAX,
            size: 0,
            message,
        },
    )
    .unwrap();
}

#[test]
fn answers_look_as_documented() {
    let done = Answer::Done {
        done: Done::Authenticode {},
        entry: Some(17),
    };
    let text = serde_json::to_string(&Frame {
        id: 3,
        size: 5,
        message: done,
    })
    .unwrap();
    let expected = r#"{"id":3,"size":5,"message":{"status":"done","done":{"operation":"authenticode"},"entry":17}}"#;
    assert_eq!(text, expected);
    let refused = Answer::Refused(Refusal::new("policy.kernel", "a", "b"));
    let text = serde_json::to_string(&refused).unwrap();
    assert_eq!(
        text,
        r#"{"status":"refused","code":"policy.kernel","what":"a","help":"b"}"#
    );
    assert_eq!(serde_json::from_str::<Answer>(&text).unwrap(), refused);
}

#[test]
fn an_announced_payload_takes_no_memory_before_it_arrives() {
    let mut few = b"abc".as_slice();
    let error = read_payload(&mut few, IMAGE_LIMIT, IMAGE_LIMIT).unwrap_err();
    assert!(matches!(error, FrameError::Cut), "{error}");
    let error = read_payload(&mut std::io::repeat(0), 5, 4).unwrap_err();
    assert_eq!(error.code(), "protocol.too-large");
    // What stands behind a payload is left for the next frame.
    let mut two = b"abcdef".as_slice();
    assert_eq!(read_payload(&mut two, 3, 3).unwrap(), b"abc");
    let mut rest = String::new();
    two.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "def");
}

#[test]
fn a_status_is_read_as_it_is_written() {
    let text = r#"{"agent":"0.1.0","since":1,"keys":[],"sockets":[],"grants":[],"connections":1,"entry":4,
        "log":{"name":"e1522a64f5a801cf9a91115efe1b4714","segment":1,"withoutCheckpoint":2,"full":true,
        "checkpointFailure":"no","failingExports":["/exports"]}}"#;
    let status: AgentStatus = serde_json::from_str(text).unwrap();
    assert_eq!((status.log.without_checkpoint, status.log.full), (2, true));
    let again = serde_json::to_value(&status).unwrap();
    assert_eq!(
        again,
        serde_json::from_str::<serde_json::Value>(text).unwrap()
    );
}
