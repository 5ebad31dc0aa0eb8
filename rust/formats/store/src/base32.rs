//! Nix's base 32: its own alphabet (no `e`, `o`, `t`, `u`), five bits a character, the *last* character holding the lowest bits of the first byte.
//!
//! Source: Nix, `libutil/hash.cc` (behaviour).

/// The digits, in order of value.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";

/// Why a text is not the base 32 of so many bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Base32Error {
    /// The text has another length than that many bytes need.
    #[error("{found} characters of base 32 where {expected} are needed")]
    Length {
        /// Characters that the bytes need.
        expected: usize,
        /// Characters there are.
        found: usize,
    },
    /// A character outside of the alphabet.
    #[error("`{0}` is no digit of Nix's base 32 (it has no e, o, t, u and no capitals)")]
    Digit(char),
    /// The first character carries bits beyond the last byte: another spelling of the same bytes, which is refused.
    #[error("the first character sets bits that belong to no byte: the text was cut or changed")]
    SpareBits,
}

/// Characters that `bytes` bytes take.
pub const fn encoded_len(bytes: usize) -> usize {
    (bytes * 8).div_ceil(5)
}

/// Prints bytes in Nix's base 32.
pub fn encode(bytes: &[u8]) -> String {
    let byte = |index: usize| u16::from(bytes.get(index).copied().unwrap_or(0));
    (0..encoded_len(bytes.len()))
        .rev()
        .map(|position| {
            let (index, shift) = (position * 5 / 8, position * 5 % 8);
            let window = byte(index) | (byte(index + 1) << 8);
            let digit = usize::from((window >> shift) & 0x1f);
            char::from(ALPHABET.get(digit).copied().unwrap_or(b'0'))
        })
        .collect()
}

/// Reads exactly `N` bytes back. Each value has one spelling only.
pub fn decode<const N: usize>(text: &str) -> Result<[u8; N], Base32Error> {
    if text.len() != encoded_len(N) {
        // Characters, not bytes, in what a person reads.
        return Err(Base32Error::Length {
            expected: encoded_len(N),
            found: text.chars().count(),
        });
    }
    let mut bytes = [0u8; N];
    for (position, character) in text.chars().rev().enumerate() {
        let digit = digit(character).ok_or(Base32Error::Digit(character))?;
        let (index, shift) = (position * 5 / 8, position * 5 % 8);
        let [low, high] = (u16::from(digit) << shift).to_le_bytes();
        if let Some(byte) = bytes.get_mut(index) {
            *byte |= low;
        }
        match bytes.get_mut(index + 1) {
            Some(byte) => *byte |= high,
            None if high != 0 => return Err(Base32Error::SpareBits),
            None => {}
        }
    }
    Ok(bytes)
}

/// Whether a character is a digit of Nix's base 32.
pub fn is_digit(character: char) -> bool {
    digit(character).is_some()
}

fn digit(character: char) -> Option<u8> {
    let value = *VALUES.get(character as usize)?;
    (value != NO_DIGIT).then_some(value)
}

/// What no digit stands for.
const NO_DIGIT: u8 = u8::MAX;
/// What each ASCII character stands for: a closure's names have millions of digits.
const VALUES: [u8; 128] = values();

#[allow(clippy::indexing_slicing)] // computed when it is compiled
const fn values() -> [u8; 128] {
    let mut values = [NO_DIGIT; 128];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_what_nix_prints() {
        // `nix hash to-base32 --type sha256` of SHA-256("abc"), as in Nix's own tests.
        let digest: [u8; 32] = data_encoding::HEXLOWER
            .decode(b"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
            .unwrap()
            .try_into()
            .unwrap();
        let text = "1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";
        assert_eq!(encode(&digest), text);
        assert_eq!(decode::<32>(text), Ok(digest));
    }

    #[test]
    fn refuses_the_second_spelling_of_a_digest() {
        let text = "zb8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";
        assert_eq!(decode::<32>(text), Err(Base32Error::SpareBits));
    }

    #[test]
    fn refuses_letters_that_nix_left_out() {
        assert_eq!(decode::<5>("0000000e"), Err(Base32Error::Digit('e')));
    }

    proptest! {
        #[test]
        fn reads_back_what_it_printed(bytes: [u8; 20], digest: [u8; 32]) {
            prop_assert_eq!(decode::<20>(&encode(&bytes)), Ok(bytes));
            prop_assert_eq!(decode::<32>(&encode(&digest)), Ok(digest));
        }

        #[test]
        fn never_panics_and_has_one_spelling_for_each_value(text in "\\PC{0,60}") {
            if let Ok(bytes) = decode::<32>(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }
}
