//! Text as the firmware sees it.

use crate::version::Release;

/// UTF-16LE with a terminating NUL: how command lines are measured.
pub(crate) fn with_nul(text: &str) -> Vec<u8> {
    let mut bytes = without_nul(text);
    bytes.extend([0, 0]);
    bytes
}

/// UTF-16LE without a NUL: how variables' names are measured.
pub(crate) fn without_nul(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Text of UTF-16LE without a NUL; none when it is not that.
pub(crate) fn read(bytes: &[u8]) -> Option<String> {
    let units = bytes.chunks_exact(2);
    if !units.remainder().is_empty() {
        return None;
    }
    let units: Vec<u16> = units
        .filter_map(|unit| Some(u16::from_le_bytes(unit.try_into().ok()?)))
        .collect();
    String::from_utf16(&units).ok()
}

/// Why a section `.cmdline` is no command line that stub and kernel agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandLineError {
    /// The bytes are no UTF-8.
    #[error("it is no valid UTF-8; write it in UTF-8")]
    NotUtf8,
    /// A NUL stands inside.
    #[error("it holds a NUL byte, where the stub would end it; remove it")]
    Nul,
    /// A character does not fit into one UTF-16 unit: the stub drops it.
    #[error("the character {0:?} is dropped by the stub; remove it")]
    Dropped(char),
}

/// The command line that a stub of this release makes from its section `.cmdline`.
///
/// 252 turns control characters into spaces and drops spaces at the end; later ones also count DEL as white space and
/// drop white space at the front.
pub(crate) fn command_line(release: Release, section: &[u8]) -> Result<String, CommandLineError> {
    let text = std::str::from_utf8(section).map_err(|_| CommandLineError::NotUtf8)?;
    if text.contains('\0') {
        return Err(CommandLineError::Nul);
    }
    if let Some(dropped) = text.chars().find(|c| c.len_utf16() != 1) {
        return Err(CommandLineError::Dropped(dropped));
    }
    let blank = |c: char| c <= ' ' || (release > Release::V252 && c == '\u{7f}');
    let spaced: String = text
        .chars()
        .map(|c| if blank(c) { ' ' } else { c })
        .collect();
    let trimmed = spaced.trim_end_matches(' ');
    Ok(if release > Release::V252 {
        trimmed.trim_start_matches(' ')
    } else {
        trimmed
    }
    .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_a_command_line_as_each_stub_does() {
        let section = b"\tquiet\nro\x7f \n";
        assert_eq!(
            command_line(Release::V252, section).unwrap(),
            " quiet ro\x7f"
        );
        assert_eq!(command_line(Release::V257, section).unwrap(), "quiet ro");
        assert_eq!(command_line(Release::V262, b" a  b ").unwrap(), "a  b");
    }

    #[test]
    fn refuses_what_the_stub_would_change_silently() {
        assert_eq!(
            command_line(Release::V257, b"a\0b"),
            Err(CommandLineError::Nul)
        );
        assert_eq!(
            command_line(Release::V257, b"\xff"),
            Err(CommandLineError::NotUtf8)
        );
        assert_eq!(
            command_line(Release::V257, "a😀".as_bytes()),
            Err(CommandLineError::Dropped('😀'))
        );
    }

    #[test]
    fn encodes_little_endian() {
        assert_eq!(with_nul("ä"), [0xe4, 0, 0, 0]);
        assert_eq!(without_nul("db"), *b"d\0b\0");
        assert_eq!(read(b"d\0b\0").as_deref(), Some("db"));
        assert_eq!((read(b"d"), read(&[0, 0xd8])), (None, None));
    }
}
