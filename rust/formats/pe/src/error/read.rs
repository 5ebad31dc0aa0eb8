//! Why an image cannot be read, hashed or used as a base: one variant for each rule of the format.

use std::io;

use crate::SectionName;

/// What keeps a file from being a PE image at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotPe {
    /// Fewer than 64 bytes.
    #[error("the file is shorter than a DOS header")]
    TooShort,
    /// Something else than `MZ` at the start.
    #[error("it does not begin with \"MZ\"")]
    NoDosHeader,
    /// `e_lfanew` of the DOS header lies outside of the file.
    #[error("its DOS header points outside of the file")]
    PointerOutside,
    /// No `PE\0\0` where `e_lfanew` points.
    #[error("no \"PE\" signature where its DOS header points")]
    NoSignature,
}

/// Why an image cannot be read. The file's name is added by the caller.
///
/// The first group is found by [`crate::Image::read`]; the others where a rule matters: while
/// hashing ([`crate::authenticode`]), while reading signatures ([`crate::certificates`]), while
/// looking up a long name ([`crate::Image::full_name`]), and before writing
/// ([`crate::layout::PlanError::Base`]). Offsets are in bytes from the start of the file, addresses
/// from where the image is loaded.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The source itself failed.
    #[error("reading failed: {0}")]
    Io(#[from] io::Error),
    /// The file ended before its own length: it shrinks while it is read.
    #[error("the file ended within {0}: it changed while it was read; try again")]
    Truncated(&'static str),

    // Headers and section table.
    /// No PE image at all.
    #[error("not a PE image ({0}): give an EFI program, such as a kernel, stub or boot loader")]
    NotPe(NotPe),
    /// A PE image cannot address more than 4 GiB.
    #[error("the file has {0} bytes, a PE image at most 4 GiB")]
    TooLarge(u64),
    /// The file ends within the COFF header.
    #[error("the PE image is cut off within its COFF header: fetch the file again")]
    CoffHeaderOutside,
    /// The file ends within the optional header.
    #[error("the PE image is cut off within its optional header: fetch the file again")]
    OptionalHeaderOutside,
    /// `SizeOfOptionalHeader` has no room for the fields of an image: an object file, mostly.
    #[error("its optional header has {0} bytes, too few for an image: link the object file first")]
    OptionalHeaderTooSmall(usize),
    /// `Magic` is neither PE32 nor PE32+.
    #[error("its optional header is of the unknown kind {0:#06x}, neither PE32 nor PE32+")]
    OptionalHeaderKind(u16),
    /// `NumberOfRvaAndSizes` is more than 16.
    #[error("it announces {0} data directories, an image has at most 16")]
    TooManyDirectories(u32),
    /// The data directories do not fit into `SizeOfOptionalHeader`.
    #[error("its {0} data directories reach beyond its optional header")]
    DirectoriesOutside(u32),
    /// The file ends within the section table.
    #[error("the file ends within its table of {0} sections: fetch the file again")]
    SectionTableOutside(u16),
    /// `SizeOfHeaders` ends before the section table does.
    #[error("SizeOfHeaders is {size}, but its headers end at byte {end}")]
    HeadersTooSmall {
        /// `SizeOfHeaders`.
        size: u32,
        /// Where the section table ends.
        end: u64,
    },
    /// `SizeOfHeaders` is larger than the file.
    #[error("the file ends within its {0} bytes of headers: fetch the file again")]
    HeadersOutside(u32),
    /// The name of a section is no UTF-8.
    #[error("the name of section {0} (from 0) is no text")]
    SectionNameNotText(usize),
    /// A section's bytes lie outside of the file.
    #[error(
        "the section {name} ends at byte {end}, the file at byte {len}: the file is cut off or \
         damaged"
    )]
    SectionOutside {
        /// The section.
        name: SectionName,
        /// Its end.
        end: u64,
        /// The file's length.
        len: u64,
    },
    /// A section ends, in memory, beyond 4 GiB.
    #[error("the section {0} ends beyond 4 GiB in memory, where no image reaches")]
    SectionBeyondMemory(SectionName),
    /// The certificate table lies outside of the file.
    #[error(
        "the certificate table ends at byte {end}, the file at byte {len}: the file is cut off"
    )]
    CertificateTableOutside {
        /// The table's end.
        end: u64,
        /// The file's length.
        len: u64,
    },

    // Sections as a caller asks for them.
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
    /// All sections together are larger than an address space.
    #[error("its sections have together {0} bytes in memory, more than 4 GiB")]
    SectionsTooLarge(u64),
    /// A long name (`/123`) that is no number.
    #[error("the section name {0} refers to a string table, but not by a number")]
    LongNameNumber(SectionName),
    /// A long name in an image without symbol and string table.
    #[error("the section name {0} refers to a string table, which the image does not have")]
    LongNameWithoutTable(SectionName),
    /// A long name outside of the string table.
    #[error("the section name {0} refers to a place outside of the string table")]
    LongNameOutside(SectionName),
    /// A long name that is no UTF-8 of 1 to 255 bytes ended by a NUL.
    #[error("the section name {0} refers to bytes that are no text, or too many")]
    LongNameNotText(SectionName),

    // What the Authenticode digest relies on. Firmware and signing tools disagree about the digest
    // of an image that breaks one of these.
    /// A section begins within the headers, in the file.
    #[error(
        "the section {name} begins at byte {offset}, within the headers: signing tools and \
         firmware disagree about the digest of such an image"
    )]
    SectionInHeaders {
        /// The section.
        name: SectionName,
        /// Where it begins.
        offset: u64,
    },
    /// Bytes before a section belong to none.
    #[error(
        "the section {name} begins at byte {offset}, {expected} was due: signing tools and \
         firmware disagree about the digest of an image with gaps"
    )]
    SectionGap {
        /// The section behind the gap.
        name: SectionName,
        /// Where it begins.
        offset: u64,
        /// Where what stands before it ends.
        expected: u64,
    },
    /// Bytes belong to two sections.
    #[error(
        "the section {name} begins at byte {offset}, but the one before it ends at {expected}: \
         signing tools and firmware disagree about the digest of an image with overlaps"
    )]
    SectionOverlap {
        /// The second section.
        name: SectionName,
        /// Where it begins.
        offset: u64,
        /// Where the one before it ends.
        expected: u64,
    },
    /// The certificate table begins within the headers.
    #[error("the certificate table begins within the headers: sign the image afresh")]
    CertificateTableInHeaders,
    /// The certificate table begins before the last section ends.
    #[error("the certificate table begins within a section: sign the image afresh")]
    CertificateTableInSection,
    /// The certificate table begins at no multiple of 8.
    #[error("the certificate table begins at byte {0}, no multiple of 8: sign the image afresh")]
    CertificateTableUnaligned(u64),
    /// Bytes behind the certificate table.
    #[error("{0} bytes stand behind the certificate table: sign the image afresh")]
    CertificateTableNotLast(u64),

    // Entries of the certificate table.
    /// Larger than any table of signatures.
    #[error("the certificate table has {0} bytes, more than the 16 MiB expected at most")]
    CertificateTableTooLarge(u64),
    /// The table ends within the header of an entry.
    #[error("the certificate table ends within the header of an entry: sign the image afresh")]
    CertificateHeaderCut,
    /// An entry's `dwLength` does not even count its header.
    #[error("an entry of the certificate table has a length of {0}: sign the image afresh")]
    CertificateTooShort(u32),
    /// An entry ends behind the table.
    #[error("an entry of the certificate table ends {0} bytes behind it: sign the image afresh")]
    CertificateOutside(u64),

    // What a writer relies on.
    /// The PE header lies within the DOS header: changing one would change the other.
    #[error("its PE header begins at byte {0}, within the DOS header")]
    PeHeaderInDosHeader(u64),
    /// `FileAlignment` is no power of two.
    #[error("its FileAlignment is {0:#x}, no power of two")]
    FileAlignment(u32),
    /// `SectionAlignment` is no power of two.
    #[error("its SectionAlignment is {0:#x}, no power of two")]
    SectionAlignment(u32),
    /// `SectionAlignment` is smaller than `FileAlignment`.
    #[error("its SectionAlignment {section:#x} is smaller than its FileAlignment {file:#x}")]
    AlignmentOrder {
        /// `SectionAlignment`
        section: u32,
        /// `FileAlignment`
        file: u32,
    },
    /// The file ends before `SizeOfHeaders`, rounded up to `FileAlignment`.
    #[error("the file ends before its headers do, rounded up to FileAlignment at byte {0}")]
    HeaderPaddingOutside(u64),
    /// A section begins, in the file, at no multiple of `FileAlignment`: some readers round it.
    #[error("the section {name} begins at byte {offset}, no multiple of FileAlignment")]
    SectionUnaligned {
        /// The section.
        name: SectionName,
        /// Where it begins.
        offset: u64,
    },
    /// A section begins, in memory, within the headers.
    #[error("the section {0} begins, in memory, within the headers")]
    SectionOnHeaders(SectionName),
    /// A section begins, in memory, before the one that the table lists before it.
    #[error("the section {0} stands, in memory, before the one that the table lists before it")]
    SectionsUnordered(SectionName),
    /// A section begins, in memory, before the one before it ends.
    #[error("the section {0} begins, in memory, within the one before it")]
    SectionsOverlapInMemory(SectionName),
    /// A section has relocations of its own, which only object files have.
    #[error("the section {0} has relocations or line numbers of an object file: strip the image")]
    ObjectFileData(SectionName),
    /// The symbol table begins within headers or sections.
    #[error("its symbol table begins within a section: strip it")]
    SymbolTableInSection,
    /// The symbol or string table ends outside of the file.
    #[error("its symbol table ends outside of the file: strip it")]
    SymbolTableOutside,
    /// Something stands behind the symbol and string tables.
    #[error("{0} bytes stand behind its symbol table: strip it")]
    SymbolTableNotLast(u64),
}
