//! The inputs of a request: files that are opened once, and texts that stand in the request or in a file.

use std::ffi::OsString;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use touchstone_pe::Image;
use touchstone_pe::layout::Content;
use zeroize::Zeroizing;

use crate::input::Input;
use crate::request::{TextOr, text_or};
use crate::{Error, Files};

/// A text, or the file that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
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

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(
            match text_or(deserializer, "a text or { \"file\": path }")? {
                TextOr::Text(text) => Self::Inline(text),
                TextOr::Object(file) => Self::File(file),
            },
        )
    }
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
    pub fn read(&self, files: &dyn Files, role: &'static str) -> Result<String, Error> {
        match self {
            Self::Inline(text) => Ok(text.clone()),
            Self::File(TextFile { file }) => {
                let bytes = read_small(files, role, file, TEXT_LIMIT)?;
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
pub fn read_small(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
    limit: u64,
) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Open {
        role,
        file: path.to_owned(),
        source,
    };
    let mut bytes = Vec::new();
    let file = open(files, role, path)?;
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
    files: &dyn Files,
    role: &'static str,
    path: &Path,
    limit: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    // One piece from the start: what grows leaves copies behind.
    let mut bytes = Zeroizing::new(vec![0; limit + 1]);
    let mut file = open(files, role, path)?;
    let mut length = 0;
    while let Some(room) = bytes.get_mut(length..).filter(|room| !room.is_empty()) {
        match file.read(room) {
            Ok(0) => break,
            Ok(got) => length += got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
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
pub fn open(files: &dyn Files, role: &'static str, path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Open {
        role,
        file: path.to_owned(),
        source,
    };
    // Before it is opened: to open a pipe is to wait for whoever writes to it.
    let place = files.locate(path).map_err(failed)?;
    if !fs::metadata(&place).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    File::open(place).map_err(failed)
}

/// What a folder holds.
pub(crate) struct Entry {
    /// Its name in the folder.
    pub(crate) name: OsString,
    /// What it is: symbolic links are not followed.
    pub(crate) kind: FileType,
}

/// What a folder holds, in the order of the names.
///
/// # Errors
/// The system's.
pub(crate) fn entries(files: &dyn Files, folder: &Path) -> io::Result<Vec<Entry>> {
    let entry = |entry: io::Result<fs::DirEntry>| {
        let entry = entry?;
        Ok(Entry {
            name: entry.file_name(),
            kind: entry.file_type()?,
        })
    };
    let found = fs::read_dir(files.locate(folder)?)?.map(entry);
    let mut found = found.collect::<io::Result<Vec<_>>>()?;
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// What there is under this name, after all symbolic links.
///
/// # Errors
/// The system's.
pub(crate) fn about(files: &dyn Files, path: &Path) -> io::Result<fs::Metadata> {
    fs::metadata(files.locate(path)?)
}

/// Whether this is a folder.
///
/// # Errors
/// [`Error::Open`] where nobody may look, or nobody can: a link that leads to itself, say.
pub(crate) fn is_folder(files: &dyn Files, role: &'static str, path: &Path) -> Result<bool, Error> {
    looked_at(files, role, path).map(|there| there.is_some_and(|about| about.is_dir()))
}

/// Whether there is something under this name.
///
/// # Errors
/// As [`is_folder`].
pub(crate) fn exists(files: &dyn Files, role: &'static str, path: &Path) -> Result<bool, Error> {
    looked_at(files, role, path).map(|there| there.is_some())
}

fn looked_at(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<Option<fs::Metadata>, Error> {
    match about(files, path) {
        Ok(there) => Ok(Some(there)),
        Err(error) if is_absence(error.kind()) => Ok(None),
        Err(source) => Err(Error::Open {
            role,
            file: path.to_owned(),
            source,
        }),
    }
}

/// Whether nothing is there: neither the file, nor a folder that it could lie in. All else says that nobody knows.
fn is_absence(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Opens a PE file and reads its headers.
///
/// # Errors
/// [`Error::Open`], or [`Error::Pe`] when it is no PE file.
pub fn open_image(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<(File, Image), Error> {
    let mut file = open(files, role, path)?;
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
pub fn content(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<Content<'static>, Error> {
    let input = Input::open(files, role, path)?;
    Ok(Content::reader(input.len(), Box::new(input)))
}

/// A file that is hashed where it is needed, from its beginning each time.
#[derive(Debug)]
pub(crate) struct FileContent {
    file: File,
    length: u64,
}

impl FileContent {
    /// The file at this path.
    ///
    /// # Errors
    /// [`Error::Open`] when it is not there or not readable.
    pub(crate) fn new(
        files: &dyn Files,
        role: &'static str,
        path: &Path,
    ) -> Result<FileContent, Error> {
        let file = open(files, role, path)?;
        let length = file.metadata().map(|about| about.len());
        let length = length.map_err(|source| Error::Open {
            role,
            file: path.to_owned(),
            source,
        })?;
        Ok(FileContent { file, length })
    }
}

impl touchstone_measure::Content for FileContent {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(FromStart {
            file: &self.file,
            position: 0,
        }))
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.length)
    }
}

/// Reads a file from its beginning, wherever others stand in it.
struct FromStart<'a> {
    file: &'a File,
    position: u64,
}

impl Read for FromStart<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let got = self.file.read_at(room, self.position)?;
        self.position += got as u64;
        Ok(got)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HostFiles;

    /// Files of which the caller says this.
    struct Refused(io::ErrorKind);

    impl Files for Refused {
        fn locate(&self, _path: &Path) -> io::Result<PathBuf> {
            Err(self.0.into())
        }

        fn place(&self, _output: &Path) -> io::Result<PathBuf> {
            Err(self.0.into())
        }
    }

    fn whether(files: &dyn Files, path: &Path) -> Result<(bool, bool), Error> {
        let there = exists(files, "document", path)?;
        Ok((there, is_folder(files, "document", path)?))
    }

    #[test]
    fn what_is_not_there_is_absent() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let of = |path: &Path| whether(&HostFiles, path).unwrap();
        assert_eq!(of(folder.path()), (true, true));
        assert_eq!(of(&file), (true, false));
        assert_eq!(of(&folder.path().join("other")), (false, false));
        assert_eq!(of(&file.join("below")), (false, false));
        let absent = Refused(io::ErrorKind::NotFound);
        assert_eq!(whether(&absent, &file).unwrap(), (false, false));
    }

    /// Nobody knows then whether it is there.
    #[test]
    fn what_cannot_be_looked_at_is_an_error_and_not_absent() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&link, &link).unwrap();
        let long = folder.path().join("x".repeat(300));
        let denied = Refused(io::ErrorKind::PermissionDenied);
        let asked: [(&dyn Files, &Path); 3] =
            [(&HostFiles, &link), (&HostFiles, &long), (&denied, &link)];
        for (files, path) in asked {
            let refused = whether(files, path);
            assert!(
                matches!(&refused, Err(Error::Open { file, .. }) if file == path),
                "{refused:?}"
            );
        }
    }
}
