//! Private keys in DER, told by their whole structure: a file or block that only looks like one at its beginning is none.

use sha2::{Digest, Sha256};
use touchstone_sign::{FileSigner, Signer};
use zeroize::Zeroizing;

use super::{Kind, Secret};

/// PKCS#8 (RFC 5958), PKCS#1 (RFC 8017), SEC 1 (RFC 5915), OpenSSL's DSA form, an encrypted PKCS#8 (RFC 5958 section 3) or a key of a
/// TPM (TSS2): the key that these bytes are from the first to the last.
pub(super) fn read(der: &[u8]) -> Option<Secret> {
    let items = sequence(der)?;
    pkcs8(&items, der)
        .or_else(|| pkcs1(&items))
        .or_else(|| sec1(&items, None, der))
        .or_else(|| dsa(&items, der))
        .or_else(|| encrypted(&items, der))
        .or_else(|| tss2(&items, der))
}

/// SHA-256 of bytes that identify a key, in hex.
pub(super) fn fingerprint(bytes: &[u8]) -> String {
    crate::hex(&Sha256::digest(bytes))
}

/// The fingerprint of an Ed25519 (`0x70`) or X25519 (`0x6e`) key, by the last byte of its object identifier.
pub(super) fn of_curve25519(last: u8, public: &[u8; 32]) -> String {
    let algorithm = tlv(SEQUENCE, &tlv(OID, &[0x2b, 0x65, last]));
    fingerprint(&public_key_info(&algorithm, public))
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_1: u8 = 0xa1;
/// The public half of RFC 5958, implicit: `[1]` of a BIT STRING.
const PUBLIC_HALF: u8 = 0x81;

/// 1.2.840.113549.1.1: RSA, and with 10 at its end RSASSA-PSS.
const PKCS_1: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1.
const EC: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
/// 1.2.840.113549.1.5 (PBES2 and PBES1) and 1.2.840.113549.1.12.1 (those of PKCS#12).
const PASSPHRASE: [&[u8]; 2] = [
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05],
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01],
];
/// 2.23.133.10.1: keys of a TPM, loadable (3), importable (4) or sealed (5).
const TSS2: [u8; 5] = [0x67, 0x81, 0x05, 0x0a, 0x01];

/// Tag and value.
type Item<'a> = (u8, &'a [u8]);

/// The element at the beginning of `bytes`, and what follows it.
fn first(bytes: &[u8]) -> Option<(Item<'_>, &[u8])> {
    let (tag, rest) = bytes.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(*length), rest),
        // Up to 16 MiB; not the shortest form alone: whoever wrote a key may have written BER.
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            let digits = digits.iter();
            let number = digits.fold(0, |sum, digit| (sum << 8) | usize::from(*digit));
            (number, rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some(((*tag, value), rest))
}

/// The elements that `contents` consists of; no key has more than a dozen.
fn all(contents: &[u8]) -> Option<Vec<Item<'_>>> {
    let (mut items, mut rest) = (Vec::new(), contents);
    while !rest.is_empty() && items.len() < 12 {
        let (item, after) = first(rest)?;
        items.push(item);
        rest = after;
    }
    rest.is_empty().then_some(items)
}

/// The elements of the SEQUENCE that `der` is, whole.
fn sequence(der: &[u8]) -> Option<Vec<Item<'_>>> {
    match first(der)? {
        ((SEQUENCE, contents), []) => all(contents),
        _ => None,
    }
}

