//! Nix signing keys and signatures: `<name>:<base 64>`, Ed25519.
//!
//! Source: Nix manual, "Signatures"; key files as `nix-store --generate-binary-cache-key` writes them.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use crate::text;

/// Why a text is no key or signature. Never holds the text of a secret key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No `:`, or nothing before or after it.
    #[error("a {0} is `<name>:<base 64>`: the `:`, or what stands before or after it, is missing")]
    Form(&'static str),
    /// The name has a character that would be ambiguous in lists and documents.
    #[error("the name of a {0} may only have printable ASCII characters other than spaces")]
    Name(&'static str),
    /// The part after the `:` is not the base 64 of as many bytes as it must be.
    #[error("the {kind} `{name}` does not hold the base 64 of {bytes} bytes")]
    Payload {
        /// Public key, secret key or signature.
        kind: &'static str,
        /// The name before the `:`.
        name: String,
        /// Bytes that the kind has.
        bytes: usize,
    },
    /// The two halves of a secret key do not belong together.
    #[error("the secret key `{0}` is damaged: its public half does not belong to its secret half")]
    Halves(String),
    /// No point of the curve, or one for which anybody can make signatures.
    #[error(
        "the public key `{0}` is no usable Ed25519 key: it is no point of the curve or a weak one"
    )]
    Weak(String),
}

const SECRET: &str = "secret key";
const PUBLIC: &str = "public key";
const SIGNATURE: &str = "signature";

/// A key that signs: 64 bytes (seed and public half), wiped from memory when dropped. `Debug` shows the name only.
#[derive(Clone)]
pub struct SecretKey {
    name: String,
    key: SigningKey,
}

impl SecretKey {
    /// Reads the text of a key file; white space around it is ignored.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, payload) = split(text, SECRET)?;
        let wrong = || KeyError::Payload {
            kind: SECRET,
            name: name.to_owned(),
            bytes: 64,
        };
        let bytes = Zeroizing::new(text::base64(payload).ok_or_else(wrong)?);
        let pair: &[u8; 64] = bytes.as_slice().try_into().map_err(|_| wrong())?;
        let key =
            SigningKey::from_keypair_bytes(pair).map_err(|_| KeyError::Halves(name.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// A key from its 32-byte seed. Whoever calls brings the randomness.
    pub fn from_seed(name: &str, seed: &Zeroizing<[u8; 32]>) -> Result<Self, KeyError> {
        check_name(name, SECRET)?;
        Ok(Self {
            name: name.to_owned(),
            key: SigningKey::from_bytes(seed),
        })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public half, under the same name.
    pub fn public_key(&self) -> PublicKey {
        PublicKey {
            name: self.name.clone(),
            key: self.key.verifying_key(),
        }
    }

    /// Signs a fingerprint. Ed25519 is deterministic: the same key and text give the same signature.
    pub fn sign(&self, fingerprint: &str) -> Signature {
        let bytes = self.key.sign(fingerprint.as_bytes()).to_bytes();
        Signature {
            name: self.name.clone(),
            bytes,
        }
    }

    /// The text of a key file, for writing a key that was just made.
    pub fn expose_text(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(self.key.to_keypair_bytes());
        let payload = Zeroizing::new(BASE64.encode(pair.as_slice()));
        Zeroizing::new(format!("{}:{}", self.name, payload.as_str()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecretKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A key that verifies: a name and 32 bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    key: VerifyingKey,
}

impl PublicKey {
    /// Reads `<name>:<base 64>`; white space around it is ignored (`builtins.readFile` leaves a newline). Refuses weak keys.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, payload) = split(text, PUBLIC)?;
        let wrong = || KeyError::Payload {
            kind: PUBLIC,
            name: name.to_owned(),
            bytes: 32,
        };
        let bytes = text::base64_array(payload).ok_or_else(wrong)?;
        let key = VerifyingKey::from_bytes(&bytes)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or_else(|| KeyError::Weak(name.to_owned()))?;
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }

    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes: what makes two keys the same, whatever they are called.
    pub fn contents(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether a signature carries this key's name and is this key's over the fingerprint (strict verification: no malleable or small-order parts).
    pub fn verifies(&self, fingerprint: &str, signature: &Signature) -> bool {
        let bytes = ed25519_dalek::Signature::from_bytes(&signature.bytes);
        self.name == signature.name
            && self
                .key
                .verify_strict(fingerprint.as_bytes(), &bytes)
                .is_ok()
    }
}

/// How many different keys a list holds, whatever they are called.
pub fn distinct_contents(keys: &[PublicKey]) -> usize {
    keys.iter()
        .map(PublicKey::contents)
        .collect::<BTreeSet<_>>()
        .len()
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}",
            self.name,
            BASE64.encode(self.contents())
        )
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

/// A signature: the name of the key and 64 bytes. Whose it really is only [`PublicKey::verifies`] can tell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature {
    name: String,
    bytes: [u8; 64],
}

impl Signature {
    /// Reads `<name>:<base 64>`, with nothing around it.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let (name, payload) = split_exactly(text, SIGNATURE)?;
        let wrong = || KeyError::Payload {
            kind: SIGNATURE,
            name: name.to_owned(),
            bytes: 64,
        };
        Ok(Self {
            name: name.to_owned(),
            bytes: text::base64_array(payload).ok_or_else(wrong)?,
        })
    }

    /// The name of the key that the signature claims.
    pub fn key_name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.name, BASE64.encode(&self.bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Signature({self})")
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl FromStr for Signature {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

crate::text::json_string!(PublicKey, "A Nix public key: <name>:<base 64 of 32 bytes>");
crate::text::json_string!(
    Signature,
    "A Nix signature: <key name>:<base 64 of 64 bytes>"
);

fn split<'a>(text: &'a str, kind: &'static str) -> Result<(&'a str, &'a str), KeyError> {
    split_exactly(text.trim_ascii(), kind)
}

fn split_exactly<'a>(text: &'a str, kind: &'static str) -> Result<(&'a str, &'a str), KeyError> {
    let (name, payload) = text.split_once(':').ok_or(KeyError::Form(kind))?;
    if name.is_empty() || payload.is_empty() {
        return Err(KeyError::Form(kind));
    }
    check_name(name, kind)?;
    Ok((name, payload))
}

fn check_name(name: &str, kind: &'static str) -> Result<(), KeyError> {
    let usable = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != ':');
    if usable {
        Ok(())
    } else {
        Err(KeyError::Name(kind))
    }
}

#[cfg(test)]
mod tests;
