//! The name under which a TPM knows a public key that was made elsewhere.

use touchstone_sign::PublicKey;

use super::PolicyError;
use super::digest::hash_of;
use crate::bank::Bank;

/// `TPM_ALG_RSA`, and the others of the TCG Algorithm Registry, table 3.
const ALG_RSA: u16 = 0x0001;
const ALG_NULL: u16 = 0x0010;
const ALG_ECC: u16 = 0x0023;
/// `TPM_ECC_NIST_P256` and `TPM_ECC_NIST_P384` (TCG Algorithm Registry, table 4).
const CURVE_P256: u16 = 0x0003;
const CURVE_P384: u16 = 0x0004;
/// `TPMA_OBJECT` (part 2, section 8.3): `userWithAuth`, `decrypt`, `sign`.
const ATTRIBUTES: u32 = 1 << 6 | 1 << 17 | 1 << 18;
/// The lengths of RSA keys, in bits, that the TPMs which we compared with load.
const RSA_BITS: std::ops::RangeInclusive<u32> = 2048..=3072;
/// The hash of the name, whatever a session works with.
const NAME_HASH: Bank = Bank::Sha256;

/// The Name of a public key (part 1, section 16): the `TPM_ALG_ID` of SHA-256, then SHA-256 of its `TPMT_PUBLIC`.
///
/// `TPMT_PUBLIC` (part 2, section 12.2.4) is that which systemd and tpm2-tools (`tpm2_loadexternal` without options)
/// make of a public key in PEM: `nameAlg` SHA-256; attributes `userWithAuth`, `decrypt` and `sign`; no policy, no
/// symmetric algorithm, no scheme, no key derivation; the usual RSA exponent 65537 written out, not as the 0 that stands
/// for it elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyName {
    public: Vec<u8>,
    name: Vec<u8>,
}

impl KeyName {
    /// The name of this key.
    ///
    /// # Errors
    /// [`PolicyError::Key`] for an RSA key outside of 2048 to 3072 bits, or with another exponent than 65537: the TPMs that we
    /// compared with load none.
    pub fn of(key: &PublicKey) -> Result<KeyName, PolicyError> {
        if matches!(key, PublicKey::Rsa(_)) && !RSA_BITS.contains(&key.bits()) {
            return Err(PolicyError::Key);
        }
        let public = public_area(key).ok_or(PolicyError::Key)?;
        let digest = hash_of(NAME_HASH, std::iter::once(public.as_slice()));
        let mut name = NAME_HASH.algorithm().to_be_bytes().to_vec();
        name.extend(digest.as_bytes());
        Ok(KeyName { public, name })
    }

    /// Its 34 bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.name
    }

    /// The `TPMT_PUBLIC` that it names: what `TPM2_LoadExternal` is given.
    pub fn public_area(&self) -> &[u8] {
        &self.public
    }
}

/// `TPMT_PUBLIC` of a key; none when a number is too large for it.
fn public_area(key: &PublicKey) -> Option<Vec<u8>> {
    let (first, second) = key.numbers();
    let mut bytes = Vec::new();
    let algorithm = match key {
        PublicKey::Rsa(_) => ALG_RSA,
        PublicKey::P256(_) | PublicKey::P384(_) => ALG_ECC,
    };
    bytes.extend(algorithm.to_be_bytes());
    bytes.extend(NAME_HASH.algorithm().to_be_bytes());
    bytes.extend(ATTRIBUTES.to_be_bytes());
    bytes.extend(sized(&[])?);
    // Symmetric algorithm and scheme.
    bytes.extend(ALG_NULL.to_be_bytes());
    bytes.extend(ALG_NULL.to_be_bytes());
    let curve = match key {
        PublicKey::Rsa(_) => {
            bytes.extend(u16::try_from(key.bits()).ok()?.to_be_bytes());
            bytes.extend(exponent(&second)?.to_be_bytes());
            bytes.extend(sized(&first)?);
            return Some(bytes);
        }
        PublicKey::P256(_) => CURVE_P256,
        PublicKey::P384(_) => CURVE_P384,
    };
    bytes.extend(curve.to_be_bytes());
    // Key derivation.
    bytes.extend(ALG_NULL.to_be_bytes());
    bytes.extend(sized(&first)?);
    bytes.extend(sized(&second)?);
    Some(bytes)
}

/// `TPM2B`: a length of 16 bits, then the bytes.
fn sized(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(bytes.len()).ok()?;
    Some([&len.to_be_bytes(), bytes].concat())
}

/// The exponent, which systemd and tpm2-tools write out although 0 would stand for this one (part 2, section 12.2.3.5). No
/// other was compared.
fn exponent(bytes: &[u8]) -> Option<u32> {
    (bytes == [1, 0, 1]).then_some(0x1_0001)
}
