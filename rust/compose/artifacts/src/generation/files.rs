//! The files of a generation as they were written: what the document says of them.

use std::fs::File;
use std::io::Seek;
use std::path::Path;

use crate::content::Content;
use crate::output::STAGED;
use crate::source::open;
use crate::uki::AssembledUki;
use crate::{Error, output};

/// An image that was written.
#[derive(Debug)]
pub(super) struct MadeImage {
    pub(super) file: MadeFile,
    pub(super) answer: AssembledUki,
}

/// A file that was written: its path below the folder of artifacts, and what is in it.
#[derive(Debug)]
pub(super) struct MadeFile {
    pub(super) path: String,
    pub(super) content: Content,
}

impl MadeFile {
    /// Reads what stands in `file`, to its end.
    fn read(path: String, file: &mut File, target: &Path) -> Result<MadeFile, Error> {
        let content = Content::of(file).map_err(|source| unreadable(target, source))?;
        Ok(MadeFile { path, content })
    }
}

/// Writes the image `name` in `folder`, and reads it once more for the digest of the file: a signature changes its header.
///
/// # Errors
/// See [`Error`].
pub(super) fn written(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut File, &Path) -> Result<AssembledUki, Error>,
) -> Result<MadeImage, Error> {
    let target = folder.join(name);
    output::file(&STAGED, &target, |out| {
        let answer = write(out, &target)?;
        out.rewind().map_err(|source| unreadable(&target, source))?;
        let file = MadeFile::read(name.to_owned(), out, &target)?;
        Ok(MadeImage { file, answer })
    })
}

/// A file of `folder` that was just written.
///
/// # Errors
/// [`Error::Open`].
pub(super) fn described(folder: &Path, path: String) -> Result<MadeFile, Error> {
    let target = folder.join(&path);
    let mut file = open(&STAGED, "file that was just written", &target)?;
    MadeFile::read(path, &mut file, &target)
}

fn unreadable(file: &Path, source: std::io::Error) -> Error {
    Error::Open {
        role: "file that was just written",
        file: file.to_owned(),
        source,
    }
}

/// Makes a folder and those above it.
///
/// # Errors
/// [`Error::Write`].
pub(super) fn create(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write {
        file: folder.to_owned(),
        source,
    })
}
