//! `.efifw`: firmware that a stub installs for the machine that it recognises. Since ukify 258.
//!
//! Source: the sections that ukify 262 writes. Four little-endian numbers of four bytes (the magic number 0xfeeddead, their own
//! length 16, the length of the ID with its NUL, the length of the image), then the ID with its NUL, then the image.

use super::UkiError;
use crate::layout::Content;

const MAGIC: u32 = 0xfeed_dead;
const HEADER: u32 = 16;

/// A firmware image, one `.efifw` section.
#[derive(Debug)]
pub struct Firmware<'a> {
    /// By which `.hwids` refers to it; ukify takes the name of the folder in which the image lies.
    pub id: String,
    /// The image.
    pub image: Content<'a>,
}

impl<'a> Firmware<'a> {
    pub(super) fn section(self) -> Result<Content<'a>, UkiError> {
        if self.id.is_empty() || self.id.contains('\0') {
            return Err(UkiError::FirmwareId(self.id));
        }
        if self.image.is_empty() {
            return Err(UkiError::NoFirmware(self.id));
        }
        let lengths = u32::try_from(self.id.len() + 1)
            .and_then(|id| u32::try_from(self.image.len()).map(|image| (id, image)));
        let Ok((id, image)) = lengths else {
            return Err(UkiError::TooLarge(".efifw".parse()?));
        };
        let mut header: Vec<u8> = [MAGIC, HEADER, id, image]
            .iter()
            .flat_map(|number| number.to_le_bytes())
            .collect();
        header.extend(self.id.as_bytes());
        header.push(0);
        Ok(Content::joined(vec![Content::bytes(header), self.image], 1))
    }
}
