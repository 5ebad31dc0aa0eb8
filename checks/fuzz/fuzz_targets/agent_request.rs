//! What a signing agent reads off its sockets, and its clients: any bytes are frames or refused. A message that was read is written again
//! and read as the same, no payload is held that did not arrive, and what stands behind a frame is left for the next one. A key's name and a
//! derivation's path are what they must be, whoever sent them.
//!
//! Seeds: conversations of each request and answer, and frames with a header that lies about lengths.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use touchstone_agent::protocol::{
    self, AgentStatus, Answer, ControlRequest, Frame, FrameError, HEADER_LIMIT, KeyName,
    ProfileSignatures, Request,
};

/// Payloads of this fuzz target have at most as many bytes.
const LIMIT: u64 = 1 << 10;

fuzz_target!(|bytes: &[u8]| {
    conversation::<Request>(bytes, |request| {
        names(request).into_iter().for_each(check_name)
    });
    conversation::<ControlRequest>(bytes, check_derivation);
    conversation::<Answer>(bytes, |_| ());
    let _ = serde_json::from_slice::<Vec<ProfileSignatures>>(bytes);
    let _ = serde_json::from_slice::<AgentStatus>(bytes);
});

/// Reads frame after frame, as a server does.
fn conversation<T>(bytes: &[u8], check: impl Fn(&T))
where
    T: DeserializeOwned + Serialize + PartialEq + Debug,
{
    let mut rest = bytes;
    loop {
        let before = rest.len();
        let frame = match protocol::read::<T>(&mut rest) {
            Ok(Some(frame)) => frame,
            Ok(None) => return assert_eq!(before, 0),
            Err(_) => return,
        };
        assert!((5..=4 + HEADER_LIMIT).contains(&(before - rest.len())));
        check(&frame.message);
        written_again(&frame);
        let left = rest.len() as u64;
        match protocol::read_payload(&mut rest, frame.size, LIMIT) {
            Ok(payload) => assert_eq!(
                (payload.len() as u64, left - frame.size),
                (frame.size, rest.len() as u64)
            ),
            Err(FrameError::Cut) => return assert!(frame.size > left),
            Err(FrameError::PayloadSize { .. }) => return assert!(frame.size > LIMIT),
            Err(error) => panic!("{error}"),
        }
    }
}

/// A message is written and read again as it is; but where it is larger than what was read, as escapes can make it, it may not fit.
fn written_again<T>(frame: &Frame<T>)
where
    T: DeserializeOwned + Serialize + PartialEq + Debug,
{
    let mut wire = Vec::new();
    match protocol::write(&mut wire, frame) {
        Ok(()) => {
            let read = protocol::read::<T>(&mut wire.as_slice()).unwrap().unwrap();
            assert_eq!(
                (read.id, read.size, &read.message),
                (frame.id, frame.size, &frame.message)
            );
        }
        Err(error) => assert!(matches!(error, FrameError::HeaderSize(_)), "{error}"),
    }
}

fn names(request: &Request) -> Option<&KeyName> {
    match request {
        Request::Hello { .. } => None,
        Request::Key { key }
        | Request::Authenticode { key, .. }
        | Request::PcrPolicy { key, .. }
        | Request::Manifest { key } => Some(key),
    }
}

fn check_name(name: &KeyName) {
    let text = name.as_str();
    assert!((1..=64).contains(&text.len()) && !text.starts_with('.'));
    assert!(!text.contains(['/', '?', ':', '\0', '\n']));
}

fn check_derivation(request: &ControlRequest) {
    let (ControlRequest::Offer { derivation }
    | ControlRequest::Grant { derivation }
    | ControlRequest::Revoke { derivation }) = request
    else {
        return;
    };
    let path = derivation.to_string();
    assert!(path.starts_with("/nix/store/") && path.ends_with(".drv"));
    assert!(!path.contains(['\0', '\n', ' ']));
}
