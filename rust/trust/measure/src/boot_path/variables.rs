//! The firmware's Secure Boot variables, and the entry of `db` that vouches for an image.

use touchstone_sign::esl;
use uuid::Uuid;

/// The Secure Boot variables as the firmware holds them when the machine starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Content of `PK`: signature lists (`EFI_SIGNATURE_LIST`) without authentication header; empty when absent.
    pub pk: Vec<u8>,
    /// Content of `KEK`, likewise.
    pub kek: Vec<u8>,
    /// Content of `db`, likewise.
    pub db: Vec<u8>,
    /// Content of `dbx`, likewise.
    pub dbx: Vec<u8>,
    /// Content of `dbt`, likewise: measured where it is there.
    pub dbt: Vec<u8>,
    /// Whether the firmware enforces signatures: the variable `SecureBoot`.
    pub secure_boot: bool,
}

impl Variables {
    /// The first entry of `db` that is this certificate (DER): what will vouch for an image that is not signed yet.
    pub fn authority(&self, certificate: &[u8]) -> Result<Authority, AuthorityError> {
        let lists = esl::parse(&self.db)?;
        let certificates = lists
            .into_iter()
            .filter(|list| list.kind == esl::X509)
            .flat_map(|list| list.signatures);
        let found = certificates
            .into_iter()
            .find(|entry| entry.data == certificate);
        found
            .map(|entry| Authority::of(&entry))
            .ok_or(AuthorityError::NotInDb)
    }
}

/// Why `db` has no entry for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The variable's content is no sequence of signature lists.
    #[error("the content of db is malformed: {0}")]
    Malformed(#[from] esl::EslError),
    /// The certificate is not there.
    #[error(
        "the certificate is not in db, so the firmware would refuse what it signed: enrol it, or sign with another key"
    )]
    NotInDb,
}

/// The entry of `db`, or of shim's list, that lets an image start: one `EFI_SIGNATURE_DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The entry's owner.
    pub owner: Uuid,
    /// The entry's data: the certificate's DER, as it stands in the list, or the image's digest.
    pub data: Vec<u8>,
}

impl Authority {
    /// An entry that was read.
    pub(crate) fn of(entry: &esl::Signature) -> Authority {
        Authority {
            owner: entry.owner,
            data: entry.data.clone(),
        }
    }

    /// The entry's bytes: owner in little-endian form, then the data (UEFI specification, `EFI_SIGNATURE_DATA`).
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.owner.to_bytes_le().to_vec();
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_an_authority_as_the_firmware_stores_it() {
        let owner = Uuid::from_u128(0x77fa9abd_0359_4d32_bd60_28f4e78f784b);
        let bytes = Authority {
            owner,
            data: vec![0x30],
        }
        .to_bytes();
        assert_eq!(bytes.get(..4), Some(&[0xbd, 0x9a, 0xfa, 0x77][..]));
        assert_eq!(bytes.len(), 17);
    }
}
