//! The initial RAM disk as the stub hands it to the kernel, hashed while its pieces pass.

use crate::bank::Bank;
use crate::hash::{Digests, Hashers};

/// A running hash of pieces laid one behind the other.
///
/// A single piece is handed over as it is; as soon as there are several, each is filled with zeros to a multiple of
/// four bytes, the last one too.
#[derive(Clone, Debug)]
pub(crate) struct ServedInitrd {
    hashers: Hashers,
    pieces: u32,
    length: u64,
}

impl ServedInitrd {
    pub(crate) fn new(banks: &[Bank]) -> ServedInitrd {
        ServedInitrd {
            hashers: Hashers::new(banks),
            pieces: 0,
            length: 0,
        }
    }

    /// Begins a piece; its bytes follow through [`ServedInitrd::update`].
    pub(crate) fn begin(&mut self) {
        self.pad();
        self.pieces = self.pieces.saturating_add(1);
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hashers.update(bytes);
        self.length = self.length.wrapping_add(bytes.len() as u64);
    }

    /// Whether no piece has begun.
    pub(crate) fn is_untouched(&self) -> bool {
        self.pieces == 0
    }

    /// Takes a whole first piece that was hashed elsewhere: the same bytes need no second hashing.
    pub(crate) fn adopt(&mut self, hashers: Hashers, length: u64) {
        self.hashers = hashers;
        self.length = length;
        self.pieces = 1;
    }

    /// Adds a whole piece.
    #[cfg(test)]
    pub(crate) fn add(&mut self, piece: &[u8]) {
        self.begin();
        self.update(piece);
    }

    /// The digests of the whole, or none when there was no piece: then the kernel is given no initrd.
    pub(crate) fn finish(mut self) -> Option<Digests> {
        if self.pieces > 1 {
            self.pad();
        }
        (self.pieces > 0).then(|| self.hashers.finish())
    }

    fn pad(&mut self) {
        let missing = match self.length % 4 {
            0 => 0,
            over => 4 - over as usize,
        };
        self.update([0; 3].get(..missing).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(pieces: &[&[u8]]) -> Option<Digests> {
        let mut initrd = ServedInitrd::new(&[Bank::Sha256]);
        for piece in pieces {
            initrd.add(piece);
        }
        initrd.finish()
    }

    #[test]
    fn hands_over_a_single_piece_as_it_is() {
        assert_eq!(
            served(&[b"abcde"]),
            Some(Digests::of(&[Bank::Sha256], b"abcde"))
        );
    }

    #[test]
    fn fills_each_of_several_pieces_to_four_bytes() {
        assert_eq!(
            served(&[b"a", b"bcdef"]),
            Some(Digests::of(&[Bank::Sha256], b"a\0\0\0bcdef\0\0\0"))
        );
        assert_eq!(
            served(&[b"abcd", b"efgh"]),
            Some(Digests::of(&[Bank::Sha256], b"abcdefgh"))
        );
    }

    #[test]
    fn is_none_without_a_piece() {
        assert_eq!(served(&[]), None);
    }
}
