//! What a secret looks like wherever it might be: searched for byte by byte.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use aho_corasick::AhoCorasick;
use sha2::{Digest, Sha512};

use crate::support::Work;

/// Bytes of a number of a key that are looked for at once: so many do not meet by chance, and a rest of a number has some of them.
const PIECE: usize = 16;

/// Bytes that are read at once.
const BLOCK: usize = 1 << 20;

/// Secrets, in all forms in which programs hold and write them.
pub struct Needles {
    names: Vec<String>,
    patterns: Vec<Vec<u8>>,
    longest: usize,
}

impl Needles {
    pub fn new() -> Needles {
        Needles {
            names: Vec::new(),
            patterns: Vec::new(),
            longest: 0,
        }
    }

    /// A text, such as a PIN.
    pub fn text(self, name: &str, text: &str) -> Needles {
        self.add(name, text.as_bytes())
    }

    /// An RSA key file without a passphrase: the lines of its PEM, and d, p, q, d mod p-1, d mod q-1 and 1/q mod p in both byte orders.
    pub fn rsa(mut self, work: &Work, file: &str) -> Needles {
        let pem = String::from_utf8(work.read(file)).unwrap();
        for line in pem
            .lines()
            .filter(|line| !line.starts_with("---") && line.len() > 60)
        {
            self = self.text(&format!("{file}, PEM"), line);
        }
        let der = work.debian(
            "openssl",
            &["rsa", "-in", file, "-traditional", "-outform", "DER"],
        );
        let numbers = numbers(&der.stdout);
        let secret = ["d", "p", "q", "dp", "dq", "qinv"];
        assert_eq!(numbers.len(), 3 + secret.len(), "{file}");
        for (name, number) in secret.iter().zip(&numbers[3..]) {
            self = self.number(&format!("{file}, {name}"), number);
        }
        self
    }

    /// A Nix key file, `name:base64` of seed and public half.
    pub fn nix(self, work: &Work, file: &str) -> Needles {
        let text = String::from_utf8(work.read(file)).unwrap();
        let (_, secret) = text.trim().split_once(':').unwrap();
        let bytes = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
        let [seed, _] = bytes.as_chunks::<32>().0 else {
            panic!("{file} has {} bytes", bytes.len())
        };
        self.ed25519(file, &secret[..40], seed)
    }

    /// The key of a log's checkpoints, `PRIVATE+KEY+name+hash+base64` of a byte and the seed.
    pub fn checkpoint(self, work: &Work, file: &str) -> Needles {
        let text = String::from_utf8(work.read(file)).unwrap();
        // Its base 64 may have a `+` as well.
        let secret = text.trim().splitn(5, '+').last().unwrap();
        let bytes = data_encoding::BASE64.decode(secret.as_bytes()).unwrap();
        self.ed25519(file, secret, bytes.last_chunk().unwrap())
    }

    /// The text; seed, hash and scalar in both byte orders.
    fn ed25519(self, file: &str, text: &str, seed: &[u8; 32]) -> Needles {
        let hash = Sha512::digest(seed);
        let mut scalar: Vec<u8> = hash[..32].to_vec();
        scalar[0] &= 248;
        scalar[31] = scalar[31] & 127 | 64;
        self.text(&format!("{file}, base 64"), text)
            .number(&format!("{file}, seed"), seed)
            .number(&format!("{file}, scalar"), &scalar)
            .number(&format!("{file}, hash of the seed"), &hash)
    }

    fn number(mut self, name: &str, number: &[u8]) -> Needles {
        let reversed: Vec<u8> = number.iter().rev().copied().collect();
        for (order, bytes) in [("forwards", number), ("backwards", &reversed)] {
            for piece in bytes.chunks_exact(PIECE) {
                self = self.add(&format!("{name}, {order}"), piece);
            }
        }
        self
    }

    fn add(mut self, name: &str, bytes: &[u8]) -> Needles {
        assert!(
            bytes.len() >= PIECE,
            "{name} is too short to be searched for"
        );
        self.names.push(name.to_owned());
        self.patterns.push(bytes.to_vec());
        self.longest = self.longest.max(bytes.len());
        self
    }

    /// A search for all of them.
    pub fn search(&self) -> Search<'_> {
        Search {
            needles: self,
            machine: AhoCorasick::new(&self.patterns).unwrap(),
        }
    }
}

/// A search for secrets.
pub struct Search<'a> {
    needles: &'a Needles,
    machine: AhoCorasick,
}

