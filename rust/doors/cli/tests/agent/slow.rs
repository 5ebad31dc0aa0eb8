//! Clients that mean harm, beside one that wants a signature.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use touchstone_agent::protocol::{self, Answer, Frame, Refusal, Request};
use touchstone_artifacts::signing_key::SignatureDigest;

use super::{Agent, Lab, db, signed};

/// Longer than a signature takes on a machine that has much else to do, and far shorter than what the others try to make it wait.
const PROMPT: Duration = Duration::from_secs(10);

fn lab(limits: Value) -> Lab {
    let mut lab = Lab::new();
    lab.limits = limits;
    lab
}

/// Does this while another client has images signed, one after the other; none may wait.
fn beside(agent: &Agent, lab: &Lab, act: impl FnOnce()) {
    let done = AtomicBool::new(false);
    let mut client = agent.client();
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let mut times = 0;
            while !done.load(Ordering::SeqCst) || times == 0 {
                let begun = Instant::now();
                assert_eq!(signed(&mut client, lab, 1), lab.signature(1));
                assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
                times += 1;
            }
        });
        act();
        done.store(true, Ordering::SeqCst);
        other.join().unwrap();
    });
}

/// The next answer, which is no.
fn refusal(stream: &mut UnixStream) -> Refusal {
    match protocol::read::<Answer>(stream).unwrap().unwrap().message {
        Answer::Refused(refusal) => refusal,
        other => panic!("{other:?}"),
    }
}

fn assert_closed(stream: &mut UnixStream) {
    // A peer that has closed with our bytes unread resets the connection.
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
}

fn header(size: u64) -> Vec<u8> {
    let hash = SignatureDigest::Sha256;
    let message = Request::Authenticode {
        key: db(),
        hash,
        from_store: Vec::new(),
    };
    let mut bytes = Vec::new();
    protocol::write(
        &mut bytes,
        &Frame {
            id: 7,
            size,
            message,
        },
    )
    .unwrap();
    bytes
}

#[test]
fn slow_clients_stop_nobody_and_are_shown_out() {
    let lab = lab(json!({ "headerSeconds": 1, "payloadSeconds": 1 }));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let slow = |bytes: &[u8], id: u64| {
            let mut stream = agent.stream();
            // A byte now and then is not enough.
            for byte in bytes {
                if stream.write_all(&[*byte]).is_err() {
                    break;
                }
                thread::sleep(Duration::from_millis(30));
            }
            let answer = protocol::read::<Answer>(&mut stream).unwrap().unwrap();
            assert_eq!(answer.id, id);
            let Answer::Refused(refusal) = answer.message else {
                panic!("{answer:?}");
            };
            assert_eq!(refusal.code, "agent.slow");
            assert!(refusal.entry.is_some());
            assert_closed(&mut stream);
        };
        let mut payload = header(1 << 20);
        payload.resize(payload.len() + 100, 0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| slow(&header(0), 0));
                scope.spawn(|| {
                    let head = header(1 << 20);
                    let mut stream = agent.stream();
                    stream.write_all(&head).unwrap();
                    stream.write_all(&[0; 1000]).unwrap();
                    assert_eq!(refusal(&mut stream).code, "agent.slow");
                    assert_closed(&mut stream);
                });
            }
        });
    });
    agent.stop();
}

#[test]
fn silent_clients_take_no_places_for_ever_and_one_client_not_those_of_all() {
    let lab = lab(json!({ "connectionsPerClient": 5, "idleSeconds": 2 }));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let mut silent: Vec<UnixStream> = (0..4).map(|_| agent.stream()).collect();
        // They, and the one that signs, are all that root can have.
        let mut more = agent.stream();
        let begun = Instant::now();
        assert_eq!(refusal(&mut more).code, "agent.busy");
        assert_closed(&mut more);
        assert!(begun.elapsed() < PROMPT);
        for stream in &mut silent {
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
        }
        let mut client = agent.client();
        assert_eq!(signed(&mut client, &lab, 0), lab.signature(0));
    });
    agent.stop();
}

#[test]
fn oversized_requests_are_refused_before_they_arrive() {
    let lab = lab(json!({ "payloadBytes": 1 << 20 }));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let mut stream = agent.stream();
        stream.write_all(&header((1 << 20) + 1)).unwrap();
        let refused = refusal(&mut stream);
        assert_eq!(refused.code, "protocol.too-large");
        assert!(refused.what.contains("1048577"), "{}", refused.what);
        assert_closed(&mut stream);
        for length in [0, 65_537, u32::MAX] {
            let mut stream = agent.stream();
            stream.write_all(&length.to_be_bytes()).unwrap();
            assert_eq!(refusal(&mut stream).code, "protocol.too-large");
            assert_closed(&mut stream);
        }
        let mut stream = agent.stream();
        let text = br#"{"id":1,"message":{"operation":"sign","digest":"00"}}"#;
        let length = u32::try_from(text.len()).unwrap();
        stream.write_all(&length.to_be_bytes()).unwrap();
        stream.write_all(text).unwrap();
        assert_eq!(refusal(&mut stream).code, "protocol.malformed");
        assert_closed(&mut stream);
    });
    agent.stop();
}

#[test]
fn what_waits_has_room_for_some_and_the_rest_is_told_to_come_again() {
    let lab = lab(json!({ "waitingBytes": 4 << 20, "waitingBytesPerClient": 2 << 20 }));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let mut large = agent.stream();
        large.write_all(&header(8 << 20)).unwrap();
        // It may end before all is sent.
        let _ = large.write_all(&vec![0; 8 << 20]);
        assert_eq!(refusal(&mut large).code, "agent.busy");
        assert_closed(&mut large);
    });
    agent.stop();
}

#[test]
fn half_closed_clients_end_and_leave_nothing() {
    let lab = lab(json!({}));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let cuts = [header(0)[..9].to_vec(), header(100)];
        for cut in cuts {
            let mut stream = agent.stream();
            stream.write_all(&cut).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            assert_eq!(refusal(&mut stream).code, "protocol.connection");
            assert_closed(&mut stream);
        }
        // One that does not want to hear the answer.
        let mut stream = agent.stream();
        stream.shutdown(Shutdown::Read).unwrap();
        let _ = stream.write_all(&header(0));
        // And one that only knocks.
        drop(agent.stream());
    });
    agent.wait_until_alone();
    agent.stop();
}

#[test]
fn whoever_takes_no_answers_is_not_waited_for() {
    let lab = lab(json!({ "answerSeconds": 1 }));
    let agent = lab.serve(&lab.policy(2));
    beside(&agent, &lab, || {
        let mut stream = agent.stream();
        let mut request = Vec::new();
        let message = Request::Key { key: db() };
        let frame = Frame {
            id: 7,
            size: 0,
            message,
        };
        protocol::write(&mut request, &frame).unwrap();
        // Until the agent closes the connection, for it can write no more.
        let begun = Instant::now();
        while stream.write_all(&request).is_ok() {
            assert!(begun.elapsed() < PROMPT);
        }
    });
    agent.stop();
}
