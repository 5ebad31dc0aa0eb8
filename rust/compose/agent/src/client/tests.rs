//! A client and peers that do not behave: what the agent itself answers is tested with the agent itself.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use touchstone_artifacts::Agent;
use touchstone_artifacts::agent::{AgentError, AgentKey, ShownImage, StorePart};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_store::StoreFile;

use super::wire::{Payload, Wire};
use super::*;
use crate::protocol::{self, Answer, Done, Frame, KeyName, Refusal, Request, SMALL_LIMIT};

const SHOWN: &str = "/run/peer";

/// A client whose peer does this.
fn peer(acts: impl FnOnce(UnixStream) + Send + 'static) -> (Wire, JoinHandle<()>) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let thread = thread::spawn(move || acts(theirs));
    (Wire::over(ours, Path::new(SHOWN)), thread)
}

fn manifest() -> Request {
    let key = KeyName::parse("nix").unwrap();
    Request::Manifest { key }
}

fn answer(id: u64, message: Answer, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let size = payload.len() as u64;
    protocol::write(&mut bytes, &Frame { id, size, message }).unwrap();
    bytes.extend_from_slice(payload);
    bytes
}

fn done(done: Done) -> Answer {
    Answer::Done { done, entry: None }
}

/// What the client says when the peer has read the request and writes this, and nothing more.
fn after(bytes: Vec<u8>) -> Result<Vec<u8>, AgentError> {
    let (mut wire, thread) = peer(move |mut stream| {
        protocol::read::<Request>(&mut stream).unwrap().unwrap();
        stream.write_all(&bytes).unwrap();
    });
    let answered = wire.ask(&manifest(), Payload::Nothing, 16);
    thread.join().unwrap();
    answered.map(|answered| answered.payload)
}

#[test]
fn an_answer_is_taken_with_its_payload() {
    let payload = after(answer(1, done(Done::Manifest {}), b"signed")).unwrap();
    assert_eq!(payload, b"signed");
}

#[test]
fn a_refusal_comes_through_in_its_own_words() {
    let mut refusal = Refusal::new("policy.kernel", "the kernel is foreign", "name it");
    refusal.entry = Some(17);
    let error = after(answer(1, Answer::Refused(refusal), b"")).unwrap_err();
    assert_eq!(error.code(), "agent.refused");
    assert_eq!(
        error.to_string(),
        "the signing agent refuses: the kernel is foreign [policy.kernel, entry 17 of its log]"
    );
    assert_eq!(error.help(), "name it");
}

#[test]
fn an_answer_to_another_request_is_not_taken() {
    let error = after(answer(2, done(Done::Manifest {}), b"")).unwrap_err();
    assert_eq!(error.code(), "agent.wrong-answer");
    assert!(error.to_string().contains("request 2, not of 1"), "{error}");
    // But one that says why our header was not understood is.
    let refusal = Answer::Refused(Refusal::new("protocol.malformed", "what?", ""));
    let error = after(answer(0, refusal, b"")).unwrap_err();
    assert_eq!(error.code(), "agent.refused");
}

#[test]
fn an_answer_has_a_limit_and_an_end() {
    let error = after(answer(1, done(Done::Manifest {}), &[0; 17])).unwrap_err();
    assert_eq!(error.code(), "agent.wrong-answer");
    let mut cut = answer(1, done(Done::Manifest {}), b"signed");
    cut.pop();
    assert_eq!(after(cut).unwrap_err().code(), "agent.unreachable");
    assert_eq!(after(Vec::new()).unwrap_err().code(), "agent.unreachable");
    let error = after(b"\x00\x00\x00\x02[]".to_vec()).unwrap_err();
    assert_eq!(error.code(), "agent.wrong-answer");
}

#[test]
fn whoever_refuses_need_not_listen_to_the_end() {
    let (mut wire, thread) = peer(|mut stream| {
        protocol::read::<Request>(&mut stream).unwrap().unwrap();
        let refusal = Refusal::new("agent.busy", "not now", "later");
        let refused = answer(1, Answer::Refused(refusal), b"");
        stream.write_all(&refused).unwrap();
    });
    let large = vec![0; 8 << 20];
    let error = wire.ask(&manifest(), Payload::Bytes(&large), 16).err();
    thread.join().unwrap();
    assert_eq!(error.unwrap().code(), "agent.refused");
}

#[test]
fn a_file_is_shown_from_its_beginning_as_long_as_it_is() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&[7; 300_000]).unwrap();
    let (mut wire, thread) = peer(|mut stream| {
        let frame = protocol::read::<Request>(&mut stream).unwrap().unwrap();
        let mut payload = protocol::read_payload(&mut stream, frame.size, SMALL_LIMIT).unwrap();
        assert_eq!(payload.len(), 300_000);
        payload.truncate(3);
        let message = done(Done::Manifest {});
        stream.write_all(&answer(1, message, &payload)).unwrap();
    });
    let answered = wire.ask(
        &manifest(),
        Payload::Image(&ShownImage::whole(&file).unwrap(), &[]),
        16,
    );
    thread.join().unwrap();
    assert_eq!(answered.ok().unwrap().payload, [7; 3]);
}

