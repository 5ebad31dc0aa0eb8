//! How a token is asked to sign.

use cryptoki::mechanism::{Mechanism, MechanismType};
use touchstone_sign::{Hash, KeyKind};

/// The DigestInfo of each digest up to the digest itself (RFC 8017 section 9.2, note 1).
const SHA256_INFO: [u8; 19] = [
    0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05,
    0x00, 0x04, 0x20,
];
const SHA384_INFO: [u8; 19] = [
    0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05,
    0x00, 0x04, 0x30,
];
const SHA512_INFO: [u8; 19] = [
    0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05,
    0x00, 0x04, 0x40,
];

/// A way to sign: what the token is told, and what it is given.
pub(crate) struct Way {
    pub(crate) mechanism: Mechanism<'static>,
    kind: MechanismType,
    input: Input,
}

#[derive(Clone, Copy)]
enum Input {
    /// The token hashes the message.
    Message,
    /// It is given the digest.
    Digest,
    /// It is given the digest in a DigestInfo, and pads it.
    DigestInfo,
}

impl Way {
    /// The ways to sign with such a key, the better ones first. A token that wants its PIN for each signature is asked in several
    /// steps, which PKCS#11 defines for mechanisms that hash alone.
    pub(crate) fn all(key: KeyKind, hash: Hash, in_steps: bool) -> [Self; 2] {
        match key {
            KeyKind::Rsa => [hashing_rsa(hash), padding_rsa()],
            KeyKind::P256 | KeyKind::P384 if in_steps => [hashing_ecdsa(hash), ecdsa()],
            KeyKind::P256 | KeyKind::P384 => [ecdsa(), hashing_ecdsa(hash)],
        }
    }

    pub(crate) fn is_offered(&self, offered: &[MechanismType]) -> bool {
        offered.contains(&self.kind)
    }

    pub(crate) fn name(&self) -> String {
        self.kind.to_string()
    }

    /// What the token is given to sign `message`.
    pub(crate) fn input(&self, hash: Hash, message: &[u8]) -> Vec<u8> {
        match self.input {
            Input::Message => message.to_vec(),
            Input::Digest => hash.digest(message),
            Input::DigestInfo => [digest_info(hash).as_slice(), &hash.digest(message)].concat(),
        }
    }
}

fn digest_info(hash: Hash) -> &'static [u8; 19] {
    match hash {
        Hash::Sha256 => &SHA256_INFO,
        Hash::Sha384 => &SHA384_INFO,
        Hash::Sha512 => &SHA512_INFO,
    }
}

fn way(mechanism: Mechanism<'static>, input: Input) -> Way {
    let kind = mechanism.mechanism_type();
    Way {
        mechanism,
        kind,
        input,
    }
}

fn hashing_rsa(hash: Hash) -> Way {
    let mechanism = match hash {
        Hash::Sha256 => Mechanism::Sha256RsaPkcs,
        Hash::Sha384 => Mechanism::Sha384RsaPkcs,
        Hash::Sha512 => Mechanism::Sha512RsaPkcs,
    };
    way(mechanism, Input::Message)
}

fn padding_rsa() -> Way {
    way(Mechanism::RsaPkcs, Input::DigestInfo)
}

fn hashing_ecdsa(hash: Hash) -> Way {
    let mechanism = match hash {
        Hash::Sha256 => Mechanism::EcdsaSha256,
        Hash::Sha384 => Mechanism::EcdsaSha384,
        Hash::Sha512 => Mechanism::EcdsaSha512,
    };
    way(mechanism, Input::Message)
}

fn ecdsa() -> Way {
    way(Mechanism::Ecdsa, Input::Digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(key: KeyKind, in_steps: bool, offered: &[MechanismType]) -> Option<MechanismType> {
        let ways = Way::all(key, Hash::Sha256, in_steps);
        let way = ways.iter().find(|way| way.is_offered(offered));
        way.map(|way| way.kind)
    }

    #[test]
    fn lets_the_token_hash_for_rsa_where_it_can() {
        let (hashing, padding) = (MechanismType::SHA256_RSA_PKCS, MechanismType::RSA_PKCS);
        let other = MechanismType::SHA384_RSA_PKCS;
        assert_eq!(
            chosen(KeyKind::Rsa, false, &[padding, hashing]),
            Some(hashing)
        );
        assert_eq!(
            chosen(KeyKind::Rsa, false, &[padding, other]),
            Some(padding)
        );
        assert_eq!(chosen(KeyKind::Rsa, false, &[other]), None);
    }

    #[test]
    fn hashes_for_ecdsa_but_where_the_token_wants_its_pin_in_between() {
        let (plain, hashing) = (MechanismType::ECDSA, MechanismType::ECDSA_SHA256);
        for kind in [KeyKind::P256, KeyKind::P384] {
            assert_eq!(chosen(kind, false, &[hashing, plain]), Some(plain));
            assert_eq!(chosen(kind, true, &[hashing, plain]), Some(hashing));
            assert_eq!(chosen(kind, false, &[hashing]), Some(hashing));
            assert_eq!(chosen(kind, true, &[plain]), Some(plain));
        }
    }

    #[test]
    fn wraps_each_digest_as_pkcs1_says() {
        for (hash, info) in [
            (Hash::Sha256, SHA256_INFO),
            (Hash::Sha384, SHA384_INFO),
            (Hash::Sha512, SHA512_INFO),
        ] {
            let input = padding_rsa().input(hash, b"message");
            let length = hash.length();
            assert_eq!(input.len(), info.len() + length);
            assert_eq!(usize::from(input[1]), input.len() - 2);
            assert_eq!(usize::from(input[18]), length);
            assert_eq!(input[19..], hash.digest(b"message"));
        }
    }
}
