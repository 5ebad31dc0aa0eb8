//! What can go wrong while reading an image and while writing one.

use std::io;

use crate::SectionName;

/// Why an image cannot be read. The file's name is added by the caller.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source itself failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// No `MZ` at the start, or no `PE\0\0` where the DOS header points.
    #[error("not a PE image ({0}): give an EFI program, such as a kernel, stub or boot loader")]
    NotPe(&'static str),
    /// The file ends before the structure that its headers promise.
    #[error("the PE image is cut off: {0} lies outside of the file; fetch the file again")]
    Truncated(&'static str),
    /// A header holds a value that no UEFI image has.
    #[error("the PE image is malformed: {0}")]
    Malformed(String),
    /// A PE image cannot address more than 4 GiB.
    #[error("the file has {0} bytes, a PE image at most 4 GiB")]
    TooLarge(u64),
    /// A section's bytes lie outside of the file.
    #[error(
        "the section {name} ends at byte {end}, the file at byte {len}: the file is cut off or \
         damaged"
    )]
    SectionOutside {
        /// The section.
        name: SectionName,
        /// Its end, in bytes from the start of the file.
        end: u64,
        /// The file's length.
        len: u64,
    },
    /// A section is larger than the caller wants to hold in memory.
    #[error("the section {name} has {size} bytes, more than the {limit} expected at most")]
    SectionTooLarge {
        /// The section.
        name: SectionName,
        /// Its `VirtualSize` in bytes.
        size: u64,
        /// What the caller allows.
        limit: u64,
    },
    /// Bytes that belong to no section, or to two: firmware and signing tools disagree about their
    /// Authenticode digest, so that none is computed.
    #[error(
        "sections and headers do not follow one another without gap or overlap (at {at}, byte \
         {offset}): \
         firmware and signing tools disagree about the Authenticode digest of such an image"
    )]
    NotContiguous {
        /// The section that starts too early or too late.
        at: SectionName,
        /// Where it starts.
        offset: u64,
    },
    /// The certificate table is not the last thing in the file.
    #[error(
        "the certificate table is not an 8-aligned block at the end of the file: sign the image \
         afresh"
    )]
    CertificateTablePlace,
    /// An entry of the certificate table is malformed.
    #[error("the certificate table is malformed: {0}")]
    CertificateTable(&'static str),
}

/// Why an image cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The target failed.
    #[error("writing failed: {0}")]
    Io(#[from] io::Error),
    /// The base image failed.
    #[error("the base image: {0}")]
    Base(#[source] ReadError),
    /// The content of a section failed while it was read.
    #[error("the content of section {section}: {source}")]
    Content {
        /// The section.
        section: SectionName,
        /// Why.
        source: io::Error,
    },
    /// A content had another length than it was said to have when the layout was planned.
    #[error(
        "the content of section {section} changed while it was read: {planned} bytes were \
         announced; try again"
    )]
    ContentChanged {
        /// The section.
        section: SectionName,
        /// Its planned length in bytes.
        planned: u64,
    },
    /// The base image is not the one for which the layout was planned.
    #[error("the base image changed between planning and writing; try again")]
    BaseChanged,
    /// The headers hold something where new section headers would go.
    #[error(
        "the base image uses the room behind its section table for something else: no section \
         can be added"
    )]
    HeaderRoomInUse,
    /// The image has no data directory entry for a certificate table.
    #[error("the image's headers have no entry for a certificate table: it cannot be signed")]
    NoCertificateEntry,
    /// The written image would be larger than a PE image can be.
    #[error("the image would have {0} bytes, a PE image at most 4 GiB")]
    TooLarge(u64),
}
