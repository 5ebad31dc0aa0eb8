//! `pe.unsign`: takes signatures out of a PE image.

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::certificates::{self, Removal};
use touchstone_pe::{Image, WriteError, checksum};

use crate::input::{Input, read_failed};
use crate::{Context, Error, output};

/// The request of `pe.unsign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UnsignPe {
    /// The signed PE image.
    pub file: PathBuf,
    /// Which signature is removed, counted from 1 as `uki.inspect` lists them; all of them, and whatever else the certificate table holds,
    /// when it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<NonZeroUsize>,
    /// Whether the header's `CheckSum` is written; otherwise it becomes zero. Firmware ignores it.
    #[serde(default)]
    pub checksum: bool,
    /// Where the image is written.
    pub output: PathBuf,
}

/// The answer of `pe.unsign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnsignedPe {
    /// Size of the written file in bytes.
    pub size: u64,
    /// How many signatures it has left.
    pub signatures: usize,
}

impl UnsignPe {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::Request`] when the image has no such signature. Nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<UnsignedPe, Error> {
        context.progress.phase("removing signatures");
        output::file(context.files, &self.output, |out| {
            let mut input = Input::open(context.files, ROLE, &self.file)?;
            let image = Image::read(&mut input).map_err(|error| self.unread(error))?;
            if image.certificate_table().is_none() {
                return Err(missing("the image is not signed".to_owned()));
            }
            std::io::Seek::rewind(&mut input).map_err(|error| self.unread(error.into()))?;
            input.copy_to(out, &self.output)?;
            let which = match self.signature {
                Some(number) => Removal::One(number.get() - 1),
                None => Removal::All,
            };
            let image = strip(out, &image, which, &self.file, &self.output)?;
            if self.checksum {
                checksum::write(&image, out)
                    .map_err(|error| failed(error, &self.file, &self.output))?;
            }
            let left = certificates::read(&image, out).map_err(|error| self.unread(error))?;
            Ok(UnsignedPe {
                size: image.len(),
                signatures: left.len(),
            })
        })
    }

    fn unread(&self, error: touchstone_pe::ReadError) -> Error {
        read_failed(error, ROLE, &self.file)
    }
}

const ROLE: &str = "image";

/// Removes signatures of the image that was copied from `path` to `out`, whose name is `target`.
///
/// # Errors
/// [`Error::Request`] when there is no such signature, [`Error::Pe`], [`Error::Write`] and [`Error::WriteImage`].
pub(crate) fn strip(
    out: &mut File,
    image: &Image,
    which: Removal,
    path: &Path,
    target: &Path,
) -> Result<Image, Error> {
    let left = certificates::remove(out, image, which).map_err(|e| failed(e, path, target))?;
    out.set_len(left).map_err(|source| Error::Write {
        file: target.to_owned(),
        source,
    })?;
    Image::read(out).map_err(|error| read_failed(error, ROLE, target))
}

fn failed(error: WriteError, path: &Path, target: &Path) -> Error {
    match error {
        WriteError::Base(source) => read_failed(source, ROLE, path),
        WriteError::NoSuchSignature { there: 1 } => {
            missing("the image has one signature".to_owned())
        }
        WriteError::NoSuchSignature { there } => {
            missing(format!("the image has {there} signatures"))
        }
        source => Error::WriteImage {
            file: target.to_owned(),
            source,
        },
    }
}

fn missing(fact: String) -> Error {
    Error::Request {
        fact,
        help: "see `touchstone uki inspect FILE`, which lists the signatures",
    }
}
