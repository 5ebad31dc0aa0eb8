//! A manifest read line by line: no more of it is in memory than one entry. What is accepted is what [`Manifest::read`] accepts.
//!
//! [`Manifest::read`]: super::Manifest::read

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use sha2::{Digest, Sha256};

use super::line::{Flaw, Line};
use super::{Class, ClosureError, DOCUMENT_LIMIT, Entry, LINE_LIMIT, PATHS_LIMIT, VERSIONS};
use crate::{NarHash, Signature, StorePath};

/// Why a stream is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A version that this program does not know.
    #[error("it has version {0}; this program reads versions 1 and 2")]
    Version(u64),
    /// A line is longer than [`LINE_LIMIT`].
    #[error("line {0} is longer than {LINE_LIMIT} bytes")]
    TooLong(usize),
    /// The document is longer than [`DOCUMENT_LIMIT`].
    #[error("it is longer than {DOCUMENT_LIMIT} bytes")]
    TooLarge,
    /// A line does not end, or is no text.
    #[error("line {0} is cut, or no text")]
    Cut(usize),
    /// A line is not in canonical form.
    #[error("line {line}, {flaw}")]
    Line {
        /// Which one, from 1.
        line: usize,
        /// What is wrong with it.
        flaw: Flaw,
    },
    /// An entry is not behind the one before it.
    #[error("line {line}: {path} is twice there or in the wrong place: entries are sorted by path")]
    Order {
        /// Which line, from 1.
        line: usize,
        /// The path.
        path: StorePath,
    },
    /// An entry that no closure has, or too many of them.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// Something follows the document.
    #[error("something follows the end of the manifest")]
    Trailing,
}

/// How a manifest begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The system that it is of.
    pub toplevel: StorePath,
    /// The machines that it is for; none in version 1.
    pub class: Option<Class>,
}

/// How a manifest ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tail {
    /// Signatures over the whole manifest; not yet verified. None in version 1.
    pub signatures: BTreeSet<Signature>,
    /// What these bind beside toplevel and class, see [`whole_text`](super::whole_text).
    pub digest: [u8; 32],
}

/// A manifest that is being read. Nothing of it is to be believed before its signatures were looked at.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    head: Head,
    /// The path that was read last, and how many were read.
    last: Option<StorePath>,
    paths: usize,
    /// Whether another entry has to come.
    more: bool,
    /// The document so far, with no signature on any entry.
    unsigned: Sha256,
}

impl<R: BufRead> Reader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn new(input: R) -> Result<Self, StreamError> {
        let mut lines = Lines::new(input);
        let head = head(lines.next()?)?;
        let mut unsigned = Sha256::new();
        unsigned.update(&lines.line);
        Ok(Self {
            lines,
            head,
            last: None,
            paths: 0,
            more: true,
            unsigned,
        })
    }

    /// What the first line says.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Reads the next entry, if there is one. Entries come in the order of their paths.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn entry(&mut self) -> Result<Option<Entry>, StreamError> {
        if !self.more {
            return Ok(None);
        }
        let read = entry(self.lines.next()?);
        let read = read.map_err(|flaw| self.lines.flaw(flaw))?;
        self.unsigned
            .update(self.lines.line.get(..read.unsigned).unwrap_or_default());
        self.unsigned
            .update(if read.more { "[]},\n" } else { "[]}\n" });
        self.more = read.more;
        self.follows(&read.entry)?;
        Ok(Some(read.entry))
    }

    /// Checks that an entry may follow what was read before.
    fn follows(&mut self, entry: &Entry) -> Result<(), StreamError> {
        entry.plausible()?;
        self.paths += 1;
        if self.paths > PATHS_LIMIT {
            return Err(ClosureError::TooMany.into());
        }
        if self.last.as_ref() >= Some(&entry.path) {
            let (line, path) = (self.lines.number, entry.path.clone());
            return Err(StreamError::Order { line, path });
        }
        self.last = Some(entry.path.clone());
        Ok(())
    }

    /// Reads the end, behind which nothing may follow. All entries must have been read.
    ///
    /// # Errors
    /// [`StreamError`].
    pub fn finish(mut self) -> Result<Tail, StreamError> {
        let signatures = tail(self.lines.next()?, self.head.class.is_some());
        let signatures = signatures.map_err(|flaw| self.lines.flaw(flaw))?;
        self.lines.end()?;
        let digest = self.unsigned.finalize().into();
        Ok(Tail { signatures, digest })
    }
}

