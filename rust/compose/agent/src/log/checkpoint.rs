//! Checkpoints: what the log's head was at a time, signed.

use std::fmt::Write as _;

use super::entry::Sequence;
use super::note::{self, CheckpointSigner, NoteError, PublicKey, SignFault};
use super::text::{Digest, Time};

/// The first line of the text: no other signed note begins so.
const TITLE: &str = "touchstone-agent-log checkpoint 1";

/// The statement of a checkpoint: this log has these entries, and the last of them is this line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub log: String,
    /// The number of the last entry.
    pub sequence: Sequence,
    /// SHA-256 of its line: since each line names the one before it, of all lines.
    pub head: Digest,
    /// When it was made: the entry's own time.
    pub time: Time,
}

impl Checkpoint {
    /// The text that is signed.
    #[must_use]
    pub fn text(&self) -> String {
        let Self {
            log,
            sequence,
            head,
            time,
        } = self;
        format!("{TITLE}\nlog {log}\nsequence {sequence}\nhead {head}\ntime {time}\n")
    }

    /// The signed note. The same key makes the same bytes each time.
    ///
    /// # Errors
    /// [`SignFault`] of the signer.
    pub fn sign(&self, signer: &dyn CheckpointSigner) -> Result<String, SignFault> {
        note::sign(&self.text(), signer)
    }

    /// Reads a note that one of these keys has signed.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open(note: &[u8], keys: &[PublicKey]) -> Result<Self, NoteError> {
        Self::read(note::open(note, keys)?)
    }

    /// Reads a note without asking who signed it: good for a look, and for nothing else.
    ///
    /// # Errors
    /// [`NoteError::Form`].
    pub fn unverified(note: &[u8]) -> Result<Self, NoteError> {
        Self::read(note::split(note)?.0)
    }

    fn read(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.lines();
        if lines.next() != Some(TITLE) {
            return Err(NoteError::Form("it is no checkpoint of this kind of log"));
        }
        let mut field = |name| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let found = (|| {
            Some(Self {
                log: log_name(field("log")?)?.to_owned(),
                sequence: Sequence(number(field("sequence")?)?),
                head: field("head")?.parse().ok()?,
                time: field("time")?.parse().ok()?,
            })
        })();
        // Nothing else, and everything as it is written here: one text for one statement.
        let found = found.filter(|found| found.text() == text);
        found.ok_or(NoteError::Form("its lines are not those of a checkpoint"))
    }

    /// What its file is called in a folder of exports: such names sort as the log grew.
    #[must_use]
    pub fn file_name(&self) -> String {
        let mut name = prefix(&self.log);
        // Writing to a string does not fail.
        let _ = write!(name, "{:020}{SUFFIX}", self.sequence.0);
        name
    }
}

/// What the files of checkpoints end with.
pub(super) const SUFFIX: &str = ".checkpoint";

/// What the files of this log's checkpoints begin with.
pub(super) fn prefix(log: &str) -> String {
    format!("{log}-")
}

/// A log's name: 32 hexadecimal digits.
pub(super) fn log_name(text: &str) -> Option<&str> {
    let digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
    Some(text).filter(|text| text.len() == 32 && text.bytes().all(digit))
}

fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::note::CheckpointKey;
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            log: "00112233445566778899aabbccddeeff".to_owned(),
            sequence: Sequence(1234),
            head: Digest::of(b"line"),
            time: "2026-11-21T09:30:00.123Z".parse().unwrap(),
        }
    }

    #[test]
    fn reads_what_it_signs() {
        let key = CheckpointKey::from_seed("builder.example", &Zeroizing::new([1; 32])).unwrap();
        let note = checkpoint().sign(&key).unwrap();
        let keys = [key.public_key().clone()];
        assert_eq!(Checkpoint::open(note.as_bytes(), &keys), Ok(checkpoint()));
        assert_eq!(Checkpoint::unverified(note.as_bytes()), Ok(checkpoint()));
        let name = "00112233445566778899aabbccddeeff-00000000000000001234.checkpoint";
        assert_eq!(checkpoint().file_name(), name);
    }

    #[test]
    fn reads_no_other_text_that_the_key_has_signed() {
        let key = CheckpointKey::from_seed("builder.example", &Zeroizing::new([1; 32])).unwrap();
        let keys = [key.public_key().clone()];
        let text = checkpoint().text();
        for other in [
            format!("{text}more\n"),
            text.replace("sequence 1234", "sequence 01234"),
            text.replace("sequence 1234", "sequence 0"),
            text.replace("checkpoint 1", "checkpoint 2"),
            text.replace("00112233", "0011223"),
            text.replace(".123Z", "Z"),
            "tlog.example\n1234\nabc=\n".to_owned(),
        ] {
            let note = note::sign(&other, &key).unwrap();
            let read = Checkpoint::open(note.as_bytes(), &keys);
            assert!(matches!(read, Err(NoteError::Form(_))), "{other}");
        }
    }
}
