//! What the agent's memory shows.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use aho_corasick::AhoCorasick;
use serde_json::json;
use touchstone_agent::log::CheckpointKey;
use touchstone_agent::protocol::{self, Frame, Request};
use touchstone_sign::keys::KeyAlgorithm;

use super::{Agent, Lab, SOON, db, signed};

const PASSPHRASE: &str = "correct-horse-battery-staple";

/// Something that must not be seen.
struct Secret {
    name: String,
    bytes: Vec<u8>,
}

/// A lab with an RSA key behind a passphrase and a Nix key, and all that is secret of them.
fn lab() -> (Lab, serde_json::Value, Vec<Secret>) {
    let lab = Lab::with(KeyAlgorithm::Rsa2048);
    let mut secrets = Vec::new();
    let plain = String::from_utf8(lab.work.read("db.key")).unwrap();
    secrets.extend(of_pem("its PEM text", &plain));
    lab.work.write("plain.key", &plain);
    lab.secret("passphrase", PASSPHRASE.as_bytes());
    let openssl = |words: &str| {
        let words: Vec<&str> = words.split(' ').collect();
        assert!(lab.work.debian("openssl", &words).status.success());
    };
    openssl("pkcs8 -topk8 -in plain.key -out locked.key -passout file:passphrase");
    openssl("rsa -in plain.key -traditional -outform DER -out numbers");
    let locked = lab.work.read("locked.key");
    lab.secret("db.key", &locked);
    secrets.extend(numbers(&lab.work.read("numbers")));
    secrets.push(Secret {
        name: "the passphrase".to_owned(),
        bytes: PASSPHRASE.into(),
    });
    for name in ["plain.key", "numbers"] {
        fs::remove_file(lab.path(name)).unwrap();
    }
    let seed: [u8; 32] = std::array::from_fn(|at| (at as u8).wrapping_mul(37) ^ 0x5a);
    let nix = touchstone_store::SecretKey::from_seed("lab", &seed.into()).unwrap();
    let text = nix.expose_text();
    lab.secret("nix.secret", text.as_bytes());
    secrets.extend(both_orders("the Nix key's seed", &seed));
    secrets.push(Secret {
        name: "the Nix key's text".to_owned(),
        bytes: text.as_bytes()[4..40].to_vec(),
    });
    let mut policy = lab.policy(8);
    policy["keys"]["db"]["passphraseFile"] = json!(lab.path("passphrase"));
    policy["keys"]["nix"] = json!({ "kind": "nix", "key": lab.path("nix.secret") });
    let closures = json!({ "manifest": { "key": "nix", "origin": { "builtHere": true } } });
    policy["rules"][0]["operations"]
        .as_array_mut()
        .unwrap()
        .push(closures);
    (lab, policy, secrets)
}

/// Lines from the middle of a PEM text: what stands around them is the same in every key.
fn of_pem(name: &str, pem: &str) -> Vec<Secret> {
    let lines: Vec<&str> = pem.lines().collect();
    let inner = &lines[2..lines.len() - 2];
    let secret = |line: &&str| Secret {
        name: name.to_owned(),
        bytes: line.as_bytes().to_vec(),
    };
    inner.iter().map(secret).collect()
}

/// The secret numbers of a PKCS#1 key (RFC 8017, A.1.2).
fn numbers(der: &[u8]) -> Vec<Secret> {
    let names = ["version", "n", "e", "d", "p", "q", "dP", "dQ", "qInv"];
    let mut rest = element(der).0;
    let mut secrets = Vec::new();
    for name in names {
        let (number, after) = element(rest);
        rest = after;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        if !["version", "n", "e"].contains(&name) {
            assert!(number.len() > 100, "{name}");
            secrets.extend(both_orders(name, number));
        }
    }
    secrets
}

/// The content of the first element, and what stands behind it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (head, length) = match der[1] {
        short if short < 0x80 => (2, usize::from(short)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
    };
    (&der[head..head + length], &der[head + length..])
}

/// A number, and a quarter from its middle, in either byte order: a part of it is as good as found.
fn both_orders(name: &str, number: &[u8]) -> Vec<Secret> {
    let mut reversed = number.to_vec();
    reversed.reverse();
    let mut secrets = Vec::new();
    for (order, bytes) in [("big-endian", number), ("little-endian", &reversed)] {
        let quarter = bytes.len() / 4;
        secrets.push(Secret {
            name: format!("{name}, {order}"),
            bytes: bytes[quarter..quarter + quarter.max(16)].to_vec(),
        });
    }
    secrets
}