/// Lines, one after the other.
#[derive(Debug)]
struct Lines<R> {
    input: R,
    /// The line that was read last, with its line feed.
    line: Vec<u8>,
    /// Which one it is, from 1.
    number: usize,
    /// Bytes that were read.
    read: usize,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        let (line, number, read) = (Vec::new(), 0, 0);
        Self {
            input,
            line,
            number,
            read,
        }
    }

    /// Reads a line, in memory that the line really takes; the answer is without its line feed.
    fn next(&mut self) -> Result<&str, StreamError> {
        self.line.clear();
        self.number += 1;
        let mut limited = self.input.by_ref().take(LINE_LIMIT as u64 + 1);
        limited.read_until(b'\n', &mut self.line)?;
        if self.line.len() > LINE_LIMIT {
            return Err(StreamError::TooLong(self.number));
        }
        self.read += self.line.len();
        if self.read > DOCUMENT_LIMIT {
            return Err(StreamError::TooLarge);
        }
        let line = self.line.strip_suffix(b"\n");
        let text = line.and_then(|line| std::str::from_utf8(line).ok());
        text.ok_or(StreamError::Cut(self.number))
    }

    fn end(&mut self) -> Result<(), StreamError> {
        match self.input.fill_buf()? {
            [] => Ok(()),
            _ => Err(StreamError::Trailing),
        }
    }

    /// What is wrong with the line that was read last.
    fn flaw(&self, flaw: Flaw) -> StreamError {
        let line = self.number;
        StreamError::Line { line, flaw }
    }
}

fn head(text: &str) -> Result<Head, StreamError> {
    let wrong = |flaw| StreamError::Line { line: 1, flaw };
    let mut line = Line::new(text);
    let version = line.take("{\"version\":").and_then(|()| line.number());
    let version = version.map_err(wrong)?;
    // First, so that a newer version is named as such, whatever follows.
    if !VERSIONS.contains(&version) {
        return Err(StreamError::Version(version));
    }
    let [plain, _] = VERSIONS;
    head_of(&mut line, version != plain).map_err(wrong)
}

fn head_of(line: &mut Line<'_>, with_class: bool) -> Result<Head, Flaw> {
    line.take(",\"toplevel\":")?;
    let toplevel = line.parsed()?;
    let mut class = None;
    if with_class {
        line.take(",\"class\":")?;
        class = Some(line.parsed()?);
    }
    line.take(",\"paths\":[")?;
    line.end()?;
    Ok(Head { toplevel, class })
}

/// An entry, how many bytes stand before the list of its signatures, and whether another entry follows.
struct Parsed {
    entry: Entry,
    unsigned: usize,
    more: bool,
}

fn entry(text: &str) -> Result<Parsed, Flaw> {
    let mut line = Line::new(text);
    line.take("{\"path\":")?;
    let path = line.parsed()?;
    line.take(",\"narHash\":")?;
    let nar_hash = sri(&mut line)?;
    line.take(",\"narSize\":")?;
    let nar_size = line.number()?;
    line.take(",\"references\":")?;
    let references = line.sorted::<StorePath, _>()?;
    let mut ca = None;
    if line.took(",\"ca\":") {
        ca = Some(line.parsed()?);
    }
    line.take(",\"signatures\":")?;
    let unsigned = line.at();
    let signatures = line.sorted::<Signature, _>()?;
    line.take("}")?;
    let more = line.took(",");
    line.end()?;
    let entry = Entry {
        path,
        nar_hash,
        nar_size,
        references,
        ca,
        signatures,
    };
    Ok(Parsed {
        entry,
        unsigned,
        more,
    })
}

/// A NAR's hash in the one form, of several, that manifests have.
fn sri(line: &mut Line<'_>) -> Result<NarHash, Flaw> {
    let text: String = line.parsed()?;
    let hash = NarHash::parse(&text).map_err(|why| line.wrong(why))?;
    match hash.to_sri() == text {
        true => Ok(hash),
        false => Err(line.wrong("a hash is sha256- and its base 64")),
    }
}

fn tail(text: &str, signed: bool) -> Result<BTreeSet<Signature>, Flaw> {
    let mut line = Line::new(text);
    line.take("]")?;
    let mut signatures = BTreeSet::new();
    if signed {
        line.take(",\"signatures\":")?;
        signatures = line.sorted()?;
    }
    line.take("}")?;
    line.end()?;
    Ok(signatures)
}
