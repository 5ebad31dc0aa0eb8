//! The Authenticode digest of an image.
//!
//! Source: "Windows Authenticode Portable Executable Signature Format", "Calculating the PE Image
//! Hash"; UEFI specification 2.11 section 32.2.4. Hashed are: the headers without `CheckSum` and
//! without the certificate table's data directory entry, the sections by their place in the file,
//! what follows them without the certificate table, and zeros up to a multiple of 8 bytes.
//!
//! Beside the peers: signing tools write the zeros when they sign. Firmware (EDK II) hashes the
//! file as it is, so that it measures an unsigned image of another length without them:
//! [`is_padded`] says whether that is so. pesign pads what follows the sections, not the file.

use std::io::{Read, Seek};
use std::ops::Range;

use digest::{Digest, Output};
use sha2::Sha256;

use crate::header::CHECKSUM;
use crate::io::{stream, zeros};
use crate::{Image, ReadError, rules};

/// The digest of `image`, whose bytes are `source`.
///
/// Refuses images whose headers and sections do not follow one another without gap or overlap, or
/// whose certificate table is not an 8-aligned block at the end: the specification counts bytes
/// where signing tools look at offsets, and they differ then.
pub fn digest<D: Digest, S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Output<D>, ReadError> {
    let end = hashed_end(image)?;
    let mut hasher = hashed::<D, S>(image, source, end)?;
    zeros(padding(end), |bytes| hasher.update(bytes));
    Ok(hasher.finalize())
}

/// The digest of `image` that firmware computes, as EDK II does: headers, sections by their place in
/// the file, and then as many bytes as the file has beyond all of them and the certificate table,
/// counted from where headers and sections would end if nothing lay between them. No zeros follow.
///
/// It is [`digest()`] of every image that this takes, except where [`is_padded`] says so. An image
/// with gaps or with bytes behind its certificate table has only this one.
///
/// # Errors
/// When sections and certificate table together are larger than the file.
pub fn stored_digest<D: Digest, S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Output<D>, ReadError> {
    let headers = u64::from(image.fields.size_of_headers);
    let sections = image.stored_sections();
    let sizes = sections.iter().map(|section| u64::from(section.raw_size));
    let counted = headers + sizes.sum::<u64>();
    if counted > image.len() {
        // They overlap, perhaps so often that hashing them all would not end.
        rules::contiguous(sections.iter().copied(), headers)?;
    }
    let mut hasher = hashed_headers::<D, S>(image, source)?;
    for section in sections {
        let (start, size) = (section.raw_range().start, u64::from(section.raw_size));
        stream(source, start, size, "a section", |bytes| {
            hasher.update(bytes);
        })?;
    }
    let table = image
        .certificate_table()
        .map_or(0, |table| table.end - table.start);
    if image.len() > counted {
        let rest = image.len().checked_sub(counted + table);
        let rest = rest.ok_or(ReadError::CertificateTableInSection)?;
        stream(source, counted, rest, "the image", |bytes| {
            hasher.update(bytes);
        })?;
    }
    Ok(hasher.finalize())
}

/// Everything up to `end` that is hashed.
fn hashed<D: Digest, S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
    end: u64,
) -> Result<D, ReadError> {
    let mut hasher = hashed_headers::<D, S>(image, source)?;
    let start = u64::from(image.fields.size_of_headers);
    stream(source, start, end - start, "the image", |bytes| {
        hasher.update(bytes)
    })?;
    Ok(hasher)
}

fn hashed_headers<D: Digest, S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<D, ReadError> {
    let mut hasher = D::new();
    for range in header_ranges(image) {
        stream(
            source,
            range.start,
            range.end - range.start,
            "the headers",
            |bytes| hasher.update(bytes),
        )?;
    }
    Ok(hasher)
}

/// The SHA-256 that db entries, signatures and PCR 4 use.
pub fn sha256<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<[u8; 32], ReadError> {
    Ok(digest::<Sha256, S>(image, source)?.into())
}

/// Sees that `image` has a digest, by its headers alone: what [`digest()`] refuses before it reads any content.
///
/// # Errors
/// As of [`digest()`].
pub fn check(image: &Image) -> Result<(), ReadError> {
    hashed_end(image).map(drop)
}

/// Whether the digest of `image` counts zeros that its file does not have: it is unsigned, and its
/// length is no multiple of 8. Firmware that starts such an image measures another digest.
pub fn is_padded(image: &Image) -> bool {
    image.certificate_table().is_none() && padding(image.len()) > 0
}

/// Zeros that are hashed behind `len` bytes (and that a signer writes there).
pub(crate) fn padding(len: u64) -> u64 {
    len.next_multiple_of(8) - len
}

/// What is hashed of the headers, `SizeOfHeaders` bytes.
pub(crate) fn header_ranges(image: &Image) -> Vec<Range<u64>> {
    let checksum = image.fields.optional_offset + CHECKSUM;
    let end = u64::from(image.fields.size_of_headers);
    match image.fields.certificate_entry {
        Some(entry) => vec![0..checksum, checksum + 4..entry, entry + 8..end],
        None => vec![0..checksum, checksum + 4..end],
    }
}

/// Where hashing ends: at the certificate table, or at the end of the file.
fn hashed_end(image: &Image) -> Result<u64, ReadError> {
    let headers = u64::from(image.fields.size_of_headers);
    let sections_end = rules::contiguous(image.stored_sections(), headers)?;
    let Some(table) = image.certificate_table() else {
        return Ok(image.len());
    };
    rules::certificate_table(&table, headers, sections_end, image.len())?;
    Ok(table.start)
}
