//! How much memory it takes to plan what is to be hashed. Alone in its program: what the kernel says is of the whole program.
#![allow(clippy::unwrap_used)] // tests end loudly

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::BufReader;
use std::time::Instant;

use touchstone_store::closure::Trusted;
use touchstone_store::{Entry, NarHash, SecretKey, StorePath, Trust, base32};

const PATHS: u32 = 5_000;
const REFERENCES: usize = 20;
const KIB: u64 = 1024;

/// A path with a hash part of its own and a name of usual length.
fn path(number: u32) -> StorePath {
    let mut hash = [0x5a; 20];
    // The last byte decides the first digits, by which paths are sorted.
    for (byte, part) in hash.iter_mut().rev().zip(number.to_be_bytes()) {
        *byte = part;
    }
    let hash = base32::encode(&hash);
    format!("/nix/store/{hash}-some-library-of-usual-length-{number}-1.2.3")
        .parse()
        .unwrap()
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(key))
        .unwrap();
    let number = line
        .trim_start_matches(':')
        .split_whitespace()
        .next()
        .unwrap();
    number.parse::<u64>().unwrap() * KIB
}

#[test]
fn a_closure_of_5000_paths_with_20_references_each_is_planned_in_4_mib() {
    let key = SecretKey::from_seed("cache.example.org-1", &[7; 32].into()).unwrap();
    let document = tempfile::NamedTempFile::new().unwrap();
    let toplevel = path(PATHS - 1);
    write(document.path(), &toplevel, &key);
    let trust = Trust::new(vec![key.public_key()], 1).unwrap();
    // Forget the peak of what was before.
    fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS");
    let input = BufReader::new(File::open(document.path()).unwrap());
    let begun = Instant::now();
    let trusted = Trusted::from_manifest(input, &trust, &toplevel, None).unwrap();
    let (peak, after) = (
        status("VmHWM") - before,
        status("VmRSS").saturating_sub(before),
    );
    assert_eq!(trusted.paths().len(), PATHS as usize);
    println!(
        "{peak} bytes at most, {after} bytes kept, {:?}",
        begun.elapsed()
    );
    assert!(peak < 4 * 1024 * KIB, "{peak} bytes");
}

/// A manifest in which each path refers to those before it; written line by line, so that it was never in memory.
fn write(file: &std::path::Path, toplevel: &StorePath, key: &SecretKey) {
    let mut out = std::io::BufWriter::new(File::create(file).unwrap());
    let mut text = format!("{{\"version\":1,\"toplevel\":\"{toplevel}\",\"paths\":[\n");
    let mut before: VecDeque<StorePath> = VecDeque::new();
    for number in 0..PATHS {
        let mut entry = Entry {
            path: path(number),
            nar_hash: NarHash::new([9; 32]),
            nar_size: 120,
            references: before.iter().cloned().collect(),
            ca: None,
            signatures: Default::default(),
        };
        entry.signatures = [key.sign(&entry.fingerprint())].into();
        before.push_back(entry.path.clone());
        if before.len() > REFERENCES {
            before.pop_front();
        }
        let list = entry.references.iter().map(|path| format!("\"{path}\""));
        let list: Vec<String> = list.collect();
        let signature = entry.signatures.first().unwrap();
        writeln!(
            text,
            "{{\"path\":\"{}\",\"narHash\":\"{}\",\"narSize\":120,\"references\":[{}],\"signatures\":[\"{signature}\"]}}{}",
            entry.path,
            entry.nar_hash,
            list.join(","),
            if number + 1 < PATHS { "," } else { "" },
        )
        .unwrap();
        std::io::Write::write_all(&mut out, text.as_bytes()).unwrap();
        text.clear();
    }
    std::io::Write::write_all(&mut out, b"]}\n").unwrap();
}
