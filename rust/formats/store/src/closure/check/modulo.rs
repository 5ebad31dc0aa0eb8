//! The hash of a NAR without the path's own name: what a path's name is made of when the path refers to itself.

use super::proof::Hasher;
use crate::closure::Digest;

/// What stands in the place of the hash part.
const ZEROS: [u8; 32] = [0; 32];
/// More places than any path has, and few enough to remember.
const PLACES: usize = 1 << 20;

/// Reads a NAR's own hash part as zeros, and hashes behind the NAR where that was.
///
/// Source: Nix, `HashModuloSink` (behaviour).
pub(super) struct Modulo {
    own: [u8; 32],
    hasher: Hasher,
    /// The last bytes that came, in which the hash part may have begun; then those that come.
    waiting: Vec<u8>,
    /// How many bytes were hashed before these.
    before: u64,
    places: Vec<u64>,
}

impl Modulo {
    pub(super) fn new(own: &str, hasher: Hasher) -> Self {
        let mut bytes = ZEROS;
        for (to, from) in bytes.iter_mut().zip(own.bytes()) {
            *to = from;
        }
        Self {
            own: bytes,
            hasher,
            waiting: Vec::new(),
            before: 0,
            places: Vec::new(),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.waiting.extend_from_slice(bytes);
        let mut from = 0;
        while let Some(place) = self.next(from) {
            from = place + ZEROS.len();
            if let Some(found) = self.waiting.get_mut(place..from) {
                found.copy_from_slice(&ZEROS);
            }
            // One more than there may be is kept, so that it is known that there were too many.
            if self.places.len() <= PLACES {
                self.places.push(self.before + place as u64);
            }
        }
        self.hash(self.waiting.len().saturating_sub(ZEROS.len() - 1));
    }

    /// The hash, unless there were too many places.
    pub(super) fn finish(mut self) -> Option<Digest> {
        if self.places.len() > PLACES {
            return None;
        }
        self.hash(self.waiting.len());
        for place in self.places {
            self.hasher.update(format!("|{place}").as_bytes());
        }
        Some(self.hasher.finish())
    }

    /// Where the hash part stands among the waiting bytes, from there on.
    fn next(&self, from: usize) -> Option<usize> {
        let mut windows = self.waiting.get(from..)?.windows(ZEROS.len());
        let found = windows.position(|window| window == self.own);
        found.map(|place| from + place)
    }

    /// Hashes the first of the waiting bytes.
    fn hash(&mut self, count: usize) {
        self.hasher
            .update(self.waiting.get(..count).unwrap_or_default());
        self.waiting.drain(..count);
        self.before += count as u64;
    }
}