/// The next request and its payload.
fn next(stream: &mut UnixStream) -> (Frame<Request>, Vec<u8>) {
    let frame = protocol::read::<Request>(stream).unwrap().unwrap();
    let payload = protocol::read_payload(stream, frame.size, SMALL_LIMIT).unwrap();
    (frame, payload)
}

#[test]
fn what_the_agent_does_not_find_in_its_store_is_sent() {
    let part = StorePart {
        at: 2,
        size: 6,
        file: StoreFile::parse("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-a").unwrap(),
    };
    let parts = vec![part];
    let expected = parts.clone();
    let (wire, thread) = peer(move |mut stream| {
        let (named, sent) = next(&mut stream);
        assert_eq!(
            (named.message.from_store(), &sent[..]),
            (&expected[..], &b"0189"[..])
        );
        let again = answer(1, done(Done::SendWhole {}), b"");
        stream.write_all(&again).unwrap();
        let (whole, sent) = next(&mut stream);
        assert_eq!(
            (whole.message.from_store(), &sent[..]),
            (&[][..], &b"0123456789"[..])
        );
        let signed = answer(2, done(Done::Authenticode {}), b"signed");
        stream.write_all(&signed).unwrap();
        // Who was sent the whole image has nothing more to ask for.
        let (_, _) = next(&mut stream);
        let again = answer(3, done(Done::SendWhole {}), b"");
        stream.write_all(&again).unwrap();
    });
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"0123456789").unwrap();
    let image = ShownImage::whole(&file).unwrap();
    let mut agent = Connection::over(wire);
    let key = KeyName::parse("db").unwrap();
    let mut ask = |image: &ShownImage<'_>| agent.authenticode(&key, SignatureDigest::Sha256, image);
    assert_eq!(ask(&image.with_parts(&parts)).unwrap(), b"signed");
    assert_eq!(ask(&image).unwrap_err().code(), "agent.wrong-answer");
    thread.join().unwrap();
}

#[test]
fn a_silent_agent_is_not_waited_for_for_ever() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut wire = Wire::over(ours, Path::new(SHOWN));
    let error = wire.ask(&manifest(), Payload::Nothing, 16).err().unwrap();
    assert_eq!(error.code(), "agent.unreachable");
    assert!(error.to_string().contains("too long"), "{error}");
    drop(theirs);
}

#[test]
fn an_agent_that_does_not_listen_is_not_waited_for_for_ever() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut wire = Wire::over(ours, Path::new(SHOWN));
    let large = vec![0; 8 << 20];
    let begun = std::time::Instant::now();
    let error = wire.ask(&manifest(), Payload::Bytes(&large), 16).err();
    assert_eq!(error.unwrap().code(), "agent.unreachable");
    assert!(begun.elapsed() < Duration::from_secs(30));
    drop(theirs);
}

#[test]
fn a_connection_that_breaks_while_a_file_is_shown_is_no_fault_of_the_file() {
    let file = tempfile::tempfile().unwrap();
    file.set_len(8 << 20).unwrap();
    let (mut wire, thread) = peer(|mut stream| {
        protocol::read::<Request>(&mut stream).unwrap().unwrap();
    });
    let error = wire
        .ask(
            &manifest(),
            Payload::Image(&ShownImage::whole(&file).unwrap(), &[]),
            16,
        )
        .err();
    thread.join().unwrap();
    assert_eq!(error.unwrap().code(), "agent.unreachable");
}

#[test]
fn where_no_socket_is_the_way_out_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let key = |socket: Option<&Path>| AgentKey {
        name: "db".to_owned(),
        socket: socket.map(Path::to_owned),
    };
    let absent = folder.path().join("socket");
    for place in [Place::Build, Place::Machine] {
        let agent = SigningAgent::new(place);
        let error = agent.public_half(&key(Some(&absent))).unwrap_err();
        assert_eq!(error.code(), "agent.unreachable");
        assert!(error.to_string().contains(absent.to_str().unwrap()));
    }
    let in_build = AgentError::NoSocket {
        sockets: vec![],
        in_build: true,
    };
    assert!(in_build.help().contains("requiredSystemFeatures"));
    let wrong = AgentKey {
        name: "../db".to_owned(),
        socket: None,
    };
    let error = SigningAgent::new(Place::Build).public_half(&wrong);
    assert_eq!(error.unwrap_err().code(), "agent.name");
}

#[test]
fn an_offered_path_is_one_that_nix_can_be_told() {
    let derivation = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-web.drv";
    let derivation = crate::Derivation::parse(derivation).unwrap();
    for (socket, good) in [
        ("/run/touchstone-agent/builds/0f/socket", true),
        ("builds/0f/socket", false),
        ("/run/a\nextra-sandbox-paths", false),
        ("/run/a=/etc", false),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let offered = done(Done::Offer {
            socket: socket.to_owned(),
        });
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(&answer(1, offered, b"")).unwrap();
            stream.read_to_end(&mut Vec::new()).unwrap();
        });
        let mut control = Control::open(&path).unwrap();
        assert_eq!(control.offer(&derivation).is_ok(), good, "{socket}");
        drop(control);
        thread.join().unwrap();
    }
}
