//! The public half of a key, from what a token tells of it.

use cryptoki::object::AttributeType;
use der::Decode;
use der::asn1::OctetStringRef;
use touchstone_sign::{KeyKind, PublicKey};

use crate::error::TokenError;

/// The kinds of keys that can sign boot files, as CKA_KEY_TYPE has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rsa,
    Ec,
}

/// The object identifiers of the curves, in DER: CKA_EC_PARAMS of P-256 and of P-384 (RFC 5480 section 2.1.1.1).
const CURVES: [&[u8]; 2] = [
    &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
    &[0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22],
];

type Value = Result<Option<Vec<u8>>, TokenError>;

/// The public half. `own` has the attributes of the private key, `other` those of the public key objects that belong to it; where
/// neither says enough, it is `certificate`'s.
pub(crate) fn find(
    algorithm: Algorithm,
    own: &dyn Fn(AttributeType) -> Value,
    other: &dyn Fn(AttributeType) -> Value,
    certificate: Option<&PublicKey>,
) -> Result<PublicKey, TokenError> {
    let either = |kind| match own(kind)? {
        Some(value) => Ok(Some(value)),
        None => other(kind),
    };
    let told = match algorithm {
        Algorithm::Rsa => rsa(&either)?,
        Algorithm::Ec => point(&either)?,
    };
    let told = match told {
        Some(key) => Some(key),
        None => either(AttributeType::PublicKeyInfo)?
            .map(|info| PublicKey::from_der(&info).map_err(TokenError::PublicKey))
            .transpose()?,
    };
    let key = match told {
        Some(key) => key,
        None => certificate
            .filter(|key| (key.kind() == KeyKind::Rsa) == (algorithm == Algorithm::Rsa))
            .cloned()
            .ok_or(TokenError::NoPublicKey)?,
    };
    key.may_sign().map_err(TokenError::PublicKey)?;
    Ok(key)
}

fn rsa(value: &dyn Fn(AttributeType) -> Value) -> Result<Option<PublicKey>, TokenError> {
    let modulus = value(AttributeType::Modulus)?;
    let exponent = value(AttributeType::PublicExponent)?;
    modulus
        .zip(exponent)
        .map(|(modulus, exponent)| {
            PublicKey::rsa(number(&modulus), number(&exponent)).map_err(TokenError::PublicKey)
        })
        .transpose()
}

