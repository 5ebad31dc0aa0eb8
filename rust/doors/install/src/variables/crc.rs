//! CRC-32 of IEEE 802.3 (reflected polynomial 0xedb88320), which the GUID partition table uses.

/// The checksum.
pub(super) fn crc32(data: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for &byte in data {
        rest ^= u32::from(byte);
        for _ in 0..8 {
            let carry = rest & 1;
            rest = (rest >> 1) ^ (0xedb8_8320 * carry);
        }
    }
    !rest
}

#[cfg(test)]
mod tests {
    #[test]
    fn crc_is_that_of_ieee() {
        assert_eq!(super::crc32(b"123456789"), 0xcbf4_3926);
    }
}
