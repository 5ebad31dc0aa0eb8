//! Why an image cannot be written.

use std::io;

use super::ReadError;
use crate::SectionName;

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
    /// What is to be appended is not one DER SEQUENCE: it could not be told from its padding.
    #[error("the signature is no PKCS#7 in DER: give the bytes that a signer made")]
    NotASignature,
    /// There is no signature at the place that was named.
    #[error("the image has {there} signatures")]
    NoSuchSignature {
        /// How many there are.
        there: usize,
    },
    /// The written image would be larger than a PE image can be.
    #[error("the image would have {0} bytes, a PE image at most 4 GiB")]
    TooLarge(u64),
}
