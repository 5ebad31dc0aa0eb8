//! What goes into a section.

use std::fmt;
use std::io::{self, Read};
use std::path::PathBuf;

/// The bytes of a section to be written: held in memory, read while writing, or several of these
/// joined. Its length is known before.
pub struct Content<'a> {
    pub(super) parts: Vec<Part<'a>>,
}

pub(super) struct Part<'a> {
    pub len: u64,
    /// Zeros that follow.
    pub padding: u64,
    pub source: Box<dyn Read + 'a>,
    /// The file that holds exactly these bytes, where the caller named one.
    pub file: Option<PathBuf>,
}

impl<'a> Content<'a> {
    /// Bytes in memory.
    pub fn bytes(bytes: Vec<u8>) -> Self {
        let len = bytes.len() as u64;
        Self::reader(len, Box::new(io::Cursor::new(bytes)))
    }

    /// Exactly `len` bytes of `source`, read once, while the image is written.
    /// Writing refuses a source that turns out shorter or longer.
    pub fn reader(len: u64, source: Box<dyn Read + 'a>) -> Self {
        Self {
            parts: vec![Part {
                len,
                padding: 0,
                source,
                file: None,
            }],
        }
    }

    /// The same, of which the caller says that a file holds it, all of it and nothing else: [`Layout::files`](super::Layout::files) gives it back
    /// with its place.
    pub fn of_file(mut self, file: PathBuf) -> Self {
        if let [only] = self.parts.as_mut_slice() {
            only.file = Some(file);
        }
        self
    }

    /// Contents one after another, each but an only one padded with zeros to a multiple of
    /// `alignment`.
    pub fn joined(contents: Vec<Self>, alignment: u64) -> Self {
        let alone = contents.len() == 1;
        let padded = contents.into_iter().map(|mut content| {
            let len = content.len();
            if let (false, Some(last)) = (alone, content.parts.last_mut()) {
                last.padding += len.next_multiple_of(alignment.max(1)) - len;
            }
            content.parts
        });
        Self {
            parts: padded.flatten().collect(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> u64 {
        self.parts.iter().fold(0, |sum: u64, part| {
            sum.saturating_add(part.len).saturating_add(part.padding)
        })
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Content({} bytes)", self.len())
    }
}
