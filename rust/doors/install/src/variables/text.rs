//! Text of UTF-16, little-endian, with a NUL at its end.

/// The text; none when the bytes are no such text. What stands behind the first NUL is passed over, as the firmware does; one that misses
/// at the end is not asked for.
pub(super) fn read(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units: Vec<u16> = units
        .iter()
        .map(|unit| u16::from_le_bytes(*unit))
        .take_while(|unit| *unit != 0)
        .collect();
    String::from_utf16(&units).ok()
}

/// The bytes of a text, with the NUL.
pub(super) fn bytes(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes_and_refuses_what_is_no_text() {
        assert_eq!(bytes("ä"), [0xe4, 0, 0, 0]);
        assert_eq!(
            read(&bytes("nixos-1+3.efi")).as_deref(),
            Some("nixos-1+3.efi")
        );
        assert_eq!(read(b"a\0b\0").as_deref(), Some("ab"), "without a NUL");
        assert_eq!(read(b"a\0\0\0b\0").as_deref(), Some("a"), "behind the NUL");
        assert_eq!(read(b"").as_deref(), Some(""));
        assert_eq!((read(b"a"), read(&[0, 0xd8])), (None, None));
    }
}
