//! What speaks for an image under Secure Boot: its signatures and its digests.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use touchstone_pe::{Image, ReadError, authenticode};
use touchstone_sign::firmware::table::{self, Table};
use touchstone_sign::firmware::{Database, DigestKind, ImageDigests, digests_needed};

use super::Authority;

/// What speaks for an image when the firmware decides whether it may start.
///
/// Which entry of `db` (or of shim's list) it leads to depends on the variables, so that is found out with them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Vouching {
    /// It is not known.
    #[default]
    Unknown,
    /// It is not signed yet. Its only signature will be of this certificate.
    Promised(Authority),
    /// It is as it will be started.
    Stored(Presented),
}

/// What firmware looks at in an image's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The image's digests; those that its signatures are over are among them.
    pub(crate) digests: ImageDigests,
    /// The certificate table, where there is one.
    pub(crate) table: Option<Table>,
    /// Whether signers hash the file otherwise than firmware does ([`authenticode::is_padded`]).
    pub(crate) padded: bool,
}

/// Larger than any table of signatures, in bytes.
const TABLE_LIMIT: u64 = 16 << 20;

impl Vouching {
    /// What the file itself says, or, when it is not signed, what was promised of it.
    pub(super) fn of<S: Read + Seek>(
        image: &Image,
        source: &mut S,
        promised: Option<Authority>,
    ) -> Result<Vouching, ReadError> {
        let table = read_table(image, source)?.map(|bytes| table::walk(&bytes));
        match (table, promised) {
            (None, Some(authority)) => Ok(Vouching::Promised(authority)),
            (table, _) => Ok(Vouching::Stored(Presented {
                digests: read_digests(image, source, table.as_ref())?,
                padded: authenticode::is_padded(image),
                table,
            })),
        }
    }

    /// Whether the file will stay as it is, without a signature.
    pub(super) fn stays_unsigned(&self) -> bool {
        matches!(self, Vouching::Stored(presented) if presented.table.is_none())
    }
}

fn read_table<S: Read + Seek>(image: &Image, source: &mut S) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(range) = image.certificate_table() else {
        return Ok(None);
    };
    let size = range.end.saturating_sub(range.start);
    if size > TABLE_LIMIT {
        return Err(ReadError::CertificateTableTooLarge(size));
    }
    source.seek(SeekFrom::Start(range.start))?;
    let mut bytes = Vec::new();
    source.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == size {
        Ok(Some(bytes))
    } else {
        Err(ReadError::Truncated("the certificate table"))
    }
}

/// The digests that lists may name: of an image without signatures any, of a signed one those of its signatures, and
/// those that shim computes.
fn read_digests<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    table: Option<&Table>,
) -> Result<ImageDigests, ReadError> {
    let none = Database::default();
    let mut kinds: BTreeSet<DigestKind> = match table {
        None => DigestKind::ALL.into(),
        Some(table) => digests_needed(Some(table), &none, &none),
    };
    kinds.insert(DigestKind::Sha1);
    kinds
        .into_iter()
        .map(|kind| Ok((kind, digest(kind, image, source)?)))
        .collect()
}

fn digest<S: Read + Seek>(
    kind: DigestKind,
    image: &Image,
    source: &mut S,
) -> Result<Vec<u8>, ReadError> {
    Ok(match kind {
        DigestKind::Sha1 => authenticode::stored_digest::<Sha1, S>(image, source)?.to_vec(),
        DigestKind::Sha256 => authenticode::stored_digest::<Sha256, S>(image, source)?.to_vec(),
        DigestKind::Sha384 => authenticode::stored_digest::<Sha384, S>(image, source)?.to_vec(),
        DigestKind::Sha512 => authenticode::stored_digest::<Sha512, S>(image, source)?.to_vec(),
    })
}
