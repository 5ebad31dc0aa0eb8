//! A segment, line by line, in bounded memory.

use std::io::{self, BufRead, BufReader, Read};

use sha2::{Digest as _, Sha256};

use super::entry::ENTRY_LIMIT;
use super::text::Digest;

/// The lines of a segment.
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    /// The bytes of the line, with its line feed; of one that is too long, the first.
    pub(super) line: Vec<u8>,
    /// SHA-256 of the whole line, with its line feed.
    pub(super) digest: Digest,
    /// The line's number, the first is 1.
    pub(super) number: u64,
    /// Where the line begins, in bytes.
    pub(super) at: u64,
    next: u64,
}

/// What was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A line with its line feed.
    Whole,
    /// One that is longer than entries are.
    TooLong,
    /// Bytes without a line feed, the last.
    Unfinished,
    /// Nothing: the end.
    End,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(reader: R) -> Self {
        Self {
            reader: BufReader::with_capacity(64 << 10, reader),
            line: Vec::new(),
            digest: Digest::NONE,
            number: 0,
            at: 0,
            next: 0,
        }
    }

    /// Reads the next line.
    pub(super) fn advance(&mut self) -> io::Result<Piece> {
        self.line.clear();
        self.at = self.next;
        self.number += 1;
        let mut hash = Sha256::new();
        let mut ended = false;
        while !ended {
            let there = self.reader.fill_buf()?;
            if there.is_empty() {
                break;
            }
            let taken = there.iter().position(|byte| *byte == b'\n');
            ended = taken.is_some();
            let taken = taken.map_or(there.len(), |at| at + 1);
            let piece = there.get(..taken).unwrap_or(there);
            hash.update(piece);
            let room = (ENTRY_LIMIT + 1).saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            self.reader.consume(taken);
            self.next += taken as u64;
        }
        self.digest = Digest::new(hash.finalize().into());
        Ok(match self.line.len() {
            0 => Piece::End,
            _ if !ended => Piece::Unfinished,
            length if length > ENTRY_LIMIT => Piece::TooLong,
            _ => Piece::Whole,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_lines_from_what_is_none() {
        let long = vec![b'x'; 3 * ENTRY_LIMIT];
        let text = [b"one\n\n", &long[..], b"\nlast"].concat();
        let mut lines = Lines::new(&text[..]);
        assert_eq!(lines.advance().unwrap(), Piece::Whole);
        assert_eq!(
            (&lines.line[..], lines.digest),
            (&b"one\n"[..], Digest::of(b"one\n"))
        );
        assert_eq!(lines.advance().unwrap(), Piece::Whole);
        assert_eq!((&lines.line[..], lines.at), (&b"\n"[..], 4));
        assert_eq!(lines.advance().unwrap(), Piece::TooLong);
        assert_eq!(lines.line.len(), ENTRY_LIMIT + 1);
        assert_eq!(lines.digest, Digest::of(&[&long[..], b"\n"].concat()));
        assert_eq!(lines.advance().unwrap(), Piece::Unfinished);
        assert_eq!((lines.number, &lines.line[..]), (4, &b"last"[..]));
        assert_eq!(lines.advance().unwrap(), Piece::End);
        assert_eq!(lines.advance().unwrap(), Piece::End);
    }
}
