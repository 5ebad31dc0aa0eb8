//! Reading a log, entry by entry, for people and programs.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::vec;

use super::entry::Link;
use super::error::LogError;
use super::lines::{Lines, Piece};
use super::segment;

/// The entries of a log, one after the other. What is wrong with them is [`verify`](super::verify())'s to say: a line that is no entry is
/// an error, bytes that are not finished are the end.
pub struct Entries {
    segments: vec::IntoIter<(u64, PathBuf)>,
    open: Option<(PathBuf, Lines<File>)>,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its bytes, without the line feed.
    pub bytes: Vec<u8>,
    /// What makes it a part of the chain.
    pub link: Link,
}

impl Entries {
    /// The entries of the log in this folder.
    ///
    /// # Errors
    /// [`LogError::System`].
    pub fn of(folder: &Path) -> Result<Self, LogError> {
        Ok(Self {
            segments: segment::list(folder)?.into_iter(),
            open: None,
        })
    }

    fn line(&mut self) -> Result<Option<Line>, LogError> {
        loop {
            let Some((path, lines)) = &mut self.open else {
                let Some((_, path)) = self.segments.next() else {
                    return Ok(None);
                };
                let file = File::open(&path);
                let file = file.map_err(LogError::system("the log cannot be read", &path))?;
                self.open = Some((path, Lines::new(file)));
                continue;
            };
            let piece = lines.advance();
            match piece.map_err(LogError::system("the log cannot be read", path))? {
                Piece::End | Piece::Unfinished => self.open = None,
                piece => {
                    let link = Link::parse(&lines.line).ok();
                    let link = link.filter(|_| piece == Piece::Whole);
                    let link = link.ok_or_else(|| LogError::Damaged {
                        file: path.clone(),
                        line: lines.number,
                        fact: "it is no entry".to_owned(),
                    })?;
                    let bytes = lines.line.strip_suffix(b"\n").unwrap_or(&lines.line);
                    let bytes = bytes.to_vec();
                    return Ok(Some(Line { bytes, link }));
                }
            }
        }
    }
}

impl Iterator for Entries {
    type Item = Result<Line, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.line().transpose()
    }
}