impl Search<'_> {
    /// What is in the bytes.
    pub fn among(&self, bytes: &[u8]) -> Vec<String> {
        let found = self.machine.find_overlapping_iter(bytes);
        let mut names: Vec<String> = found
            .map(|found| self.needles.names[found.pattern().as_usize()].clone())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    /// What is in the files below a folder, but for those whose path has one of these beginnings; and how many bytes were looked at.
    pub fn below(&self, folder: &Path, but: &[PathBuf]) -> (Vec<String>, u64) {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            if but.iter().any(|but| path.starts_with(but)) {
                continue;
            }
            if kind.is_dir() {
                let (more, bytes) = self.below(&path, but);
                found.extend(more);
                looked_at += bytes;
            } else if kind.is_file() {
                let file = File::open(&path).unwrap();
                let len = file.metadata().unwrap().len();
                looked_at += len;
                let names = self.within(&file, 0, len);
                found.extend(
                    names
                        .iter()
                        .map(|name| format!("{}: {name}", path.display())),
                );
            }
        }
        (found, looked_at)
    }

    /// What is in the memory of a process, every part that can be read; and how many bytes were looked at.
    pub fn memory(&self, pid: u32) -> (Vec<String>, u64) {
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
        let memory = File::open(format!("/proc/{pid}/mem")).unwrap();
        let (mut found, mut looked_at) = (Vec::new(), 0);
        for line in maps.lines().filter(|line| {
            line.split(' ')
                .nth(1)
                .is_some_and(|rights| rights.starts_with('r'))
        }) {
            let (from, to) = line.split(' ').next().unwrap().split_once('-').unwrap();
            let [from, to] = [from, to].map(|at| u64::from_str_radix(at, 16).unwrap());
            looked_at += to - from;
            let names = self.within(&memory, from, to);
            found.extend(names.iter().map(|name| format!("{line}: {name}")));
        }
        (found, looked_at)
    }

    fn within(&self, file: &File, from: u64, to: u64) -> Vec<String> {
        let (mut names, mut block, mut kept) = (Vec::new(), Vec::new(), 0);
        let mut at = from;
        while at < to {
            let more = usize::try_from(to - at).unwrap().min(BLOCK);
            block.resize(kept + more, 0);
            let read = match file.read_at(&mut block[kept..], at) {
                // Of memory, what the kernel keeps for itself.
                Ok(0) | Err(_) => break,
                Ok(read) => read,
            };
            block.truncate(kept + read);
            names.extend(self.among(&block));
            // A secret may lie across the end of a block.
            kept = block.len().min(self.needles.longest - 1);
            block.drain(..block.len() - kept);
            at += read as u64;
        }
        names.sort();
        names.dedup();
        names
    }
}

/// The numbers of a sequence of DER, without leading zeros.
fn numbers(der: &[u8]) -> Vec<Vec<u8>> {
    let (tag, mut inner, _) = element(der);
    assert_eq!(tag, 0x30);
    let mut numbers = Vec::new();
    while !inner.is_empty() {
        let (tag, number, rest) = element(inner);
        assert_eq!(tag, 2);
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        numbers.push(number[zeros..].to_vec());
        inner = rest;
    }
    numbers
}

/// Tag, content, and what is behind it.
fn element(der: &[u8]) -> (u8, &[u8], &[u8]) {
    let (head, length) = match usize::from(der[1]) {
        short @ ..0x80 => (2, short),
        long => {
            let digits = long - 0x80;
            let bytes = &der[2..2 + digits];
            (
                2 + digits,
                bytes
                    .iter()
                    .fold(0, |sum, byte| sum << 8 | usize::from(*byte)),
            )
        }
    };
    (der[0], &der[head..head + length], &der[head + length..])
}

#[test]
fn a_secret_is_found_wherever_it_lies() {
    let needles = Needles::new().text("pin", "0123456789abcdef");
    let needles = needles.number("n", &(1..=32).collect::<Vec<u8>>());
    let search = needles.search();
    let folder = tempfile::tempdir().unwrap();
    // Across the end of a block, backwards.
    let mut bytes = vec![7; BLOCK + 100];
    bytes.splice(BLOCK - 9..BLOCK + 7, (17..=32).rev());
    fs::write(folder.path().join("file"), bytes).unwrap();
    fs::create_dir(folder.path().join("inner")).unwrap();
    fs::write(folder.path().join("inner/other"), "x0123456789abcdefx").unwrap();
    let (mut found, looked_at) = search.below(folder.path(), &[]);
    found.sort();
    assert!(
        found.len() == 2
            && found[0].ends_with("file: n, backwards")
            && found[1].ends_with("other: pin"),
        "{found:?}"
    );
    assert!(looked_at > BLOCK as u64);
    let (found, _) = search.below(
        folder.path(),
        &[folder.path().join("inner"), folder.path().join("file")],
    );
    assert_eq!(found, [""; 0]);
    let mut sleeps = std::process::Command::new("sleep");
    let mut sleeps = sleeps
        .arg("600")
        .env("PIN", "0123456789abcdef")
        .spawn()
        .unwrap();
    let (found, _) = search.memory(sleeps.id());
    sleeps.kill().unwrap();
    sleeps.wait().unwrap();
    assert!(
        found.iter().any(|found| found.ends_with("[stack]: pin")),
        "{found:?}"
    );
}
