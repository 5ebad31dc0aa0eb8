//! `pe.verify`: would firmware start this image, and why?

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use touchstone_pe::{Image, ReadError, authenticode};
use touchstone_sign::firmware::table::Table;
use touchstone_sign::firmware::{
    self, Database, DigestKind, ImageDigests, Reason, Rule, Verdict, digests_needed, judge,
};

use crate::inspect_uki::unusable;
use crate::source::open;
use crate::{Context, Error};

mod answer;
mod lists;
mod sbat;
mod shim;

pub use answer::{JudgedSignature, PeVerdict, Under, VerdictReason};
pub(crate) use lists::Lists;

/// The request of `pe.verify`: `certificates`, or `db` and perhaps `dbx`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct VerifyPe {
    /// The PE image.
    pub file: PathBuf,
    /// Certificates (PEM or DER) that are all that `db` has; there is no `dbx` then.
    #[serde(default)]
    pub certificates: Vec<PathBuf>,
    /// The value of `db`: EFI signature lists (ESL), also as efivarfs or a signed update (`.auth`) has them.
    #[serde(default)]
    pub db: Option<PathBuf>,
    /// The value of `dbx`, likewise; no such variable when not given.
    #[serde(default)]
    pub dbx: Option<PathBuf>,
    /// shim's SBAT level, as the variables `SbatLevel` and `SbatLevelRT` hold it: the verdict is then that of firmware and shim.
    #[serde(default)]
    pub sbat_level: Option<PathBuf>,
}

/// Larger than any table of signatures.
const TABLE_LIMIT: u64 = 16 << 20;

impl VerifyPe {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Pe`] when the file is no PE image at all, [`Error::SignatureData`] and [`Error::Text`] when a list or
    /// level cannot be read, [`Error::Request`]. That the image would not boot is an answer.
    pub fn run(&self, context: &Context<'_>) -> Result<PeVerdict, Error> {
        context.progress.phase("verifying");
        let lists = Lists::read(context.files, self)?;
        let level = self
            .sbat_level
            .as_deref()
            .map(|file| sbat::read(context.files, file))
            .transpose()?;
        let mut file = open(context.files, "image", &self.file)?;
        let failed = |source| unusable(&self.file, source);
        let image = match Image::read(&mut file) {
            Ok(image) => image,
            Err(error) => return self.malformed(error).map_err(failed),
        };
        let read = Presented::read(&mut file, &image, &lists);
        let presented = match read {
            Ok(presented) => presented,
            Err(error) => return self.malformed(error).map_err(failed),
        };
        let mut verdict = presented.judge(&lists);
        if let Some(level) = level {
            let objections = shim::objections(&mut file, &image, &verdict, &presented, &lists);
            verdict.refuse(objections.map_err(failed)?);
            let revocations = sbat::objections(&mut file, &image, &level);
            verdict.refuse(revocations.map_err(failed)?);
            verdict.notes.push(shim::NOTE.to_owned());
        }
        Ok(answer::of(verdict, &presented.digests, self.under()))
    }

    fn under(&self) -> Under {
        match self.sbat_level {
            Some(_) => Under::FirmwareAndShim,
            None => Under::Firmware,
        }
    }

    /// The answer for a PE image whose parts do not fit together; the error again where it is none at all.
    fn malformed(&self, error: ReadError) -> Result<PeVerdict, ReadError> {
        Ok(answer::of(
            malformed(error)?,
            &BTreeMap::new(),
            self.under(),
        ))
    }
}

/// What firmware with these lists says of the image in a file: the verdict of [`VerifyPe`] for callers that have both at hand.
///
/// # Errors
/// When the file cannot be read, or is no PE image at all.
pub fn verdict(file: &mut File, db: Database, dbx: Database) -> Result<Verdict, ReadError> {
    let lists = Lists { db, dbx };
    let image = match Image::read(file) {
        Ok(image) => image,
        Err(error) => return malformed(error),
    };
    match Presented::read(file, &image, &lists) {
        Ok(presented) => Ok(presented.judge(&lists)),
        Err(error) => malformed(error),
    }
}

/// The verdict on a PE image whose parts do not fit together; the error again where it is none at all.
fn malformed(error: ReadError) -> Result<Verdict, ReadError> {
    if matches!(
        error,
        ReadError::Io(_) | ReadError::Truncated(_) | ReadError::NotPe(_)
    ) {
        return Err(error);
    }
    Ok(Verdict {
        boots: false,
        reasons: vec![Reason {
            rule: Rule::ImageMalformed,
            why: error.to_string(),
        }],
        signatures: Vec::new(),
        notes: Vec::new(),
    })
}

/// What firmware looks at.
pub(crate) struct Presented {
    /// SHA-256, and what signatures or lists name.
    pub(crate) digests: ImageDigests,
    /// The certificate table, where there is one.
    pub(crate) table: Option<Table>,
}

impl Presented {
    /// Reads them of an image that is to be judged by these lists.
    ///
    /// # Errors
    /// When signing tools and firmware disagree about the image's digest, or the file cannot be read.
    pub(crate) fn read(file: &mut File, image: &Image, lists: &Lists) -> Result<Self, ReadError> {
        let bytes = table(file, image)?;
        let table = bytes.map(|bytes| firmware::table::walk(&bytes));
        let digests = digests(file, image, table.as_ref(), lists)?;
        Ok(Self { digests, table })
    }

    /// What firmware with these lists says.
    pub(crate) fn judge(&self, lists: &Lists) -> Verdict {
        judge(&self.digests, self.table.as_ref(), &lists.db, &lists.dbx)
    }
}

/// The bytes of the certificate table.
fn table(file: &mut File, image: &Image) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(range) = image.certificate_table() else {
        return Ok(None);
    };
    let size = range.end.saturating_sub(range.start);
    if size > TABLE_LIMIT {
        return Err(ReadError::CertificateTableTooLarge(size));
    }
    file.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size {
        Ok(Some(bytes))
    } else {
        Err(ReadError::Truncated("the certificate table"))
    }
}

/// The digests of the image that firmware computes.
///
/// # Errors
/// When parts of the image overlap, or the file cannot be read.
pub(crate) fn digests(
    file: &mut File,
    image: &Image,
    table: Option<&Table>,
    lists: &Lists,
) -> Result<ImageDigests, ReadError> {
    let needed = digests_needed(table, &lists.db, &lists.dbx).into_iter();
    needed
        .map(|kind| Ok((kind, digest(kind, file, image)?)))
        .collect()
}

fn digest(kind: DigestKind, file: &mut File, image: &Image) -> Result<Vec<u8>, ReadError> {
    Ok(match kind {
        DigestKind::Sha1 => authenticode::stored_digest::<Sha1, _>(image, file)?.to_vec(),
        DigestKind::Sha256 => authenticode::stored_digest::<Sha256, _>(image, file)?.to_vec(),
        DigestKind::Sha384 => authenticode::stored_digest::<Sha384, _>(image, file)?.to_vec(),
        DigestKind::Sha512 => authenticode::stored_digest::<Sha512, _>(image, file)?.to_vec(),
    })
}
