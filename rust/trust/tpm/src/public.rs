//! What the TPM says of a key: whether it signs boot files, and its public half.

use touchstone_sign::{Hash, PublicKey};
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::structures::{EccPoint, EccScheme, HashScheme, Public, RsaScheme};

use crate::error::TpmError;

/// A key that may sign.
pub(crate) struct SigningPublic {
    pub(crate) key: PublicKey,
    /// The digest that the key is bound to, where it is bound to one.
    pub(crate) digest: Option<HashingAlgorithm>,
    /// The length in bytes of the longest authorization value: that of the digest of its name.
    pub(crate) longest_auth: usize,
}

impl SigningPublic {
    /// Reads the public area.
    ///
    /// # Errors
    /// When the key does not sign what it is given, or makes signatures that firmware does not verify.
    pub(crate) fn of(public: &Public) -> Result<SigningPublic, TpmError> {
        let attributes = public.object_attributes();
        if !attributes.sign_encrypt() {
            return Err(TpmError::NotForSigning);
        }
        if attributes.restricted() {
            return Err(TpmError::Restricted);
        }
        if !attributes.user_with_auth() {
            return Err(TpmError::Policy);
        }
        let (key, digest) = match public {
            Public::Rsa {
                parameters, unique, ..
            } => {
                // TPM 2.0 Part 2, section 12.2.3.5: zero stands for 65537.
                let exponent = match parameters.exponent().value() {
                    0 => 65537,
                    other => other,
                };
                let key = PublicKey::rsa(unique.value(), &exponent.to_be_bytes())
                    .map_err(|error| TpmError::UnsupportedKey(error.to_string()))?;
                (key, rsa_digest(parameters.rsa_scheme())?)
            }
            Public::Ecc {
                parameters, unique, ..
            } => (
                point(parameters.ecc_curve(), unique)?,
                ecc_digest(parameters.ecc_scheme())?,
            ),
            Public::KeyedHash { .. } | Public::SymCipher { .. } => {
                return Err(TpmError::NotForSigning);
            }
        };
        Ok(SigningPublic {
            key,
            digest,
            longest_auth: length(public.name_hashing_algorithm()),
        })
    }
}

fn rsa_digest(scheme: RsaScheme) -> Result<Option<HashingAlgorithm>, TpmError> {
    match scheme {
        RsaScheme::Null => Ok(None),
        RsaScheme::RsaSsa(scheme) => Ok(Some(scheme.hashing_algorithm())),
        RsaScheme::RsaPss(_) => Err(TpmError::Scheme("RSAPSS")),
        RsaScheme::RsaEs | RsaScheme::Oaep(_) => Err(TpmError::NotForSigning),
    }
}

fn ecc_digest(scheme: EccScheme) -> Result<Option<HashingAlgorithm>, TpmError> {
    match scheme {
        EccScheme::Null => Ok(None),
        EccScheme::EcDsa(scheme) => Ok(Some(HashScheme::hashing_algorithm(&scheme))),
        EccScheme::EcDaa(_) => Err(TpmError::Scheme("ECDAA")),
        EccScheme::Sm2(_) => Err(TpmError::Scheme("SM2")),
        EccScheme::EcSchnorr(_) => Err(TpmError::Scheme("ECSCHNORR")),
        EccScheme::EcDh(_) | EccScheme::EcMqv(_) => Err(TpmError::NotForSigning),
    }
}

/// A point as SEC 1 writes it (section 2.3.3): some TPMs leave leading zeros out.
fn point(curve: EccCurve, point: &EccPoint) -> Result<PublicKey, TpmError> {
    let length: usize = match curve {
        EccCurve::NistP256 => 32,
        EccCurve::NistP384 => 48,
        other => return Err(TpmError::UnsupportedKey(format!("the curve {other:?}"))),
    };
    let mut sec1 = vec![4];
    for coordinate in [point.x().value(), point.y().value()] {
        let zeros = length.saturating_sub(coordinate.len());
        sec1.extend(std::iter::repeat_n(0, zeros));
        sec1.extend(coordinate);
    }
    PublicKey::point(&sec1).map_err(|error| TpmError::Damaged(error.to_string()))
}

/// The TPM's name of a digest.
pub(crate) fn algorithm(hash: Hash) -> HashingAlgorithm {
    match hash {
        Hash::Sha256 => HashingAlgorithm::Sha256,
        Hash::Sha384 => HashingAlgorithm::Sha384,
        Hash::Sha512 => HashingAlgorithm::Sha512,
    }
}

fn length(algorithm: HashingAlgorithm) -> usize {
    match algorithm {
        HashingAlgorithm::Sha1 => 20,
        HashingAlgorithm::Sha384 | HashingAlgorithm::Sha3_384 => 48,
        HashingAlgorithm::Sha512 | HashingAlgorithm::Sha3_512 => 64,
        _ => 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A point of P-256 whose first coordinate begins with a zero.
    const X: [u8; 32] = [
        0x00, 0x77, 0xec, 0xaf, 0x19, 0xf4, 0x81, 0x01, 0x6a, 0x56, 0xf7, 0x2a, 0x20, 0x14, 0xef,
        0xcc, 0x3b, 0x0a, 0x1b, 0xf1, 0x41, 0x81, 0xb1, 0x62, 0xf6, 0xe1, 0x83, 0xfa, 0xd5, 0xa4,
        0xb1, 0xe1,
    ];
    const Y: [u8; 32] = [
        0x6b, 0x93, 0x23, 0xd5, 0x4d, 0xd8, 0x01, 0xd3, 0xa3, 0x4b, 0x27, 0x0d, 0xbe, 0xaf, 0xa6,
        0xdf, 0x9f, 0xb5, 0x68, 0xde, 0x48, 0xda, 0x84, 0x04, 0xec, 0x15, 0xfc, 0x32, 0xf6, 0x93,
        0x99, 0x39,
    ];

    fn of(x: &[u8], y: &[u8]) -> Result<PublicKey, TpmError> {
        let point_of = EccPoint::new(x.try_into().unwrap(), y.try_into().unwrap());
        point(EccCurve::NistP256, &point_of)
    }

    #[test]
    fn reads_a_point_with_and_without_its_leading_zeros() {
        let whole = of(&X, &Y).unwrap();
        assert_eq!(of(&X[1..], &Y).unwrap(), whole);
        assert!(matches!(of(&X[1..], &Y[1..]), Err(TpmError::Damaged(_))));
        assert!(matches!(of(&[0; 33], &Y), Err(TpmError::Damaged(_))));
    }

    #[test]
    fn refuses_curves_that_firmware_does_not_verify() {
        let origin = EccPoint::default();
        for curve in [EccCurve::NistP192, EccCurve::NistP521, EccCurve::Sm2P256] {
            assert!(matches!(
                point(curve, &origin),
                Err(TpmError::UnsupportedKey(_))
            ));
        }
    }
}