fn pkcs8(items: &[Item<'_>], der: &[u8]) -> Option<Secret> {
    let [
        (INTEGER, [0 | 1]),
        (SEQUENCE, algorithm),
        (OCTET_STRING, key),
        rest @ ..,
    ] = items
    else {
        return None;
    };
    let known = |(tag, _): &Item<'_>| [CONTEXT_0, PUBLIC_HALF, CONTEXT_1].contains(tag);
    if !rest.iter().all(known) {
        return None;
    }
    let parameters = all(algorithm)?;
    let (OID, identifier) = *parameters.first()? else {
        return None;
    };
    let fingerprint = match *identifier {
        _ if identifier.starts_with(&PKCS_1) => pkcs1(&sequence(key)?)?.fingerprint,
        _ if identifier == EC => {
            sec1(&sequence(key)?, parameters.get(1).copied(), der)?.fingerprint
        }
        [0x2b, 0x65, last @ (0x6e..=0x71)] => of_montgomery_or_edwards(last, key, der)?,
        // DSA, Diffie-Hellman, those after the quantum computer, and what is to come.
        _ if key.len() >= 16 => fingerprint(der),
        _ => return None,
    };
    Some(Secret::plain(Kind::Pkcs8, fingerprint))
}

/// X25519, X448, Ed25519 and Ed448 (RFC 8410): an OCTET STRING inside of the OCTET STRING.
fn of_montgomery_or_edwards(last: u8, key: &[u8], der: &[u8]) -> Option<String> {
    let ((OCTET_STRING, secret), []) = first(key)? else {
        return None;
    };
    let length = match last {
        0x6e | 0x70 => 32,
        0x6f => 56,
        _ => 57,
    };
    if secret.len() != length {
        return None;
    }
    let Ok(secret) = <[u8; 32]>::try_from(secret).map(Zeroizing::new) else {
        return Some(fingerprint(der));
    };
    let public = match last {
        0x6e => super::text::x25519_public(&secret),
        _ => *touchstone_store::SecretKey::from_seed("key", &secret)
            .ok()?
            .public_key()
            .contents(),
    };
    Some(of_curve25519(last, &public))
}

fn pkcs1(items: &[Item<'_>]) -> Option<Secret> {
    let [
        (INTEGER, [0 | 1]),
        (INTEGER, n),
        (INTEGER, e),
        (INTEGER, _),
        (INTEGER, p),
        (INTEGER, q),
        (INTEGER, _),
        (INTEGER, _),
        (INTEGER, _),
        rest @ ..,
    ] = items
    else {
        return None;
    };
    // More than two primes have a list of their own, and then the product is not that of the first two.
    let several = matches!(rest, [(SEQUENCE, _)]);
    let belong = low_bits(p).wrapping_mul(low_bits(q)) == low_bits(n);
    if !(several || rest.is_empty() && belong) || n.len() < 32 {
        return None;
    }
    let algorithm = tlv(SEQUENCE, &[tlv(OID, &RSA), tlv(NULL, &[])].concat());
    let key = tlv(SEQUENCE, &[tlv(INTEGER, n), tlv(INTEGER, e)].concat());
    let fingerprint = fingerprint(&public_key_info(&algorithm, &key));
    Some(Secret::plain(Kind::Pkcs1, fingerprint))
}

/// The last 64 bits of a big-endian number.
fn low_bits(number: &[u8]) -> u64 {
    let last = number.get(number.len().saturating_sub(8)..);
    let digits = last.unwrap_or_default().iter();
    digits.fold(0, |sum, digit| (sum << 8) | u64::from(*digit))
}

/// `named` is the curve as a PKCS#8 document around it names it; `der` is that document, or the key itself.
fn sec1(items: &[Item<'_>], named: Option<Item<'_>>, der: &[u8]) -> Option<Secret> {
    let [(INTEGER, [1]), (OCTET_STRING, secret), rest @ ..] = items else {
        return None;
    };
    let inner = |wanted: u8| {
        let (_, contents) = rest.iter().find(|(tag, _)| *tag == wanted)?;
        first(contents).map(|(item, _)| item)
    };
    let known = |(tag, _): &Item<'_>| [CONTEXT_0, CONTEXT_1].contains(tag);
    let curve = named.or_else(|| inner(CONTEXT_0));
    let sized = (14..=72).contains(&secret.len());
    if !sized || !rest.iter().all(known) || (curve.is_none() && rest.is_empty()) {
        return None;
    }
    let public = match FileSigner::new(der) {
        Ok(signer) => signer.public_key().to_inner_bytes().ok(),
        Err(_) => match inner(CONTEXT_1) {
            Some((BIT_STRING, [0, point @ ..])) => Some(point.to_vec()),
            _ => None,
        },
    };
    let fingerprint = match (public, curve) {
        (Some(point), Some((tag, curve))) => {
            let algorithm = tlv(SEQUENCE, &[tlv(OID, &EC), tlv(tag, curve)].concat());
            fingerprint(&public_key_info(&algorithm, &point))
        }
        _ => fingerprint(der),
    };
    Some(Secret::plain(Kind::Sec1, fingerprint))
}

/// OpenSSL's own form: version, p, q, g, the public and the secret number.
fn dsa(items: &[Item<'_>], der: &[u8]) -> Option<Secret> {
    let [
        (INTEGER, [0]),
        (INTEGER, p),
        (INTEGER, q),
        (INTEGER, _),
        (INTEGER, _),
        (INTEGER, _),
    ] = items
    else {
        return None;
    };
    let sized = p.len() >= 64 && (20..=33).contains(&q.len());
    sized.then(|| Secret::plain(Kind::Dsa, fingerprint(der)))
}

fn encrypted(items: &[Item<'_>], der: &[u8]) -> Option<Secret> {
    let [(SEQUENCE, algorithm), (OCTET_STRING, data)] = items else {
        return None;
    };
    let ((OID, identifier), _) = first(algorithm)? else {
        return None;
    };
    let by_passphrase = PASSPHRASE.iter().any(|known| identifier.starts_with(known));
    let whole = by_passphrase && data.len() >= 16;
    whole.then(|| Secret::encrypted(Kind::Pkcs8, fingerprint(der)))
}

fn tss2(items: &[Item<'_>], der: &[u8]) -> Option<Secret> {
    let [
        (OID, identifier),
        ..,
        (OCTET_STRING, _),
        (OCTET_STRING, private),
    ] = items
    else {
        return None;
    };
    let of_tpm = identifier.starts_with(&TSS2) && private.len() >= 16;
    of_tpm.then(|| Secret::plain(Kind::Tss2, fingerprint(der)))
}

/// SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7).
fn public_key_info(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    let bits = tlv(BIT_STRING, &[&[0], key].concat());
    tlv(SEQUENCE, &[algorithm, &bits].concat())
}

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let digits = length.to_be_bytes();
    let skip = digits.iter().take_while(|digit| **digit == 0).count();
    let digits = digits.get(skip..).unwrap_or_default();
    let mut der = vec![tag];
    if length > 0x7f {
        // At most eight digits.
        der.push(0x80 | u8::try_from(digits.len()).unwrap_or_default());
        der.extend(digits);
    } else {
        der.push(u8::try_from(length).unwrap_or_default());
    }
    der.extend(value);
    der
}
