//! Header fields for people who inspect an image: what is neither needed for reading nor for writing one.

use std::io::{Read, Seek};

use goblin::pe::optional_header::OptionalHeader;
use scroll::{LE, Pread};

use crate::io::read_at;
use crate::{Image, ReadError};

/// Header fields, named as in "PE Format"; sizes and addresses in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderFacts {
    /// `TimeDateStamp`: seconds since 1970, or whatever a reproducible build put there.
    pub time_date_stamp: u32,
    /// `Characteristics` of the file, such as 0x0002 (executable).
    pub characteristics: u16,
    /// `Magic`: 0x10b (PE32) or 0x20b (PE32+).
    pub magic: u16,
    /// `AddressOfEntryPoint`, relative to where the image is loaded.
    pub entry_point: u64,
    /// `ImageBase`: where the image would like to be loaded.
    pub image_base: u64,
    /// `SectionAlignment`
    pub section_alignment: u32,
    /// `FileAlignment`
    pub file_alignment: u32,
    /// `MajorImageVersion`, `MinorImageVersion`
    pub image_version: (u16, u16),
    /// `SizeOfImage`: what the image occupies in memory.
    pub size_of_image: u32,
    /// `SizeOfHeaders`
    pub size_of_headers: u32,
    /// `CheckSum`; firmware ignores it.
    pub check_sum: u32,
    /// `Subsystem`: 10 is an EFI application, 11 a boot service driver, 12 a run time driver.
    pub subsystem: u16,
    /// `DllCharacteristics`; 0x100 is `NX_COMPAT`.
    pub dll_characteristics: u16,
}

impl Image {
    /// Reads more header fields from `source`, which is the one that the image was read from.
    pub fn header_facts<S: Read + Seek + ?Sized>(
        &self,
        source: &mut S,
    ) -> Result<HeaderFacts, ReadError> {
        let malformed = |_: goblin::error::Error| ReadError::Truncated("the optional header");
        let short = |_: scroll::Error| ReadError::Truncated("the COFF header");
        let start = self.fields.coff_offset;
        let size = usize::try_from(self.fields.section_table - start).unwrap_or(0);
        let bytes = read_at(source, start, size, "the headers")?;
        let optional = usize::try_from(self.fields.optional_offset - start).unwrap_or(0);
        let optional = bytes.get(optional..).unwrap_or_default();
        let optional: OptionalHeader = optional.pread_with(0, LE).map_err(malformed)?;
        let (standard, windows) = (optional.standard_fields, optional.windows_fields);
        Ok(HeaderFacts {
            time_date_stamp: bytes.pread_with(4, LE).map_err(short)?,
            characteristics: bytes.pread_with(18, LE).map_err(short)?,
            magic: standard.magic,
            entry_point: u64::from(standard.address_of_entry_point),
            image_base: windows.image_base,
            section_alignment: windows.section_alignment,
            file_alignment: windows.file_alignment,
            image_version: (windows.major_image_version, windows.minor_image_version),
            size_of_image: windows.size_of_image,
            size_of_headers: windows.size_of_headers,
            check_sum: windows.check_sum,
            subsystem: windows.subsystem,
            dll_characteristics: windows.dll_characteristics,
        })
    }
}
