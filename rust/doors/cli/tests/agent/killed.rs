//! An agent that is killed at random moments: whatever anybody received is in the log, and the log holds.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha2::{Digest, Sha256};
use touchstone_agent::client::Connection;
use touchstone_agent::log::{CheckpointKey, CheckpointSigner, Trusted, verify};
use touchstone_artifacts::signing_key::SignatureDigest;

use super::{Agent, Lab, db, entries, whole};

const KILLS: usize = 1000;
/// After so many kills a new log is begun: each verification reads all of it.
const LOG: usize = 20;
const CLIENTS: u32 = 3;

#[test]
fn killed_at_a_thousand_random_moments_no_signature_is_out_that_is_not_in_the_log() {
    let left = AtomicUsize::new(KILLS);
    let received = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(&left, &received));
        }
    });
    // Many were killed in the middle of it, not before they had begun.
    assert!(received.into_inner() > KILLS);
}

fn work(left: &AtomicUsize, received: &AtomicUsize) {
    let mut lab = Lab::new();
    // Small segments: kills meet their changes, too.
    lab.log = json!({ "segmentSize": 1 << 18, "reserve": 1 << 18, "checkpointEntries": 7 });
    let policy = lab.policy(CLIENTS);
    let key = CheckpointKey::read(&lab.work.read("log.key")).unwrap();
    let trusted = Trusted {
        keys: vec![key.public_key().clone()],
        checkpoints: Vec::new(),
    };
    let mut out = BTreeSet::new();
    let one_more = |left: usize| left.checked_sub(1);
    while let Ok(left) = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more) {
        if left % LOG == 0 {
            let _ = fs::remove_dir_all(lab.path("state"));
            out.clear();
        }
        let made = killed(&lab, lab.serve(&policy));
        received.fetch_add(made.len(), Ordering::SeqCst);
        out.extend(made);
        assert_written(&lab.path("state/log"), &trusted, &out);
    }
}

/// What clients received until it was killed: the SHA-256 of each signature.
fn killed(lab: &Lab, mut agent: Agent) -> Vec<String> {
    let received = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let (socket, received) = (agent.path("direct"), &received);
            scope.spawn(move || {
                let Ok(mut client) = Connection::open(&socket) else {
                    return;
                };
                let image = lab.image_file(number);
                while let Ok(signature) =
                    client.authenticode(&db(), SignatureDigest::Sha256, &whole(&image))
                {
                    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(signature));
                    received.lock().unwrap().push(digest);
                }
            });
        }
        thread::sleep(Duration::from_micros(rand() % 30_000));
        agent.child.kill().unwrap();
        agent.child.wait().unwrap();
    });
    received.into_inner().unwrap()
}

fn rand() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

fn assert_written(log: &Path, trusted: &Trusted, out: &BTreeSet<String>) {
    // One that was killed before its first checkpoint has the chain alone.
    let alone = Trusted::default();
    let trusted = match log.join("checkpoint").exists() {
        true => trusted,
        false => &alone,
    };
    let report = verify(log, trusted).unwrap();
    assert_eq!(report.findings, [], "{}", log.display());
    let mut written = BTreeSet::new();
    for entry in entries(log) {
        if entry["event"] == "signed" {
            written.insert(entry["signatures"][0].as_str().unwrap().to_owned());
        }
    }
    let lost: Vec<&String> = out.difference(&written).collect();
    assert!(lost.is_empty(), "given out and not in the log: {lost:?}");
}
