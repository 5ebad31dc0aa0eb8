//! Archives, read strictly: what is accepted is what this crate, and Nix, would write of the same tree, to the byte.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

use super::{MAX_DEPTH, NarDigest};
use crate::NarHash;
use crate::path::shown;

/// Longest name of a file, in bytes, that Linux takes.
pub const NAME_MAX: usize = 255;
/// Longest target of a link, in bytes, that Linux takes.
pub const TARGET_MAX: usize = 4095;
/// Longest word of the format: `nix-archive-1`.
const WORD_MAX: usize = 13;
/// Bytes of a file that are passed on at once.
const CHUNK: usize = 128 * 1024;

/// What is told of an archive's tree, in the archive's order, while it is read.
///
/// Names hold no slash and no NUL, are neither empty nor `.` nor `..`, and come in order, each once. Nothing of it is known to be what
/// somebody signed before [`read`] has returned the hash.
pub trait Sink {
    /// Why something cannot be taken.
    type Error;
    /// A regular file of so many bytes begins.
    fn file(&mut self, executable: bool, size: u64) -> Result<(), Self::Error>;
    /// More bytes of the file.
    fn data(&mut self, bytes: &[u8]) -> Result<(), Self::Error>;
    /// The file has all of its bytes.
    fn file_end(&mut self) -> Result<(), Self::Error>;
    /// A symbolic link: 1 to [`TARGET_MAX`] bytes without NUL.
    fn link(&mut self, target: &[u8]) -> Result<(), Self::Error>;
    /// A directory begins.
    fn folder(&mut self) -> Result<(), Self::Error>;
    /// The next file, link or directory has this name in the directory that is open.
    fn name(&mut self, name: &[u8]) -> Result<(), Self::Error>;
    /// The directory that is open has all of its entries.
    fn folder_end(&mut self) -> Result<(), Self::Error>;
}

/// Takes everything and keeps nothing.
pub struct Ignore;

