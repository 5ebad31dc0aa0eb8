//! PCR banks and the digests that live in them.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::Hasher;

/// A PCR bank: the hash algorithm with which its registers are extended.
///
/// Written and parsed as `sha1`, `sha256`, `sha384`, `sha512`.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Bank {
    /// SHA-1: 20 bytes. Present on old TPMs; never enough on its own.
    Sha1,
    /// SHA-256: 32 bytes. Every TPM 2.0 has it.
    Sha256,
    /// SHA-384: 48 bytes.
    Sha384,
    /// SHA-512: 64 bytes.
    Sha512,
}

impl Bank {
    /// All banks, in order of size.
    pub const ALL: [Bank; 4] = [Bank::Sha1, Bank::Sha256, Bank::Sha384, Bank::Sha512];

    /// The length in bytes of this bank's digests.
    pub const fn digest_len(self) -> usize {
        match self {
            Bank::Sha1 => 20,
            Bank::Sha256 => 32,
            Bank::Sha384 => 48,
            Bank::Sha512 => 64,
        }
    }

    /// The bank's name, as systemd and tpm2-tools write it.
    pub const fn name(self) -> &'static str {
        match self {
            Bank::Sha1 => "sha1",
            Bank::Sha256 => "sha256",
            Bank::Sha384 => "sha384",
            Bank::Sha512 => "sha512",
        }
    }

    /// The bank of a `TPM_ALG_ID` (TCG Algorithm Registry, table 3), or none when it is another algorithm.
    pub const fn of_algorithm(id: u16) -> Option<Bank> {
        match id {
            0x0004 => Some(Bank::Sha1),
            0x000b => Some(Bank::Sha256),
            0x000c => Some(Bank::Sha384),
            0x000d => Some(Bank::Sha512),
            _ => None,
        }
    }

    /// The `TPM_ALG_ID` of this bank (TCG Algorithm Registry, table 3).
    pub const fn algorithm(self) -> u16 {
        match self {
            Bank::Sha1 => 0x0004,
            Bank::Sha256 => 0x000b,
            Bank::Sha384 => 0x000c,
            Bank::Sha512 => 0x000d,
        }
    }

    /// The digest of `data` in this bank.
    pub fn hash(self, data: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(data);
        hasher.finish()
    }
}

impl fmt::Display for Bank {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no bank.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no PCR bank: use sha1, sha256, sha384 or sha512")]
pub struct UnknownBank(String);

impl FromStr for Bank {
    type Err = UnknownBank;

    fn from_str(text: &str) -> Result<Bank, UnknownBank> {
        Bank::ALL
            .into_iter()
            .find(|bank| bank.name() == text)
            .ok_or_else(|| UnknownBank(text.to_owned()))
    }
}

/// A digest of one bank: 20, 32, 48 or 64 bytes, written in lower-case hexadecimal.
///
/// The length says which bank it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    bank: Bank,
    /// The first `bank.digest_len()` bytes count; the rest is zero.
    bytes: [u8; 64],
}

/// Bytes or a text that are no digest of any bank.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// The text holds something other than hexadecimal digits.
    #[error("a digest is written in hexadecimal digits, two for each byte")]
    NotHexadecimal,
    /// The length belongs to no bank.
    #[error("a digest has 20, 32, 48 or 64 bytes, not {0}")]
    Length(usize),
}

impl Digest {
    /// The value of a PCR after reset: all bytes zero.
    pub const fn zero(bank: Bank) -> Digest {
        Digest {
            bank,
            bytes: [0; 64],
        }
    }

    /// A digest of this bank from a hash function's output, which has the bank's length.
    pub(crate) fn of_output(bank: Bank, output: &[u8]) -> Digest {
        let mut digest = Digest::zero(bank);
        for (to, from) in digest.bytes.iter_mut().zip(output) {
            *to = *from;
        }
        digest
    }

    /// A digest from its bytes; the length chooses the bank.
    pub fn from_bytes(bytes: &[u8]) -> Result<Digest, DigestError> {
        let bank = Bank::ALL
            .into_iter()
            .find(|bank| bank.digest_len() == bytes.len())
            .ok_or(DigestError::Length(bytes.len()))?;
        Ok(Digest::of_output(bank, bytes))
    }

    /// The bank that this digest belongs to.
    pub const fn bank(&self) -> Bank {
        self.bank
    }

    /// The digest's bytes: as many as the bank's digests have.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes
            .get(..self.bank.digest_len())
            .unwrap_or(&self.bytes)
    }

    /// The value of a PCR that held `self`, after it was extended with `event`: `H(self ‖ event)`
    /// (TPM 2.0 Library, part 1, "PCR extend").
    #[must_use]
    pub fn extended(&self, event: &Digest) -> Digest {
        let mut hasher = Hasher::new(self.bank);
        hasher.update(self.as_bytes());
        hasher.update(event.as_bytes());
        hasher.finish()
    }

    /// The value of PCR 0 after a start from this locality: zero, but for the last byte
    /// (TCG PC Client Platform Firmware Profile, "StartupLocality").
    pub(crate) fn at_locality(bank: Bank, locality: u8) -> Digest {
        let mut digest = Digest::zero(bank);
        if let Some(last) = digest.bytes.get_mut(bank.digest_len().saturating_sub(1)) {
            *last = locality;
        }
        digest
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(self.as_bytes()))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.bank)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(text.as_bytes())
            .map_err(|_| DigestError::NotHexadecimal)?;
        Digest::from_bytes(&bytes)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A digest in lower-case hexadecimal; its length says which bank it belongs to.",
            "pattern": "^([0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128})$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_published_digests_of_abc() {
        let abc = |bank: Bank| bank.hash(b"abc").to_string();
        assert_eq!(abc(Bank::Sha1), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert_eq!(
            abc(Bank::Sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(abc(Bank::Sha384).starts_with("cb00753f45a35e8bb5a03d699ac65007"));
        assert!(abc(Bank::Sha512).starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn extends_a_register_as_a_tpm_does() {
        // PCRs 0–7 of a machine without firmware events hold one separator each: a value seen on many machines.
        let separator = Bank::Sha256.hash(&[0; 4]);
        assert_eq!(
            Digest::zero(Bank::Sha256).extended(&separator).to_string(),
            "3d458cfe55cc03ea1f443f1562beec8df51c75e14a9fcf9a7234a13f198e7969"
        );
        assert_eq!(
            Digest::zero(Bank::Sha1)
                .extended(&Bank::Sha1.hash(&[0; 4]))
                .to_string(),
            "b2a83b0ebf2f8374299a5b2bdfc31ea955ad7236"
        );
    }

    #[test]
    fn tells_the_bank_from_the_length() {
        for bank in Bank::ALL {
            let digest = bank.hash(b"x");
            let again: Digest = digest.to_string().parse().unwrap();
            assert_eq!((again, again.bank()), (digest, bank));
        }
        assert_eq!("00".parse::<Digest>(), Err(DigestError::Length(1)));
        assert_eq!("xy".parse::<Digest>(), Err(DigestError::NotHexadecimal));
    }

    #[test]
    fn names_the_banks_that_it_knows() {
        for bank in Bank::ALL {
            assert_eq!(bank.name().parse(), Ok(bank));
            assert_eq!(Bank::of_algorithm(bank.algorithm()), Some(bank));
        }
        assert!(
            "sha3"
                .parse::<Bank>()
                .unwrap_err()
                .to_string()
                .contains("sha256")
        );
        assert_eq!(Bank::of_algorithm(0x0012), None);
    }
}
