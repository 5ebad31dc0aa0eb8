//! Header fields and flags, in words.

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_pe::{HeaderFacts, Image};

/// Header fields of a PE image, named after "PE Format". Numbers as they stand in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The processor architecture.
    pub machine: String,
    /// `PE32` or `PE32+`.
    pub format: String,
    /// What kind of program it is.
    pub subsystem: String,
    /// `Characteristics` of the file.
    pub characteristics: u16,
    /// `DllCharacteristics`.
    pub dll_characteristics: u16,
    /// Whether it says that it runs with non-executable data (`NX_COMPAT`, 0x100 of `dllCharacteristics`).
    pub nx_compat: bool,
    /// `TimeDateStamp`.
    pub time_date_stamp: u32,
    /// `AddressOfEntryPoint`.
    pub entry_point: u64,
    /// `ImageBase`.
    pub image_base: u64,
    /// `MajorImageVersion.MinorImageVersion`.
    pub image_version: String,
    /// `SectionAlignment`.
    pub section_alignment: u32,
    /// `FileAlignment`.
    pub file_alignment: u32,
    /// `SizeOfImage`.
    pub size_of_image: u32,
    /// `SizeOfHeaders`.
    pub size_of_headers: u32,
    /// `CheckSum`; firmware ignores it.
    pub check_sum: u32,
}

const NX_COMPAT: u16 = 0x100;

impl Header {
    pub(super) fn of(image: &Image, facts: &HeaderFacts) -> Header {
        let format = match facts.magic {
            0x10b => "PE32".to_owned(),
            0x20b => "PE32+".to_owned(),
            other => format!("{other:#06x}"),
        };
        let subsystem = match facts.subsystem {
            10 => "EFI application".to_owned(),
            11 => "EFI boot service driver".to_owned(),
            12 => "EFI run time driver".to_owned(),
            13 => "EFI ROM".to_owned(),
            other => format!("subsystem {other}"),
        };
        Header {
            machine: image.machine().to_string(),
            format,
            subsystem,
            characteristics: facts.characteristics,
            dll_characteristics: facts.dll_characteristics,
            nx_compat: facts.dll_characteristics & NX_COMPAT != 0,
            time_date_stamp: facts.time_date_stamp,
            entry_point: facts.entry_point,
            image_base: facts.image_base,
            image_version: format!("{}.{}", facts.image_version.0, facts.image_version.1),
            section_alignment: facts.section_alignment,
            file_alignment: facts.file_alignment,
            size_of_image: facts.size_of_image,
            size_of_headers: facts.size_of_headers,
            check_sum: facts.check_sum,
        }
    }
}

/// Section flags of "PE Format" and how they are called here.
const FLAGS: [(u32, &str); 10] = [
    (0x0000_0020, "code"),
    (0x0000_0040, "data"),
    (0x0000_0080, "zeros"),
    (0x0200_0000, "discardable"),
    (0x0400_0000, "not-cached"),
    (0x0800_0000, "not-paged"),
    (0x1000_0000, "shared"),
    (0x4000_0000, "read"),
    (0x8000_0000, "write"),
    (0x2000_0000, "execute"),
];

/// A section's `Characteristics` in words: what it holds, then what may be done with it.
pub fn section_flags(characteristics: u32) -> Vec<String> {
    FLAGS
        .iter()
        .filter(|(bit, _)| characteristics & bit != 0)
        .map(|(_, word)| (*word).to_owned())
        .collect()
}