impl Sink for Ignore {
    type Error = std::convert::Infallible;
    fn file(&mut self, _executable: bool, _size: u64) -> Result<(), Self::Error> {
        Ok(())
    }
    fn data(&mut self, _bytes: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn file_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
    fn link(&mut self, _target: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn folder(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
    fn name(&mut self, _name: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }
    fn folder_end(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// Why an archive was not read to its end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The archive cannot be read.
    #[error("the NAR cannot be read: {0}")]
    Read(#[from] io::Error),
    /// The archive ends in the middle.
    #[error("the NAR ends after {0} bytes, in the middle")]
    Short(u64),
    /// The archive is longer than it may be.
    #[error("the NAR is longer than {0} bytes, which is what was announced")]
    Long(u64),
    /// Something else stands where the format has one thing.
    #[error("the NAR has {found} at byte {at}, where {expected} must stand")]
    Unexpected {
        /// Where it stands, in bytes.
        at: u64,
        /// What stands there.
        found: String,
        /// What the format has.
        expected: &'static str,
    },
    /// A name or a link's target that no file system has, or a name that is not in order.
    #[error("the NAR has `{}` at byte {at}, which {why}", shown(.name))]
    Name {
        /// Where it stands, in bytes.
        at: u64,
        /// The name, as text.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Directories nested more than [`MAX_DEPTH`] deep.
    #[error("the NAR has directories more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The tree could not be taken.
    #[error("{0}")]
    Sink(E),
}

/// Reads one archive of at most `limit` bytes, tells `sink` what is in it, and returns its hash. Nothing behind its end is read.
///
/// Total: any bytes give a hash or a named error, in memory that does not grow with them.
///
/// # Errors
/// [`ReadError`]. `sink` has been told a part of the tree then.
pub fn read<R: Read, S: Sink>(
    input: R,
    limit: u64,
    sink: &mut S,
) -> Result<NarDigest, ReadError<S::Error>> {
    let mut reader = Reader {
        input,
        limit,
        at: 0,
        hasher: Sha256::new(),
        sink,
    };
    reader.tree()?;
    Ok(NarDigest {
        hash: NarHash::new(reader.hasher.finalize().into()),
        size: reader.at,
    })
}

struct Reader<'a, R, S> {
    input: R,
    limit: u64,
    at: u64,
    hasher: Sha256,
    sink: &'a mut S,
}

/// What a node turned out to be.
enum Node {
    Leaf,
    Folder,
}

type Step<T, S> = Result<T, ReadError<<S as Sink>::Error>>;

impl<R: Read, S: Sink> Reader<'_, R, S> {
    /// The root and everything below it, with a list of its own instead of recursion: the last name in each open directory.
    fn tree(&mut self) -> Step<(), S> {
        self.expect("nix-archive-1")?;
        let mut open: Vec<Vec<u8>> = Vec::new();
        loop {
            match self.node()? {
                Node::Folder if open.len() >= MAX_DEPTH => return Err(ReadError::TooDeep),
                Node::Folder => open.push(Vec::new()),
                Node::Leaf if open.is_empty() => return Ok(()),
                Node::Leaf => self.expect(")")?,
            }
            // To the next entry, out of every directory that has no more.
            loop {
                let Some(last) = open.last_mut() else {
                    return Ok(());
                };
                if let Some(name) = self.entry(last)? {
                    *last = name;
                    break;
                }
                self.sink.folder_end().map_err(ReadError::Sink)?;
                open.pop();
                if !open.is_empty() {
                    self.expect(")")?;
                }
            }
        }
    }

    fn node(&mut self) -> Step<Node, S> {
        self.expect("(")?;
        self.expect("type")?;
        let at = self.at;
        match self.string(WORD_MAX)?.as_slice() {
            b"regular" => self.regular().map(|()| Node::Leaf),
            b"symlink" => self.symlink().map(|()| Node::Leaf),
            b"directory" => {
                self.sink.folder().map_err(ReadError::Sink)?;
                Ok(Node::Folder)
            }
            other => Err(unexpected(at, other, "regular, symlink or directory")),
        }
    }

    fn regular(&mut self) -> Step<(), S> {
        let at = self.at;
        let executable = match self.string(WORD_MAX)?.as_slice() {
            b"contents" => false,
            b"executable" => {
                self.expect("")?;
                self.expect("contents")?;
                true
            }
            other => return Err(unexpected(at, other, "executable or contents")),
        };
        let size = self.number()?;
        if size > self.limit.saturating_sub(self.at) {
            return Err(ReadError::Long(self.limit));
        }
        self.sink.file(executable, size).map_err(ReadError::Sink)?;
        self.contents(size)?;
        self.sink.file_end().map_err(ReadError::Sink)?;
        self.expect(")")
    }

    fn contents(&mut self, size: u64) -> Step<(), S> {
        let length = usize::try_from(size).unwrap_or(CHUNK).min(CHUNK);
        let mut chunk = vec![0; length];
        let mut left = size;
        while left > 0 {
            let count = usize::try_from(left).unwrap_or(length).min(length);
            let piece = chunk.get_mut(..count).unwrap_or_default();
            self.raw(piece)?;
            self.sink.data(piece).map_err(ReadError::Sink)?;
            left -= count as u64;
        }
        self.padding(size)
    }

    fn symlink(&mut self) -> Step<(), S> {
        self.expect("target")?;
        let at = self.at;
        let target = self.string(TARGET_MAX)?;
        if target.is_empty() || target.contains(&0) {
            return Err(misnamed(at, &target, "is no target of a link"));
        }
        self.sink.link(&target).map_err(ReadError::Sink)?;
        self.expect(")")
    }

    /// The name of the directory's next entry, or none at its end.
    fn entry(&mut self, last: &[u8]) -> Step<Option<Vec<u8>>, S> {
        let at = self.at;
        match self.string(WORD_MAX)?.as_slice() {
            b")" => return Ok(None),
            b"entry" => {}
            other => return Err(unexpected(at, other, "entry or )")),
        }
        self.expect("(")?;
        self.expect("name")?;
        let at = self.at;
        let name = self.string(NAME_MAX)?;
        if matches!(name.as_slice(), b"" | b"." | b"..") || name.iter().any(|b| b"/\0".contains(b))
        {
            return Err(misnamed(at, &name, "is no name of a file"));
        }
        if name.as_slice() <= last {
            return Err(misnamed(
                at,
                &name,
                "comes twice or after a name that it stands before",
            ));
        }
        self.expect("node")?;
        self.sink.name(&name).map_err(ReadError::Sink)?;
        Ok(Some(name))
    }

    fn expect(&mut self, word: &'static str) -> Step<(), S> {
        let at = self.at;
        let found = self.string(WORD_MAX)?;
        match found == word.as_bytes() {
            true => Ok(()),
            false => Err(unexpected(at, &found, word)),
        }
    }

    /// A string of at most `longest` bytes.
    fn string(&mut self, longest: usize) -> Step<Vec<u8>, S> {
        let at = self.at;
        let length = self.number()?;
        let short = usize::try_from(length).ok().filter(|len| *len <= longest);
        let Some(short) = short else {
            let found = format!("a string of {length} bytes");
            return Err(ReadError::Unexpected {
                at,
                found,
                expected: "a shorter one",
            });
        };
        let mut bytes = vec![0; short];
        self.raw(&mut bytes)?;
        self.padding(length)?;
        Ok(bytes)
    }

    fn number(&mut self) -> Step<u64, S> {
        let mut bytes = [0; 8];
        self.raw(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// The zeros behind something of `length` bytes.
    fn padding(&mut self, length: u64) -> Step<(), S> {
        let at = self.at;
        let mut zeros = [0; 8];
        let count = ((8 - length % 8) % 8) as usize;
        self.raw(zeros.get_mut(..count).unwrap_or_default())?;
        match zeros {
            [0, 0, 0, 0, 0, 0, 0, 0] => Ok(()),
            other => Err(unexpected(at, &other, "zeros up to a multiple of 8")),
        }
    }

    fn raw(&mut self, bytes: &mut [u8]) -> Step<(), S> {
        let length = bytes.len() as u64;
        if length > self.limit.saturating_sub(self.at) {
            return Err(ReadError::Long(self.limit));
        }
        self.input
            .read_exact(bytes)
            .map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => ReadError::Short(self.at),
                _ => ReadError::Read(error),
            })?;
        self.at += length;
        self.hasher.update(bytes);
        Ok(())
    }
}

fn unexpected<E>(at: u64, found: &[u8], expected: &'static str) -> ReadError<E> {
    ReadError::Unexpected {
        at,
        found: format!("`{}`", shown(&String::from_utf8_lossy(found))),
        expected,
    }
}

fn misnamed<E>(at: u64, name: &[u8], why: &'static str) -> ReadError<E> {
    ReadError::Name {
        at,
        name: String::from_utf8_lossy(name).into_owned(),
        why,
    }
}
