//! The inputs of a request: files that are opened once, and texts that stand in the request or in a file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::Image;
use touchstone_pe::layout::Content;
use zeroize::Zeroizing;

use crate::Error;
use crate::input::Input;

/// A text, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Text {
    /// The text itself.
    Inline(String),
    /// The file whose whole content is the text.
    File(TextFile),
}

/// The file of a [`Text`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextFile {
    /// Its path.
    pub file: PathBuf,
}

/// The largest text that is read from a file: 1 MiB.
const TEXT_LIMIT: u64 = 1 << 20;

impl Text {
    /// The file that holds it, if it does not stand in the request.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Inline(_) => None,
            Self::File(TextFile { file }) => Some(file),
        }
    }

    /// The text, read from its file where it has one.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::Text`] when the file is over 1 MiB or not UTF-8.
    pub fn read(&self, role: &'static str) -> Result<String, Error> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(TextFile { file }) => {
                let bytes = read_small(role, file, TEXT_LIMIT)?;
                String::from_utf8(bytes).map_err(|error| Error::Text {
                    role,
                    file: file.clone(),
                    fact: format!("byte {} is not UTF-8", error.utf8_error().valid_up_to()),
                })
            }
        }
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
/// [`Error::Open`], or [`Error::Text`] when it is larger.
pub fn read_small(role: &'static str, path: &Path, limit: u64) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Open {
        role,
        file: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = open(role, path)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(role, path, limit));
    }
    Ok(bytes)
}

/// Reads a secret of at most `limit` bytes, which is wiped from memory when it is dropped.
///
/// # Errors
/// As [`read_small`].
pub fn read_secret(
    role: &'static str,
    path: &Path,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    // One piece from the start: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut file = open(role, path)?;
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(got) => length += got,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => (),
            Err(source) => {
                return Err(Error::Open {
                    role,
                    file: path.to_owned(),
                    source,
                });
            }
        }
    }
    if length > limit {
        return Err(too_large(role, path, limit as u64));
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn too_large(role: &'static str, path: &Path, limit: u64) -> Error {
    Error::Text {
        role,
        file: path.to_owned(),
        fact: format!("it is larger than {limit} bytes"),
    }
}

/// Opens a regular file for reading.
///
/// # Errors
/// [`Error::Open`]: missing, not readable, or no regular file.
pub fn open(role: &'static str, path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Open {
        role,
        file: path.to_owned(),
        source,
    };
    // Before it is opened: to open a pipe is to wait for whoever writes to it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("it is not a regular file")));
    }
    File::open(path).map_err(failed)
}

/// Opens a PE file and reads its headers.
///
/// # Errors
/// [`Error::Open`], or [`Error::Pe`] when it is no PE file.
pub fn open_image(role: &'static str, path: &Path) -> Result<(File, Image), Error> {
    let mut file = open(role, path)?;
    let image = Image::read(&mut file).map_err(|source| Error::Pe {
        role,
        file: path.to_owned(),
        source,
    })?;
    Ok((file, image))
}

/// The content of a file, to be read once while the image is written.
///
/// # Errors
/// [`Error::Open`].
pub fn content(role: &'static str, path: &Path) -> Result<Content<'static>, Error> {
    let input = Input::open(role, path)?;
    Ok(Content::reader(input.len(), Box::new(input)))
}

/// A file that is hashed where it is needed, from its beginning each time.
#[derive(Debug)]
pub(crate) struct FileContent {
    path: PathBuf,
    length: u64,
}

impl FileContent {
    /// The file at this path.
    ///
    /// # Errors
    /// [`Error::Open`] when it is not there or not readable.
    pub(crate) fn new(role: &'static str, path: &Path) -> Result<FileContent, Error> {
        let length = open(role, path)?.metadata().map(|about| about.len());
        Ok(FileContent {
            path: path.to_owned(),
            length: length.map_err(|source| Error::Open {
                role,
                file: path.to_owned(),
                source,
            })?,
        })
    }
}

impl touchstone_measure::Content for FileContent {
    fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(File::open(&self.path)?))
    }

    fn length(&self) -> std::io::Result<u64> {
        Ok(self.length)
    }
}
