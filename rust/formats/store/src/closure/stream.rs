//! Closures as one stream: what is said of all paths, then all NARs. `docs/closure-import.md` specifies it.
//!
//! The index comes first so that signatures, references and the room that is needed are known before the first byte of content.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use crate::narinfo::NarInfoError;
use crate::{NarInfo, StorePath};

/// The first word of a stream.
pub const MAGIC: &str = "touchstone-closure-1";
/// Longest index in bytes: some 100 000 paths.
pub const INDEX_LIMIT: u64 = 1 << 26;
/// Longest first line.
const HEAD_LIMIT: u64 = 64;

/// Why a stream has no index.
#[derive(Debug, thiserror::Error)]
pub enum StreamError {
    /// The stream cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The first line is another one.
    #[error("it does not begin with `{MAGIC} PATHS BYTES`, as touchstone closure export writes it")]
    Head,
    /// The index is longer than [`INDEX_LIMIT`].
    #[error("its index has {0} bytes; at most {INDEX_LIMIT} are read")]
    TooLong(u64),
    /// The stream ends in the index.
    #[error("it ends in the index")]
    Short,
    /// An entry is no `.narinfo`.
    #[error("entry {number} of its index is wrong: {source}")]
    Entry {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        source: NarInfoError,
    },
    /// An entry names an archive elsewhere.
    #[error("{0} has a URL, but its NAR must be in the stream")]
    Elsewhere(StorePath),
    /// The index has another number of entries than the first line says.
    #[error("its index has {found} entries, where the first line says {said}")]
    Count {
        /// Entries there are.
        found: usize,
        /// What the first line says.
        said: usize,
    },
    /// A path comes twice.
    #[error("{0} comes twice")]
    Twice(StorePath),
    /// A path comes before one that it refers to.
    #[error("{path} comes before {reference}, to which it refers")]
    Order {
        /// The path.
        path: StorePath,
        /// What it refers to.
        reference: StorePath,
    },
    /// Something follows the last NAR.
    #[error("something follows the last NAR")]
    Trailing,
}

/// The first line and the index. The NARs follow, in the same order, nothing between them and nothing behind.
///
/// `infos` are in the order of [`references_first`](super::references_first); what they say of an archive's place is left out.
pub fn index(infos: &[NarInfo]) -> String {
    let text = |info: &NarInfo| info.registered().to_string();
    let texts: Vec<String> = infos.iter().map(text).collect();
    let body = texts.join("\n");
    format!("{MAGIC} {} {}\n{body}", infos.len(), body.len())
}

/// Reads the first line and the index. Total, and in memory that the index really takes.
///
/// # Errors
/// [`StreamError`].
pub fn read_index(input: &mut impl BufRead) -> Result<Vec<NarInfo>, StreamError> {
    let (said, length) = head(input)?;
    if length > INDEX_LIMIT {
        return Err(StreamError::TooLong(length));
    }
    let mut body = Vec::new();
    input.take(length).read_to_end(&mut body)?;
    if (body.len() as u64) < length {
        return Err(StreamError::Short);
    }
    let infos = entries(&body)?;
    if infos.len() != said {
        let found = infos.len();
        return Err(StreamError::Count { found, said });
    }
    ordered(&infos)?;
    Ok(infos)
}

/// Checks that the stream ends here.
///
/// # Errors
/// [`StreamError::Trailing`], [`StreamError::Read`].
pub fn end(input: &mut impl BufRead) -> Result<(), StreamError> {
    match input.fill_buf()? {
        [] => Ok(()),
        _ => Err(StreamError::Trailing),
    }
}

fn head(input: &mut impl BufRead) -> Result<(usize, u64), StreamError> {
    let mut line = Vec::new();
    input.take(HEAD_LIMIT).read_until(b'\n', &mut line)?;
    let line = std::str::from_utf8(&line).map_err(|_| StreamError::Head)?;
    let fields = || {
        let mut words = line.strip_suffix('\n')?.split(' ');
        let (magic, paths, length) = (words.next()?, words.next()?, words.next()?);
        let known = magic == MAGIC && words.next().is_none();
        known.then_some((paths.parse().ok()?, length.parse().ok()?))
    };
    let (paths, length) = fields().ok_or(StreamError::Head)?;
    // One spelling of each number.
    match line == format!("{MAGIC} {paths} {length}\n") {
        true => Ok((paths, length)),
        false => Err(StreamError::Head),
    }
}

fn entries(body: &[u8]) -> Result<Vec<NarInfo>, StreamError> {
    let wrong = |number, source| StreamError::Entry { number, source };
    let text = std::str::from_utf8(body).map_err(|_| wrong(1, NarInfoError::NotText))?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    // Each text ends with its own line feed; the second one is what separates.
    let (mut infos, mut rest) = (Vec::new(), Some(text));
    while let Some(text) = rest {
        let (entry, after) = match text.split_once("\n\n") {
            Some((entry, after)) => (format!("{entry}\n"), Some(after)),
            None => (text.to_owned(), None),
        };
        let number = infos.len() + 1;
        let info = NarInfo::read(entry.as_bytes()).map_err(|source| wrong(number, source))?;
        infos.push(info);
        rest = after;
    }
    Ok(infos)
}

/// Refuses what comes twice, before what it refers to, or lies elsewhere.
fn ordered(infos: &[NarInfo]) -> Result<(), StreamError> {
    let all: BTreeSet<&StorePath> = infos.iter().map(|info| &info.entry.path).collect();
    let mut seen = BTreeSet::new();
    for info in infos {
        let path = &info.entry.path;
        if info.archive.is_some() {
            return Err(StreamError::Elsewhere(path.clone()));
        }
        if !seen.insert(path) {
            return Err(StreamError::Twice(path.clone()));
        }
        let late = |reference: &&StorePath| all.contains(reference) && !seen.contains(reference);
        if let Some(reference) = info.entry.references.iter().find(late) {
            return Err(StreamError::Order {
                path: path.clone(),
                reference: reference.clone(),
            });
        }
    }
    Ok(())
}
