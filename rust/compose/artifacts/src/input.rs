//! An input that is read while an output is written: it may change meanwhile, and what is then said names it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use touchstone_pe::{ReadError, WriteError};

use crate::source::open;
use crate::{Error, Files};

/// A file whose length was looked up once. Reading fails as soon as it turns out shorter or longer, or written to.
///
/// Its failures carry the file's name and role through the rooms below, which know neither; `write_failed` finds them again.
pub struct Input {
    file: File,
    role: &'static str,
    path: PathBuf,
    len: u64,
    modified: Option<SystemTime>,
    position: u64,
}

/// What went wrong with which input.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fact}", path.display())]
struct Blamed {
    role: &'static str,
    path: PathBuf,
    fact: Fact,
}

#[derive(Debug, thiserror::Error)]
enum Fact {
    #[error("it had {was} bytes, now it has {now}")]
    Resized { was: u64, now: u64 },
    #[error("something wrote to it")]
    Written,
    #[error("{0}")]
    Unreadable(io::Error),
}

impl Input {
    /// Opens a regular file.
    ///
    /// # Errors
    /// [`Error::Open`].
    pub fn open(files: &dyn Files, role: &'static str, path: &Path) -> Result<Input, Error> {
        let file = open(files, role, path)?;
        let metadata = file.metadata().map_err(|source| Error::Open {
            role,
            file: path.to_owned(),
            source,
        })?;
        Ok(Input {
            file,
            role,
            path: path.to_owned(),
            len: metadata.len(),
            modified: metadata.modified().ok(),
            position: 0,
        })
    }

    /// Its length in bytes, when it was opened.
    #[allow(clippy::len_without_is_empty)] // an empty input is like any other
    pub fn len(&self) -> u64 {
        self.len
    }

    fn blame(&self, fact: Fact) -> io::Error {
        io::Error::other(Blamed {
            role: self.role,
            path: self.path.clone(),
            fact,
        })
    }

    /// Looks again whether the file is still the one that was opened.
    fn check(&self) -> io::Result<()> {
        let metadata = self
            .file
            .metadata()
            .map_err(|error| self.blame(Fact::Unreadable(error)))?;
        if metadata.len() != self.len {
            return Err(self.blame(Fact::Resized {
                was: self.len,
                now: metadata.len(),
            }));
        }
        if metadata.modified().ok() != self.modified {
            return Err(self.blame(Fact::Written));
        }
        Ok(())
    }

    /// Copies it from where it stands to its end; the answer is how many bytes that were.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::InputChanged`], or [`Error::Write`] about `target`, the name of `out`.
    pub fn copy_to(&mut self, out: &mut File, target: &Path) -> Result<u64, Error> {
        let mut block = vec![0; touchstone_pe::CHUNK];
        let mut copied = 0;
        loop {
            let got = match self.read(&mut block) {
                Ok(0) => return Ok(copied),
                Ok(got) => got,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.read_failed(error)),
            };
            out.write_all(block.get(..got).unwrap_or_default())
                .map_err(|source| Error::Write {
                    file: target.to_owned(),
                    source,
                })?;
            copied += got as u64;
        }
    }

    fn read_failed(&self, error: io::Error) -> Error {
        blamed(error).unwrap_or_else(|source| Error::Open {
            role: self.role,
            file: self.path.clone(),
            source,
        })
    }
}

/// The failure of writing an image to `output`: about the input at fault where one is. `base` is the image's base, by role and file.
pub(crate) fn write_failed(error: WriteError, base: (&'static str, &Path), output: &Path) -> Error {
    let (role, file) = (base.0, base.1.to_owned());
    let of_output = |source| Error::WriteImage {
        file: output.to_owned(),
        source,
    };
    match error {
        WriteError::Content { section, source } => blamed(source)
            .unwrap_or_else(|source| of_output(WriteError::Content { section, source })),
        WriteError::Base(source) => read_failed(source, role, base.1),
        WriteError::BaseChanged => Error::InputChanged {
            role,
            file,
            fact: "its headers are not those that were planned for".to_owned(),
        },
        source => of_output(source),
    }
}

/// The failure of reading the image `path`.
pub(crate) fn read_failed(error: ReadError, role: &'static str, path: &Path) -> Error {
    let file = path.to_owned();
    match error {
        ReadError::Io(source) => {
            blamed(source).unwrap_or_else(|source| Error::Open { role, file, source })
        }
        source => Error::Pe { role, file, source },
    }
}

/// The failure in which an input was blamed, or the error as it was.
fn blamed(error: io::Error) -> Result<Error, io::Error> {
    let Blamed { role, path, fact } = error.downcast::<Blamed>()?;
    Ok(match fact {
        Fact::Unreadable(source) => Error::Open {
            role,
            file: path,
            source,
        },
        changed => Error::InputChanged {
            role,
            file: path,
            fact: changed.to_string(),
        },
    })
}

impl Read for Input {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let got = match self.file.read(room) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            got => got.map_err(|error| self.blame(Fact::Unreadable(error)))?,
        };
        self.position = self.position.saturating_add(got as u64);
        // At its end, wherever that is now, and when it went on where it should have ended.
        if (got == 0 && !room.is_empty()) || self.position > self.len {
            self.check()?;
        }
        Ok(got)
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        // The end is where it was when the file was opened.
        let to = match to {
            SeekFrom::End(offset) => SeekFrom::Start(
                self.len
                    .checked_add_signed(offset)
                    .ok_or(io::ErrorKind::InvalidInput)?,
            ),
            other => other,
        };
        self.position = self.file.seek(to)?;
        Ok(self.position)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]
mod tests {
    use super::*;
    use crate::HostFiles;

    /// Reads ten bytes to their end, of which `change` changes the file after four.
    fn read_while(change: impl Fn(&File)) -> Result<(), Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "0123456789").unwrap();
        let mut input = Input::open(&HostFiles, "initrd", &path).unwrap();
        assert_eq!(input.len(), 10);
        input.read_exact(&mut [0; 4]).unwrap();
        change(&File::options().write(true).open(&path).unwrap());
        let read = input.read_to_end(&mut Vec::new());
        read.map(drop).map_err(|error| input.read_failed(error))
    }

    fn fact(change: impl Fn(&File)) -> String {
        match read_while(change) {
            Err(Error::InputChanged { role, file, fact }) => {
                assert_eq!(role, "initrd");
                assert!(file.ends_with("input"));
                fact
            }
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn an_input_that_nobody_touches_is_read() {
        assert!(read_while(|_| ()).is_ok());
    }

    #[test]
    fn an_input_that_shrinks_is_refused() {
        let shrunk = fact(|file| file.set_len(3).unwrap());
        assert_eq!(shrunk, "it had 10 bytes, now it has 3");
    }

    #[test]
    fn an_input_that_grows_is_refused() {
        let grown = fact(|file| file.set_len(11).unwrap());
        assert_eq!(grown, "it had 10 bytes, now it has 11");
    }

    #[test]
    fn an_input_that_is_written_to_is_refused() {
        let later = SystemTime::now() + std::time::Duration::from_secs(9);
        let written = fact(|file| file.set_modified(later).unwrap());
        assert_eq!(written, "something wrote to it");
    }

    #[test]
    fn the_end_is_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, "0123456789").unwrap();
        let mut input = Input::open(&HostFiles, "stub", &path).unwrap();
        assert_eq!(input.seek(SeekFrom::End(-3)).unwrap(), 7);
        assert!(input.seek(SeekFrom::End(-11)).is_err());
    }
}
