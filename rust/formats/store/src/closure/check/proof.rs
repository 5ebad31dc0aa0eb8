//! All that a path must hash to, computed while its NAR passes once.

use sha2::{Digest as _, Sha256, Sha512};

use crate::NarHash;
use crate::closure::{Digest, Proof};

/// What a NAR of one regular file that is not executable begins with, up to the length of its content.
const FLAT: &[u8; 88] = b"\x0d\0\0\0\0\0\0\0nix-archive-1\0\0\0\
    \x01\0\0\0\0\0\0\0(\0\0\0\0\0\0\0\
    \x04\0\0\0\0\0\0\0type\0\0\0\0\
    \x07\0\0\0\0\0\0\0regular\0\
    \x08\0\0\0\0\0\0\0contents";

/// The hashes of a NAR that is still coming.
pub(super) struct Hashes {
    nar: Sha256,
    size: u64,
    further: Further,
}

/// What is hashed beside the whole.
enum Further {
    Nothing,
    Whole(Hasher),
    Flat(Flat),
}

/// What a NAR that has passed was.
pub(super) struct Found {
    pub(super) hash: NarHash,
    pub(super) size: u64,
    /// Whether the proof's hash is right, where there is one.
    pub(super) proven: bool,
}

impl Hashes {
    pub(super) fn new(proof: &Proof) -> Self {
        let further = match proof {
            Proof::Nar => Further::Nothing,
            Proof::Whole(digest) => Further::Whole(Hasher::like(digest)),
            Proof::Flat(digest) => Further::Flat(Flat::new(Hasher::like(digest))),
        };
        Self {
            nar: Sha256::new(),
            size: 0,
            further,
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.size += bytes.len() as u64;
        self.nar.update(bytes);
        match &mut self.further {
            Further::Nothing => {}
            Further::Whole(hasher) => hasher.update(bytes),
            Further::Flat(flat) => flat.update(bytes),
        }
    }

    /// How many bytes have passed.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    pub(super) fn finish(self, proof: &Proof) -> Found {
        let further = match self.further {
            Further::Nothing => None,
            Further::Whole(hasher) => Some(hasher.finish()),
            Further::Flat(flat) => flat.finish(),
        };
        let proven = match proof {
            Proof::Nar => true,
            Proof::Whole(digest) | Proof::Flat(digest) => further.as_ref() == Some(digest),
        };
        Found {
            hash: NarHash::new(self.nar.finalize().into()),
            size: self.size,
            proven,
        }
    }
}

/// Either hash that content addresses use.
enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    fn like(digest: &Digest) -> Self {
        match digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Sha512(_) => Self::Sha512(Box::new(Sha512::new())),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(state) => state.update(bytes),
            Self::Sha512(state) => state.update(bytes),
        }
    }

    fn finish(self) -> Digest {
        match self {
            Self::Sha256(state) => Digest::Sha256(state.finalize().into()),
            Self::Sha512(state) => Digest::Sha512(Box::new(state.finalize().into())),
        }
    }
}

/// The content of a NAR that is nothing but a regular file.
struct Flat {
    hasher: Hasher,
    /// How many bytes of the NAR have passed.
    at: usize,
    length: [u8; 8],
    left: u64,
    other: bool,
}

impl Flat {
    fn new(hasher: Hasher) -> Self {
        Self {
            hasher,
            at: 0,
            length: [0; 8],
            left: 0,
            other: false,
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        let content = FLAT.len() + self.length.len();
        let head = content.saturating_sub(self.at).min(bytes.len());
        let (head, rest) = bytes.split_at_checked(head).unwrap_or_default();
        for byte in head {
            self.begin(*byte);
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX);
        let now = rest.get(..length.min(rest.len())).unwrap_or_default();
        self.hasher.update(now);
        self.left -= now.len() as u64;
    }

    /// One byte of what comes before the content.
    fn begin(&mut self, byte: u8) {
        match FLAT.get(self.at) {
            Some(expected) => self.other |= *expected != byte,
            None => {
                let place = self.length.get_mut(self.at - FLAT.len());
                if let Some(place) = place {
                    *place = byte;
                }
                self.left = u64::from_le_bytes(self.length);
            }
        }
        self.at += 1;
    }

    /// The hash, unless it is something else than a file, or not all of it.
    fn finish(self) -> Option<Digest> {
        let whole = self.at == FLAT.len() + self.length.len() && self.left == 0 && !self.other;
        whole.then(|| self.hasher.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_nar_begins_as_the_format_says() {
        let mut by_hand = Vec::new();
        for word in ["nix-archive-1", "(", "type", "regular", "contents"] {
            by_hand.extend((word.len() as u64).to_le_bytes());
            by_hand.extend(word.as_bytes());
            by_hand.resize(by_hand.len().next_multiple_of(8), 0);
        }
        assert_eq!(by_hand, FLAT);
    }
}
