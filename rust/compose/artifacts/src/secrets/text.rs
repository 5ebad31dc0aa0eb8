//! Keys that are one word of text: those of Nix and of age. Each says by itself whether it is one.

use curve25519_dalek::MontgomeryPoint;
use touchstone_store::SecretKey;
use zeroize::Zeroizing;

use super::{Kind, Secret, der};

/// What the identity of age begins with (age-encryption.org/v1, section "The X25519 recipient type").
pub(super) const AGE: &[u8] = b"AGE-SECRET-KEY-";
/// What the base 64 of 64 bytes ends with.
pub(super) const NIX_END: &[u8] = b"==";
/// Base 64 letters of 64 bytes before [`NIX_END`].
const NIX_LETTERS: usize = 86;

/// The secret key of Nix whose [`NIX_END`] stands at `end`: `name:` and the base 64 of seed and public half, which must belong together.
pub(super) fn nix(bytes: &[u8], end: usize) -> Option<(usize, Secret)> {
    let start = end.checked_sub(NIX_LETTERS)?;
    let colon = start.checked_sub(1)?;
    if bytes.get(colon) != Some(&b':') || bytes.get(end + NIX_END.len()) == Some(&b'=') {
        return None;
    }
    let in_name = |letter: &&u8| letter.is_ascii_alphanumeric() || b"-._+".contains(letter);
    let before = bytes.get(..colon)?.iter().rev();
    let name = before.take(NAME_LIMIT).take_while(in_name).count();
    let letters = bytes.get(start..end + NIX_END.len())?;
    let letters = std::str::from_utf8(letters).ok().filter(|_| name > 0)?;
    let text = Zeroizing::new(format!("key:{letters}"));
    let key = SecretKey::parse(&text).ok()?;
    let fingerprint = der::of_curve25519(0x70, key.public_key().contents());
    Some((colon - name, Secret::plain(Kind::Nix, fingerprint)))
}

/// Names of keys are not looked at beyond this: they are the names of hosts.
pub(super) const NAME_LIMIT: usize = 255;

/// The identity of age at the beginning of `bytes`, which begin with [`AGE`]: bech32 (BIP 173) of 32 bytes, whose checksum must be right.
pub(super) fn age(bytes: &[u8]) -> Option<Secret> {
    let letter = |letter: &&u8| letter.is_ascii_uppercase() || letter.is_ascii_digit();
    let data = bytes.get(AGE.len()..)?.strip_prefix(b"1")?;
    let length = data.iter().take(LONGEST_DATA).take_while(letter).count();
    let secret = bech32(AGE, data.get(..length)?)?;
    let secret: [u8; 32] = secret.as_slice().try_into().ok()?;
    let public = x25519_public(&Zeroizing::new(secret));
    let fingerprint = der::of_curve25519(0x6e, &public);
    Some(Secret::plain(Kind::Age, fingerprint))
}

/// The public half of an X25519 key (RFC 7748).
pub(super) fn x25519_public(secret: &Zeroizing<[u8; 32]>) -> [u8; 32] {
    MontgomeryPoint::mul_base_clamped(**secret).to_bytes()
}

/// 32 bytes are 52 letters, and the checksum has six.
const LONGEST_DATA: usize = 64;

const ALPHABET: &[u8; 32] = b"QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L";

/// The bytes of the data part of a bech32 text in capitals, when its checksum is right.
fn bech32(prefix: &[u8], data: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digit = |letter: &u8| ALPHABET.iter().position(|known| known == letter);
    let digits: Option<Vec<usize>> = data.iter().map(digit).collect();
    let digits = Zeroizing::new(digits?);
    let prefix = prefix.to_ascii_lowercase();
    let high = prefix.iter().map(|letter| usize::from(letter >> 5));
    let low = prefix.iter().map(|letter| usize::from(letter & 31));
    let all = high.chain([0]).chain(low).chain(digits.iter().copied());
    if checksum(all) != 1 {
        return None;
    }
    let payload = digits.get(..digits.len().checked_sub(6)?)?;
    let (mut bytes, mut bits, mut pending) = (Zeroizing::new(Vec::new()), 0_u32, 0_usize);
    for digit in payload {
        pending = ((pending << 5) | digit) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from((pending >> bits) & 0xff).ok()?);
        }
    }
    // What is left over of the last letter must be zeros.
    let rest = pending & ((1 << bits) - 1);
    (rest == 0 && bits < 5).then_some(bytes)
}

/// BIP 173, "Checksum".
fn checksum(values: impl Iterator<Item = usize>) -> usize {
    const GENERATOR: [usize; 5] = [
        0x3b6a_57b2,
        0x2650_8e6d,
        0x1ea1_19fa,
        0x3d42_33dd,
        0x2a14_62b3,
    ];
    values.fold(1, |sum, value| {
        let top = sum >> 25;
        let next = ((sum & 0x01ff_ffff) << 5) ^ value;
        let chosen = GENERATOR.iter().enumerate();
        chosen
            .filter(|(bit, _)| (top >> bit) & 1 == 1)
            .fold(next, |sum, (_, term)| sum ^ term)
    })
}
