//! An agent that is told to end in the middle of something.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use touchstone_agent::protocol::{self, Answer, Frame, Request, SMALL_LIMIT};
use touchstone_artifacts::signing_key::SignatureDigest;

use super::{Agent, Lab, SOON, db};

/// A request for the signature of an image, and the image.
fn request(lab: &Lab, number: u32) -> Vec<u8> {
    let image = lab.image(number);
    let hash = SignatureDigest::Sha256;
    let message = Request::Authenticode {
        key: db(),
        hash,
        from_store: Vec::new(),
    };
    let (id, size) = (u64::from(number), image.len() as u64);
    let mut bytes = Vec::new();
    protocol::write(&mut bytes, &Frame { id, size, message }).unwrap();
    [bytes, image].concat()
}

fn answer(stream: &mut UnixStream) -> (Answer, Vec<u8>) {
    let frame = protocol::read::<Answer>(stream).unwrap().unwrap();
    let payload = protocol::read_payload(stream, frame.size, SMALL_LIMIT).unwrap();
    (frame.message, payload)
}

#[test]
fn what_has_come_in_whole_is_signed_and_what_has_not_is_told_why() {
    const WHOLE: u32 = 8;
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(WHOLE));
    let mut stream = agent.stream();
    stream.write_all(&request(&lab, 0)).unwrap();
    assert_eq!(answer(&mut stream).1, lab.signature(0));
    // It is told to end, and finds all of this in its socket.
    let id = Pid::from_raw(agent.id() as i32).unwrap();
    kill_process(id, Signal::STOP).unwrap();
    for number in 0..WHOLE {
        stream.write_all(&request(&lab, number)).unwrap();
    }
    let half = request(&lab, 0);
    stream.write_all(&half[..half.len() / 2]).unwrap();
    agent.terminate();
    kill_process(id, Signal::CONT).unwrap();
    for number in 0..WHOLE {
        let (told, signature) = answer(&mut stream);
        assert_eq!(signature, lab.signature(number), "{number}: {told:?}");
    }
    let (Answer::Refused(refusal), _) = answer(&mut stream) else {
        panic!("half of an image is signed");
    };
    assert_eq!(refusal.code, "agent.stopping");
    assert!(agent.ended().success());
}

#[test]
fn an_agent_that_cannot_open_its_keys_ends_when_it_is_told_to() {
    let lab = Lab::new();
    let mut policy = lab.policy(1);
    // A pipe to which nobody writes: as long in opening as a token that hangs.
    lab.work.debian("mkfifo", &["pcr.pem"]);
    lab.secret("pcr.key", b"never read");
    policy["keys"]["pcr"] =
        json!({ "kind": "pcr", "key": lab.path("pcr.key"), "publicKey": lab.path("pcr.pem") });
    lab.secret("policy.json", policy.to_string().as_bytes());
    let mut child = Agent::command(lab.work.folder()).spawn().unwrap();
    // Its sockets are the first that it makes, and the key of checkpoints the next.
    thread::sleep(Duration::from_secs(2));
    assert!(lab.path("direct").exists());
    assert_eq!(child.try_wait().unwrap(), None);
    let id = Pid::from_raw(child.id() as i32).unwrap();
    kill_process(id, Signal::TERM).unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!("the agent does not end");
        }
        thread::sleep(Duration::from_millis(10));
    }
}
