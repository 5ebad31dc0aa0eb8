//! Many clients at once.

use std::collections::BTreeMap;
use std::thread;

use sha2::{Digest, Sha256};
use touchstone_agent::protocol::KeyName;

use super::{Lab, entries, signed};

const CLIENTS: u32 = 50;
const REQUESTS: u32 = 1000;

#[test]
fn of_a_thousand_requests_over_fifty_connections_each_gets_its_own_answer() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(REQUESTS));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (lab, agent) = (&lab, &agent);
            scope.spawn(move || {
                let mut connection = agent.client();
                for number in (client..REQUESTS).step_by(CLIENTS as usize) {
                    assert_eq!(signed(&mut connection, lab, number), lab.signature(number));
                }
            });
        }
    });
    agent.stop();
    // Each once, in a log without a gap.
    let mut found = BTreeMap::new();
    let entries = entries(&lab.path("state/log"));
    for (entry, number) in entries.iter().zip(1..) {
        assert_eq!(entry["sequence"], number);
        if entry["event"] == "signed" {
            let digest = entry["signatures"][0].as_str().unwrap();
            *found.entry(digest.to_owned()).or_insert(0) += 1;
        }
    }
    assert_eq!(found.len(), REQUESTS as usize);
    for number in 0..REQUESTS {
        let digest = Sha256::digest(lab.signature(number));
        assert_eq!(found[&data_encoding::HEXLOWER.encode(&digest)], 1);
    }
}

#[test]
fn requests_that_are_sent_before_answers_are_taken_are_answered_in_order() {
    use std::io::{Read, Write};
    use touchstone_agent::protocol::{self, Answer, Frame, Request, SMALL_LIMIT};
    use touchstone_artifacts::signing_key::SignatureDigest;

    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(8));
    let mut stream = agent.stream();
    for number in 0..8 {
        let image = lab.image(number);
        let key = KeyName::parse("db").unwrap();
        let hash = SignatureDigest::Sha256;
        let message = Request::Authenticode {
            key,
            hash,
            from_store: Vec::new(),
        };
        let (id, size) = (u64::from(number) + 100, image.len() as u64);
        protocol::write(&mut stream, &Frame { id, size, message }).unwrap();
        stream.write_all(&image).unwrap();
    }
    // Nothing more is asked; what was asked is answered all the same.
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    for number in 0..8 {
        let frame = protocol::read::<Answer>(&mut stream).unwrap().unwrap();
        assert_eq!(frame.id, u64::from(number) + 100);
        let signature = protocol::read_payload(&mut stream, frame.size, SMALL_LIMIT).unwrap();
        assert_eq!(signature, lab.signature(number));
    }
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    agent.stop();
}
