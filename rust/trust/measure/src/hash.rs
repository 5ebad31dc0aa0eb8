//! Hashing in several banks at once.

use std::collections::BTreeMap;
use std::io::{self, Read};

use digest::Digest as _;

use crate::bank::{Bank, Digest};

/// One datum's digest in each of some banks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digests(BTreeMap<Bank, Digest>);

impl Digests {
    /// The digests of `data` in these banks.
    pub fn of(banks: &[Bank], data: &[u8]) -> Digests {
        banks.iter().map(|bank| bank.hash(data)).collect()
    }

    /// The digests of everything that `source` gives, in these banks; memory does not grow with its length.
    pub fn of_reader(banks: &[Bank], source: &mut impl Read) -> io::Result<Digests> {
        let mut hashers = Hashers::new(banks);
        feed(source, |bytes| hashers.update(bytes))?;
        Ok(hashers.finish())
    }

    /// The digest in one bank, when it is known.
    pub fn get(&self, bank: Bank) -> Option<Digest> {
        self.0.get(&bank).copied()
    }

    /// The digests, in order of their banks.
    pub fn iter(&self) -> impl Iterator<Item = Digest> + '_ {
        self.0.values().copied()
    }
}

impl FromIterator<Digest> for Digests {
    fn from_iter<I: IntoIterator<Item = Digest>>(digests: I) -> Digests {
        Digests(
            digests
                .into_iter()
                .map(|digest| (digest.bank(), digest))
                .collect(),
        )
    }
}

impl From<[u8; 32]> for Digests {
    /// A single SHA-256 digest, as `touchstone_pe` gives it.
    fn from(sha256: [u8; 32]) -> Digests {
        Digest::from_bytes(&sha256).into_iter().collect()
    }
}

/// Reads `source` to its end in blocks.
pub(crate) fn feed(source: &mut impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut block = vec![0; 64 * 1024];
    loop {
        match source.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => take(block.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A running hash in one bank.
#[derive(Clone, Debug)]
pub(crate) enum Hasher {
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha384(sha2::Sha384),
    Sha512(sha2::Sha512),
}

impl Hasher {
    pub(crate) fn new(bank: Bank) -> Hasher {
        match bank {
            Bank::Sha1 => Hasher::Sha1(sha1::Sha1::new()),
            Bank::Sha256 => Hasher::Sha256(sha2::Sha256::new()),
            Bank::Sha384 => Hasher::Sha384(sha2::Sha384::new()),
            Bank::Sha512 => Hasher::Sha512(sha2::Sha512::new()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Sha1(hasher) => hasher.update(bytes),
            Hasher::Sha256(hasher) => hasher.update(bytes),
            Hasher::Sha384(hasher) => hasher.update(bytes),
            Hasher::Sha512(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        match self {
            Hasher::Sha1(hasher) => Digest::of_output(Bank::Sha1, &hasher.finalize()),
            Hasher::Sha256(hasher) => Digest::of_output(Bank::Sha256, &hasher.finalize()),
            Hasher::Sha384(hasher) => Digest::of_output(Bank::Sha384, &hasher.finalize()),
            Hasher::Sha512(hasher) => Digest::of_output(Bank::Sha512, &hasher.finalize()),
        }
    }
}

/// Running hashes of the same bytes in several banks.
#[derive(Clone, Debug)]
pub(crate) struct Hashers(Vec<Hasher>);

impl Hashers {
    pub(crate) fn new(banks: &[Bank]) -> Hashers {
        Hashers(banks.iter().map(|bank| Hasher::new(*bank)).collect())
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for hasher in &mut self.0 {
            hasher.update(bytes);
        }
    }

    pub(crate) fn finish(self) -> Digests {
        self.0.into_iter().map(Hasher::finish).collect()
    }
}