/// Which of these are in the memory of a process, as root sees it: every page that can be read.
fn seen(process: u32, secrets: &[Secret]) -> Vec<String> {
    let search = AhoCorasick::new(secrets.iter().map(|secret| &secret.bytes)).unwrap();
    let maps = fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let mut memory = File::open(format!("/proc/{process}/mem")).unwrap();
    let mut found = Vec::new();
    for line in maps.lines() {
        let (range, _) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let address = |text| u64::from_str_radix(text, 16).unwrap();
        let (start, end) = (address(start), address(end));
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // The kernel's own pages, and those that guard stacks, nobody reads.
        if memory.seek(SeekFrom::Start(start)).is_err() || memory.read_exact(&mut bytes).is_err() {
            continue;
        }
        let hits = search.find_overlapping_iter(&bytes);
        found.extend(hits.map(|hit| secrets[hit.pattern().as_usize()].name.clone()));
    }
    found.sort();
    found.dedup();
    found
}

/// A connection whose client asks and takes no answer, until the agent waits for it.
fn stuck(agent: &Agent) -> UnixStream {
    let mut stream = agent.stream();
    stream.set_nonblocking(true).unwrap();
    let mut request = Vec::new();
    let message = Request::Key { key: db() };
    let frame = Frame {
        id: 1,
        size: 0,
        message,
    };
    protocol::write(&mut request, &frame).unwrap();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(300) {
        match stream.write(&request) {
            Ok(written) if written == request.len() => since = Instant::now(),
            Ok(_) => break,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(10));
            }
            Err(error) => panic!("{error}"),
        }
    }
    stream
}

#[test]
fn while_it_drains_connections_after_sigterm_no_key_is_in_its_memory() {
    let (lab, policy, secrets) = lab();
    let agent = lab.serve(&policy);
    let mut client = agent.client();
    for number in 0..4 {
        assert_eq!(signed(&mut client, &lab, number), lab.signature(number));
    }
    drop(client);
    let holders = agent.children();
    assert_eq!(holders.len(), 2);
    // The search finds what there is: in the process that holds the keys.
    let held: Vec<String> = holders
        .iter()
        .flat_map(|one| seen(*one, &secrets))
        .collect();
    for name in ["p, little-endian", "the Nix key's seed, big-endian"] {
        assert!(held.contains(&name.to_owned()), "{held:?}");
    }
    // Not even now are they in the agent's own.
    assert_eq!(seen(agent.id(), &secrets), [""; 0]);
    let connection = stuck(&agent);
    agent.terminate();
    let begun = Instant::now();
    while agent.children().len() > 1 {
        assert!(begun.elapsed() < SOON, "the keys are still held");
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(seen(agent.id(), &secrets), [""; 0]);
    for holder in agent.children() {
        assert_eq!(seen(holder, &secrets), [""; 0]);
    }
    // It was the agent that was looked at, and it was still at work.
    let own = Secret {
        name: "own".to_owned(),
        bytes: lab.path("policy.json").to_str().unwrap().into(),
    };
    assert_eq!(seen(agent.id(), &[own]), ["own"]);
    assert!(lab.path("state/log").exists());
    drop(connection);
    assert!(agent.ended().success());
    assert_no_file_has(&lab.path("state"), &secrets);
}

fn assert_no_file_has(folder: &Path, secrets: &[Secret]) {
    let search = AhoCorasick::new(secrets.iter().map(|secret| &secret.bytes)).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => assert_no_file_has(&path, secrets),
            false => assert!(search.find(&fs::read(&path).unwrap()).is_none(), "{path:?}"),
        }
    }
}

#[test]
fn the_key_of_checkpoints_is_not_in_the_agents_own_memory() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    let text = lab.work.read("log.key");
    let key = CheckpointKey::read(&text).unwrap();
    let line = key.expose_text();
    let base64 = line.splitn(5, '+').nth(4).unwrap();
    let bytes = data_encoding::BASE64.decode(base64.as_bytes()).unwrap();
    let mut secrets = both_orders("its seed", &bytes[1..]);
    secrets.push(Secret {
        name: "its text".to_owned(),
        bytes: base64.into(),
    });
    let holders = agent.children();
    let held = holders.iter().flat_map(|one| seen(*one, &secrets));
    assert!(held.count() > 0);
    assert_eq!(seen(agent.id(), &secrets), [""; 0]);
    agent.stop();
}

#[test]
fn neither_it_nor_what_holds_its_keys_leaves_a_core_dump() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    let processes = agent.children().into_iter().chain([agent.id()]);
    for process in processes {
        let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"));
        let words: Vec<&str> = core.unwrap().split_whitespace().collect();
        assert_eq!(words[4..6], ["0", "0"]);
    }
    // Locked memory: what holds keys has some, so that none of it is swapped.
    for holder in agent.children() {
        let status = fs::read_to_string(format!("/proc/{holder}/status")).unwrap();
        let locked = status
            .lines()
            .find(|line| line.starts_with("VmLck:"))
            .unwrap();
        assert_ne!(locked.split_whitespace().nth(1), Some("0"));
    }
    agent.stop();
}