/// Without leading zeros, which some tokens write.
fn number(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

fn point(value: &dyn Fn(AttributeType) -> Value) -> Result<Option<PublicKey>, TokenError> {
    let curve = value(AttributeType::EcParams)?;
    if curve.is_some_and(|curve| !CURVES.contains(&curve.as_slice())) {
        return Err(TokenError::UnsupportedKey(
            "keys of another curve".to_owned(),
        ));
    }
    let Some(bytes) = value(AttributeType::EcPoint)? else {
        return Ok(None);
    };
    // In DER, as PKCS#11 says, or bare, as some tokens do.
    let in_der = <&OctetStringRef>::from_der(&bytes)
        .ok()
        .and_then(|point| PublicKey::point(point.as_bytes()).ok());
    match in_der {
        Some(key) => Ok(Some(key)),
        None => PublicKey::point(&bytes)
            .map(Some)
            .map_err(TokenError::PublicKey),
    }
}

#[cfg(test)]
mod tests {
    use touchstone_sign::Fault;

    use super::*;

    /// The generators of P-256 and P-384 (SEC 2 sections 2.4.2 and 2.5.1) are points like any other.
    const P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
    const P384: &str = "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5f";
    /// The identifier of secp256k1.
    const K256: [u8; 7] = [0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x0a];

    fn hex(text: &str) -> Vec<u8> {
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    fn modulus(bytes: usize) -> Vec<u8> {
        [vec![0xc1], vec![0x55; bytes - 1]].concat()
    }

    fn in_der(point: &[u8]) -> Vec<u8> {
        [&[0x04, u8::try_from(point.len()).unwrap()], point].concat()
    }

    type Told<'a> = &'a [(AttributeType, Vec<u8>)];

    fn finds(
        algorithm: Algorithm,
        own: Told<'_>,
        other: Told<'_>,
        certificate: Option<&PublicKey>,
    ) -> Result<PublicKey, TokenError> {
        let value = |told: Told<'_>, kind| {
            let found = told.iter().find(|(known, _)| *known == kind);
            Ok(found.map(|(_, value)| value.clone()))
        };
        find(
            algorithm,
            &|kind| value(own, kind),
            &|kind| value(other, kind),
            certificate,
        )
    }

    #[test]
    fn takes_rsa_numbers_from_the_private_key_and_the_public_one() {
        let modulus = (AttributeType::Modulus, modulus(256));
        let exponent = (AttributeType::PublicExponent, vec![1, 0, 1]);
        let both = finds(
            Algorithm::Rsa,
            &[modulus.clone(), exponent.clone()],
            &[],
            None,
        )
        .unwrap();
        let apart = finds(
            Algorithm::Rsa,
            std::slice::from_ref(&modulus),
            &[exponent],
            None,
        )
        .unwrap();
        let padded = (AttributeType::PublicExponent, vec![0, 1, 0, 1]);
        let zeros = finds(Algorithm::Rsa, &[modulus, padded], &[], None).unwrap();
        assert_eq!(both, apart);
        assert_eq!(both, zeros);
        assert_eq!(both.kind(), KeyKind::Rsa);
    }

    #[test]
    fn takes_points_in_der_and_bare() {
        for (text, kind, curve) in [
            (P256, KeyKind::P256, CURVES[0]),
            (P384, KeyKind::P384, CURVES[1]),
        ] {
            let params = (AttributeType::EcParams, curve.to_vec());
            for point in [hex(text), in_der(&hex(text))] {
                let point = (AttributeType::EcPoint, point);
                let key =
                    finds(Algorithm::Ec, &[params.clone(), point.clone()], &[], None).unwrap();
                assert_eq!(key.kind(), kind);
                assert_eq!(finds(Algorithm::Ec, &[], &[point], None).unwrap(), key);
            }
        }
    }

    #[test]
    fn falls_back_to_the_certificate_of_a_key_of_the_same_kind() {
        let certificate = PublicKey::point(&hex(P256)).unwrap();
        let found = finds(Algorithm::Ec, &[], &[], Some(&certificate)).unwrap();
        assert_eq!(found, certificate);
        for (algorithm, certificate) in
            [(Algorithm::Rsa, Some(&certificate)), (Algorithm::Ec, None)]
        {
            let error = finds(algorithm, &[], &[], certificate).unwrap_err();
            assert!(matches!(error, TokenError::NoPublicKey), "{error}");
        }
    }

    #[test]
    fn refuses_keys_that_firmware_does_not_verify() {
        let exponent = (AttributeType::PublicExponent, vec![1, 0, 1]);
        for bytes in [128, 255, 513] {
            let own = [(AttributeType::Modulus, modulus(bytes)), exponent.clone()];
            let error = finds(Algorithm::Rsa, &own, &[], None).unwrap_err();
            assert_eq!(error.fault(), Fault::Unsupported, "{error}");
        }
        let own = [
            (AttributeType::EcParams, K256.to_vec()),
            (AttributeType::EcPoint, hex(P256)),
        ];
        let error = finds(Algorithm::Ec, &own, &[], None).unwrap_err();
        assert!(matches!(error, TokenError::UnsupportedKey(_)), "{error}");
    }

    #[test]
    fn refuses_a_damaged_point() {
        let mut point = hex(P256);
        point[64] ^= 1;
        let error =
            finds(Algorithm::Ec, &[(AttributeType::EcPoint, point)], &[], None).unwrap_err();
        assert_eq!(error.fault(), Fault::Damaged, "{error}");
    }
}
