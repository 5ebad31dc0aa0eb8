//! What a unified kernel image says that it is.

use std::io::{Read, Seek};

use touchstone_esp::OsRelease;
use touchstone_pe::Image;

/// `.osrel` has some hundred bytes; this is more than any has.
const LIMIT: u64 = 1 << 20;

/// What systemd-boot makes of the `.osrel` of an image, or why it does not list it. The text ends at the first NUL, and what is no UTF-8 in it
/// hides nothing else.
pub(crate) fn of_image(file: &mut (impl Read + Seek)) -> Result<OsRelease, String> {
    let image = Image::read(file).map_err(|error| error.to_string())?;
    let section = image.section(".osrel").ok_or("it has no section .osrel")?;
    let bytes = image.section_bytes(file, section, LIMIT);
    let bytes = bytes.map_err(|error| error.to_string())?;
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let text = String::from_utf8_lossy(text);
    OsRelease::read(&text).ok_or_else(|| "its os-release has no name".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

    use std::io::Cursor;

    use super::*;

    /// systemd-boot, whose `.osrel` names it `systemd-boot`, with another text in that place.
    fn saying(text: &[u8]) -> Result<OsRelease, String> {
        let mut file = std::fs::read(&touchstone_harness::inputs().boot["sid"]["x64"]).unwrap();
        let image = Image::read(&mut Cursor::new(&file)).unwrap();
        let section = image.section(".osrel").unwrap();
        let (at, size) = (section.raw_offset as usize, section.virtual_size as usize);
        assert!(text.len() <= size);
        file[at..at + size].fill(0);
        file[at..at + text.len()].copy_from_slice(text);
        of_image(&mut Cursor::new(file))
    }

    #[test]
    fn the_text_ends_at_the_first_nul_and_bytes_that_are_no_text_hide_no_name() {
        assert_eq!(saying(b"ID=a\nNAME=A\n").unwrap().title, "A");
        assert_eq!(saying(b"ID=a\n\0NAME=B\n").unwrap().title, "a");
        let release = saying(b"LOGO=\xff\nID=a\nNAME=A\n").unwrap();
        assert_eq!(release.sort_key.as_deref(), Some("a"));
        assert!(saying(b"LOGO=x\n").unwrap_err().contains("no name"));
    }
}
