//! The certificate table: signatures at the end of an image.
//!
//! Source: "PE Format", "The Attribute Certificate Table". An entry is a `WIN_CERTIFICATE`: length
//! (4 bytes, the header's 8 included), revision 0x0200, type 2 (PKCS#7 SignedData), data; entries
//! are 8-aligned.

mod remove;

use std::io::{Read, Seek, SeekFrom, Write};

use goblin::pe::certificate_table::{AttributeCertificateRevision, AttributeCertificateType};
use scroll::{LE, Pread};

use crate::authenticode::padding;
use crate::io::read_at;
use crate::{Image, ReadError, WriteError, checksum, rules};

pub use remove::{Removal, remove};

const HEADER: usize = 8;
/// Larger than any table seen: signatures have some kilobytes.
const MAX_TABLE: u64 = 16 * 1024 * 1024;

/// The PKCS#7 signatures of an image, in their order: DER, without padding. Entries of other types
/// (firmware ignores them) are left out. Empty if the image is not signed.
pub fn read<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Vec<Vec<u8>>, ReadError> {
    let table = read_table(image, source)?;
    let signatures = entries(&table)?
        .into_iter()
        .filter_map(|entry| entry.signature);
    Ok(signatures.map(<[u8]>::to_vec).collect())
}

/// The certificate table as it stands in the file; empty if there is none.
fn read_table<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Vec<u8>, ReadError> {
    let Some(range) = image.certificate_table() else {
        return Ok(Vec::new());
    };
    let size = range.end - range.start;
    if size > MAX_TABLE {
        return Err(ReadError::CertificateTableTooLarge(size));
    }
    read_at(
        source,
        range.start,
        usize::try_from(size).unwrap_or(0),
        "the certificate table",
    )
}

/// An entry of the table.
struct Entry<'a> {
    /// All of it, without its padding.
    bytes: &'a [u8],
    /// The signature, if it is one.
    signature: Option<&'a [u8]>,
}

fn entries(table: &[u8]) -> Result<Vec<Entry<'_>>, ReadError> {
    let mut entries = Vec::new();
    let mut rest = table;
    while !rest.is_empty() {
        let (entry, next) = first_entry(rest)?;
        entries.push(entry);
        rest = next;
    }
    Ok(entries)
}

/// The first entry, and what follows it.
fn first_entry(table: &[u8]) -> Result<(Entry<'_>, &[u8]), ReadError> {
    let cut = |_| ReadError::CertificateHeaderCut;
    let len = table.pread_with::<u32>(0, LE).map_err(cut)?;
    let revision = table.pread_with::<u16>(4, LE).map_err(cut)?;
    let kind = table.pread_with::<u16>(6, LE).map_err(cut)?;
    let size = len as usize;
    if size < HEADER {
        return Err(ReadError::CertificateTooShort(len));
    }
    let behind = size.saturating_sub(table.len()) as u64;
    let (bytes, rest) = table
        .split_at_checked(size)
        .ok_or(ReadError::CertificateOutside(behind))?;
    // The last entry may lack its padding.
    let padding = size.next_multiple_of(8) - size;
    let next = rest.get(padding..).unwrap_or_default();
    let is_signature = revision == AttributeCertificateRevision::Revision2_0 as u16
        && kind == AttributeCertificateType::PkcsSignedData as u16;
    let signature = bytes
        .get(HEADER..)
        .filter(|_| is_signature)
        .map(without_padding);
    Ok((Entry { bytes, signature }, next))
}

/// Some signers count the padding as data: cuts `data` to the DER value at its start, if what
/// follows is nothing but padding.
fn without_padding(data: &[u8]) -> &[u8] {
    let Some(len) = der_length(data) else {
        return data;
    };
    match data.split_at_checked(len) {
        Some((der, rest)) if rest.len() < 8 && rest.iter().all(|byte| *byte == 0) => der,
        _ => data,
    }
}

/// The length of the DER SEQUENCE at the start of `data`, header included.
fn der_length(data: &[u8]) -> Option<usize> {
    match data {
        [0x30, short @ 0..=0x7f, ..] => Some(2 + usize::from(*short)),
        [0x30, 0x81, one, ..] => Some(3 + usize::from(*one)),
        [0x30, 0x82, a, b, ..] => Some(4 + usize::from(u16::from_be_bytes([*a, *b]))),
        [0x30, 0x83, a, b, c, ..] => usize::try_from(u32::from_be_bytes([0, *a, *b, *c]))
            .ok()?
            .checked_add(5),
        _ => None,
    }
}

/// Appends a signature behind the ones that `file` has; returns the image as it is then.
///
/// Pads the image to 8 bytes, appends the entry, then patches the data directory entry and clears
/// `CheckSum` (neither is hashed; UEFI ignores the latter). Everything is checked before a byte is
/// written.
pub fn append<F: Read + Write + Seek + ?Sized>(
    file: &mut F,
    image: &Image,
    pkcs7_der: &[u8],
) -> Result<Image, WriteError> {
    append_entry(file, image, pkcs7_der)?;
    Image::read(file).map_err(WriteError::Base)
}

/// As [`append`], and then computes `CheckSum`, reading the file once more.
pub fn append_with_checksum<F: Read + Write + Seek + ?Sized>(
    file: &mut F,
    image: &Image,
    pkcs7_der: &[u8],
) -> Result<Image, WriteError> {
    append_entry(file, image, pkcs7_der)?;
    let image = Image::read(file).map_err(WriteError::Base)?;
    checksum::write(&image, file)
}

fn append_entry<F: Read + Write + Seek + ?Sized>(
    file: &mut F,
    image: &Image,
    pkcs7_der: &[u8],
) -> Result<(), WriteError> {
    let directory = image
        .fields
        .certificate_entry
        .ok_or(WriteError::NoCertificateEntry)?;
    let signature = without_padding(pkcs7_der);
    if der_length(signature) != Some(signature.len()) {
        return Err(WriteError::NotASignature);
    }
    if let Some(table) = image.certificate_table() {
        rules::certificate_table_last(&table, image.len()).map_err(WriteError::Base)?;
        // A malformed entry could take the new one for its own data.
        read(image, file).map_err(WriteError::Base)?;
    }
    let entry_start = image.len() + padding(image.len());
    let start = image
        .certificate_table()
        .map_or(entry_start, |table| table.start);
    let len = (HEADER + pkcs7_der.len()) as u64;
    let end = entry_start + len + padding(len);
    let too_large = |_| WriteError::TooLarge(end);
    u32::try_from(end).map_err(too_large)?;
    let start_field = u32::try_from(start).map_err(too_large)?;
    let size_field = u32::try_from(end - start).map_err(too_large)?;

    let mut block = vec![0; usize::try_from(padding(image.len())).unwrap_or(0)];
    block.extend(u32::try_from(len).map_err(too_large)?.to_le_bytes());
    block.extend((AttributeCertificateRevision::Revision2_0 as u16).to_le_bytes());
    block.extend((AttributeCertificateType::PkcsSignedData as u16).to_le_bytes());
    block.extend(pkcs7_der);
    block.resize(usize::try_from(end - image.len()).map_err(too_large)?, 0);

    file.seek(SeekFrom::Start(image.len()))?;
    file.write_all(&block)?;
    file.seek(SeekFrom::Start(directory))?;
    file.write_all(&start_field.to_le_bytes())?;
    file.write_all(&size_field.to_le_bytes())?;
    file.seek(SeekFrom::Start(checksum::place(image)))?;
    file.write_all(&[0; 4])?;
    file.flush()?;
    Ok(())
}
