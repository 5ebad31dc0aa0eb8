//! What speaks for an image under Secure Boot: its signatures and its digests.

use std::collections::BTreeSet;
use std::io::{Read, Seek, SeekFrom};

use sha1::Sha1;
use sha2::{Sha256, Sha384, Sha512};
use touchstone_pe::{Image, ReadError, authenticode};
use touchstone_sign::firmware::table::{self, Table};
use touchstone_sign::firmware::{Database, DigestKind, ImageDigests, digests_needed};

use super::Authority;
use crate::bank::Bank;
use crate::hash::Digests;

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
    /// What the file itself says, or, when it is not signed, what was promised of it. `known` are its digests as signers
    /// compute them, where they are known: a UKI is large.
    pub(super) fn of<S: Read + Seek>(
        image: &Image,
        source: &mut S,
        promised: Option<Authority>,
        known: &Digests,
    ) -> Result<Vouching, ReadError> {
        let table = read_table(image, source)?.map(|bytes| table::walk(&bytes));
        match (table, promised) {
            (None, Some(authority)) => Ok(Vouching::Promised(authority)),
            (table, _) => Ok(Vouching::Stored(Presented {
                digests: read_digests(image, source, table.as_ref(), known)?,
                padded: authenticode::is_padded(image),
                table,
            })),
        }
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
/// the one that shim looks up.
fn read_digests<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    table: Option<&Table>,
    known: &Digests,
) -> Result<ImageDigests, ReadError> {
    let none = Database::default();
    let kinds: BTreeSet<DigestKind> = match table {
        None => DigestKind::ALL.into(),
        Some(table) => digests_needed(Some(table), &none, &none),
    };
    let known = |kind| match authenticode::is_padded(image) {
        true => None,
        false => known.get(bank(kind)),
    };
    kinds
        .into_iter()
        .map(|kind| match known(kind) {
            Some(digest) => Ok((kind, digest.as_bytes().to_vec())),
            None => Ok((kind, digest(kind, image, source)?)),
        })
        .collect()
}

fn bank(kind: DigestKind) -> Bank {
    match kind {
        DigestKind::Sha1 => Bank::Sha1,
        DigestKind::Sha256 => Bank::Sha256,
        DigestKind::Sha384 => Bank::Sha384,
        DigestKind::Sha512 => Bank::Sha512,
    }
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
