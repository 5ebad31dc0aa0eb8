//! Signature lists, written by hand (UEFI 2.10 section 32.4.1).

use std::fs;
use std::path::Path;

use anyhow::Result;
use uuid::{Uuid, uuid};

/// An entry of `db` or `dbx`.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A certificate, in DER.
    Certificate(Vec<u8>),
    /// The Authenticode digest of an image; which one, its length says.
    Digest(Vec<u8>),
    /// The digest of a certificate's signed part, and since when it is revoked: the time's 16 bytes, zeros for always.
    Revoked(Vec<u8>, [u8; 16]),
}

/// Who put the entries there.
const OWNER: Uuid = uuid!("7f3f2b8e-51a1-4cf5-9e3f-3f0f2a4f6f00");

const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
const SHA1: Uuid = uuid!("826ca512-cf10-4ac9-b187-be01496631bd");
const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
const SHA384: Uuid = uuid!("ff3e5307-9fd0-48c9-85f1-8ad56c701e01");
const SHA512: Uuid = uuid!("093e0fae-a6c4-4f50-9f1b-d41e2b89c19a");
const X509_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");
const X509_SHA384: Uuid = uuid!("7076876e-80c2-4ee6-aad2-28b349a6865b");

impl Entry {
    fn kind_and_data(&self) -> (Uuid, Vec<u8>) {
        match self {
            Entry::Certificate(der) => (X509, der.clone()),
            Entry::Digest(digest) => {
                let kind = match digest.len() {
                    20 => SHA1,
                    32 => SHA256,
                    48 => SHA384,
                    _ => SHA512,
                };
                (kind, digest.clone())
            }
            Entry::Revoked(digest, time) => {
                let kind = if digest.len() == 48 {
                    X509_SHA384
                } else {
                    X509_SHA256
                };
                (kind, [digest, &time[..]].concat())
            }
        }
    }
}

/// Writes the value of a variable: a list for each entry.
///
/// # Errors
/// When the file cannot be written.
pub fn write_list(path: &Path, entries: &[Entry]) -> Result<()> {
    let mut value = Vec::new();
    for entry in entries {
        let (kind, data) = entry.kind_and_data();
        let size = u32::try_from(16 + data.len())?;
        value.extend(kind.to_bytes_le());
        for number in [28 + size, 0, size] {
            value.extend(number.to_le_bytes());
        }
        value.extend(OWNER.to_bytes_le());
        value.extend(data);
    }
    Ok(fs::write(path, value)?)
}
