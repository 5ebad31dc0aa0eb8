//! Content addresses: store paths whose names were made of what they hold, recomputed.
//!
//! A name binds content and references by 160 bits of SHA-256. Whoever is led to such a path by something signed, and finds that the content
//! makes the name, has what the signer meant.
//!
//! Source: Nix manual, "Store Path Specification" and "Content-Addressing Store Objects"; confirmed with paths that Nix 2.26 made.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::base32::{self, Base32Error};
use crate::path::{STORE_DIR, shown};
use crate::{Entry, NarHash};

/// What Nix knows of a path that is addressed by its content, kept word for word (`fixed:r:sha256:…`, `text:sha256:…`).
///
/// No signature covers it: it says how to recompute a path's name, never that the path is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ContentAddress(String);

/// A text that is no content address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a content address is 1 to 256 printable ASCII characters, such as `fixed:r:sha256:…`")]
pub struct ContentAddressError;

impl ContentAddress {
    /// The text, as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContentAddress {
    type Err = ContentAddressError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let printable = text.bytes().all(|byte| byte.is_ascii_graphic());
        if printable && (1..=256).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ContentAddressError)
        }
    }
}

impl fmt::Display for ContentAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

crate::text::json_string!(ContentAddress, "A Nix content address, kept word for word");

/// What must hold of a path beside hash and size of its NAR, so that it is what somebody meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: the NAR's hash is signed, or it is what the path's name was made of.
    Nar,
    /// Another hash of the whole NAR: the path's name was made of it.
    Whole(Digest),
    /// The hash of a file's content: the path's name was made of it. The path must be one regular file that is not executable.
    Flat(Digest),
}

/// The hash that a content address holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// SHA-256.
    Sha256([u8; 32]),
    /// SHA-512.
    Sha512(Box<[u8; 64]>),
}

/// Why a content address proves nothing of its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another way of addressing, or a hash that is too weak: `git`, MD5, SHA-1 and what is not known.
    #[error("`{}` is none of text:sha256, fixed:sha256, fixed:sha512, fixed:r:sha256 and fixed:r:sha512, so that the path must be signed", shown(.0))]
    Method(String),
    /// The hash is misspelled.
    #[error("the hash of `{}` is wrong: {why}", shown(.text))]
    Hash {
        /// The content address.
        text: String,
        /// What is wrong with it.
        why: Base32Error,
    },
    /// A path of this kind cannot refer to others, or not to itself.
    #[error("`{}` is of a kind whose paths do not have such references", shown(.0))]
    References(String),
    /// The content address makes another path.
    #[error("`{}` makes the hash part {made}, not this path's", shown(.text))]
    OtherPath {
        /// The content address.
        text: String,
        /// The hash part that it makes together with name and references.
        made: String,
    },
    /// The path refers to itself. Nix 2.17 to 2.34 (NixOS/nix#15837) then hash the NAR with zeros in the place of the path's own hash part, and nothing that would tell
    /// these zeros from others: content that was changed can have the same hash.
    #[error("`{}` is of a path that refers to itself, whose content its name does not settle, so that the path must be signed", shown(.0))]
    Itself(String),
    /// The address is the NAR's hash, and the entry says another.
    #[error("`{}` is another hash than the NAR is said to have", shown(.0))]
    OtherNar(String),
}

/// A content address taken apart.
enum Address {
    /// A file with references to what its text names.
    Text([u8; 32]),
    /// A file's content.
    Flat(Digest),
    /// A NAR.
    Recursive(Digest),
}

impl Entry {
    /// What must be found on the disk for the content address to be true, where there is a content address. It is recomputed: name and
    /// references must make the path. Whether the path was meant by anybody is another question.
    ///
    /// # Errors
    /// [`AddressError`] when the address does not make this path, or none that is safe.
    pub fn addressed(&self) -> Option<Result<Proof, AddressError>> {
        self.ca.as_ref().map(|address| prove(address, self))
    }
}

