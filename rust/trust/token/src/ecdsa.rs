//! ECDSA signatures: as PKCS#11 has them, and as CMS has them.

use der::asn1::UintRef;
use der::{Encode, Sequence};

use crate::error::TokenError;

/// RFC 3279 section 2.2.3.
#[derive(Sequence)]
struct EcdsaSigValue<'a> {
    r: UintRef<'a>,
    s: UintRef<'a>,
}

/// The two numbers, each of `size` bytes, as a DER `Ecdsa-Sig-Value`: without leading zeros, but for one in front of a set bit.
pub(crate) fn to_der(raw: &[u8], size: usize) -> Result<Vec<u8>, TokenError> {
    let wrong = || TokenError::Signature { length: raw.len() };
    let (r, s) = raw
        .split_at_checked(size)
        .filter(|(_, s)| s.len() == size)
        .ok_or_else(wrong)?;
    let numbers = UintRef::new(r).and_then(|r| {
        Ok(EcdsaSigValue {
            r,
            s: UintRef::new(s)?,
        })
    });
    numbers
        .and_then(|numbers| numbers.to_der())
        .map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn writes_each_number_as_short_as_it_can_be() {
        let mut raw = [0; 64];
        raw[31] = 0x7f;
        raw[62] = 0x80;
        let der = to_der(&raw, 32).unwrap();
        assert_eq!(der, [0x30, 8, 2, 1, 0x7f, 2, 3, 0, 0x80, 0]);
    }

    #[test]
    fn refuses_what_is_not_two_numbers_of_the_size() {
        for length in [0, 1, 32, 63, 65, 96, 128] {
            let error = to_der(&vec![1; length], 32).unwrap_err();
            assert!(matches!(error, TokenError::Signature { length: l } if l == length));
        }
    }

    proptest! {
        #[test]
        fn writes_what_the_curves_own_crate_reads(
            r in proptest::array::uniform32(1_u8..=0xfe),
            s in proptest::array::uniform32(1_u8..=0xfe),
            zeros in 0_usize..32,
        ) {
            let mut raw = [r, s].concat();
            raw[..zeros].fill(0);
            let der = to_der(&raw, 32).unwrap();
            let read = p256::ecdsa::Signature::from_der(&der).unwrap();
            prop_assert_eq!(read.to_bytes().to_vec(), raw);
        }
    }
}