fn prove(address: &ContentAddress, entry: &Entry) -> Result<Proof, AddressError> {
    let text = || address.as_str().to_owned();
    let parsed = parse(address.as_str())?;
    let itself = entry.references.contains(&entry.path);
    let made = hash_part(&parsed, entry, itself).ok_or_else(|| AddressError::References(text()))?;
    if made != entry.path.hash_part() {
        let text = text();
        return Err(AddressError::OtherPath { text, made });
    }
    match parsed {
        Address::Text(hash) => Ok(Proof::Flat(Digest::Sha256(hash))),
        Address::Flat(digest) => Ok(Proof::Flat(digest)),
        Address::Recursive(_) if itself => Err(AddressError::Itself(text())),
        Address::Recursive(Digest::Sha256(hash)) if NarHash::new(hash) == entry.nar_hash => {
            Ok(Proof::Nar)
        }
        Address::Recursive(Digest::Sha256(_)) => Err(AddressError::OtherNar(text())),
        Address::Recursive(digest) => Ok(Proof::Whole(digest)),
    }
}

fn parse(text: &str) -> Result<Address, AddressError> {
    let hash = |why| AddressError::Hash {
        text: text.to_owned(),
        why,
    };
    let sha256 = |digits: &str| base32::decode(digits).map_err(hash);
    let short = |digits: &str| sha256(digits).map(Digest::Sha256);
    let long = |digits: &str| {
        let bytes = base32::decode(digits).map_err(hash)?;
        Ok(Digest::Sha512(Box::new(bytes)))
    };
    if let Some(digits) = text.strip_prefix("text:sha256:") {
        return sha256(digits).map(Address::Text);
    }
    if let Some(digits) = text.strip_prefix("fixed:sha256:") {
        return short(digits).map(Address::Flat);
    }
    if let Some(digits) = text.strip_prefix("fixed:sha512:") {
        return long(digits).map(Address::Flat);
    }
    if let Some(digits) = text.strip_prefix("fixed:r:sha256:") {
        return short(digits).map(Address::Recursive);
    }
    if let Some(digits) = text.strip_prefix("fixed:r:sha512:") {
        return long(digits).map(Address::Recursive);
    }
    Err(AddressError::Method(text.to_owned()))
}

/// The hash part of the path that an address makes together with the entry's name and references; none where it cannot have these.
fn hash_part(address: &Address, entry: &Entry, itself: bool) -> Option<String> {
    let name = entry.path.name();
    match address {
        Address::Text(_) if itself => None,
        Address::Text(hash) => Some(made_of(&kind("text", entry), hash, name)),
        Address::Recursive(Digest::Sha256(hash)) => {
            Some(made_of(&kind("source", entry), hash, name))
        }
        Address::Flat(_) | Address::Recursive(_) if !entry.references.is_empty() => None,
        Address::Flat(digest) => Some(made_of("output:out", &fixed_output("", digest), name)),
        Address::Recursive(digest) => {
            Some(made_of("output:out", &fixed_output("r:", digest), name))
        }
    }
}

/// What stands before the hash: the kind and all references, itself last and not by its name.
fn kind(word: &str, entry: &Entry) -> String {
    let mut text = word.to_owned();
    let others = entry.references.iter();
    for reference in others.filter(|path| **path != entry.path) {
        text.push(':');
        text.push_str(reference.as_str());
    }
    if entry.references.contains(&entry.path) {
        text.push_str(":self");
    }
    text
}

/// What the names of all other fixed outputs are made of.
fn fixed_output(method: &str, digest: &Digest) -> [u8; 32] {
    let (algorithm, hexadecimal) = match digest {
        Digest::Sha256(bytes) => ("sha256", HEXLOWER.encode(bytes)),
        Digest::Sha512(bytes) => ("sha512", HEXLOWER.encode(bytes.as_slice())),
    };
    Sha256::digest(format!("fixed:out:{method}{algorithm}:{hexadecimal}:")).into()
}

/// 160 bits of a SHA-256: its 32 bytes folded upon 20.
fn made_of(kind: &str, hash: &[u8; 32], name: &str) -> String {
    let hexadecimal = HEXLOWER.encode(hash);
    let long = Sha256::digest(format!("{kind}:sha256:{hexadecimal}:{STORE_DIR}:{name}"));
    let mut short = [0; 20];
    for chunk in long.chunks(short.len()) {
        for (byte, more) in short.iter_mut().zip(chunk) {
            *byte ^= more;
        }
    }
    base32::encode(&short)
}

#[cfg(test)]
mod tests;
