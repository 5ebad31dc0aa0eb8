//! EFI signature lists: what PK, KEK, db and dbx hold (UEFI 2.10 section 32.4.1).
//!
//! A variable's value is a sequence of lists; the entries of one list are of one type and one size.
//! The bytes written here are those of cert-to-efi-sig-list and hash-to-efi-sig-list.

use std::collections::HashSet;

use der::Encode;
use uuid::{Uuid, uuid};
use x509_cert::Certificate;

use crate::auth::EfiTime;

/// `EFI_CERT_X509_GUID`: entries are DER certificates.
pub const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// `EFI_CERT_SHA256_GUID`: entries are Authenticode digests of images.
pub const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");
/// `EFI_CERT_X509_SHA256_GUID`: entries are SHA-256 digests of the signed part of certificates (their
/// TBSCertificate), each with the time from which the certificate is revoked. In dbx only.
pub const X509_SHA256: Uuid = uuid!("3bd2a492-96c0-4079-b420-fcf98ef103ed");

/// Length of the type GUID and the three sizes that begin a list, in bytes.
const HEADER: usize = 28;
/// Length of the owner GUID that begins an entry, in bytes.
const OWNER: usize = 16;

/// One `EFI_SIGNATURE_LIST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureList {
    /// What the entries are: [`X509`], [`SHA256`] or another `EFI_CERT_*_GUID`.
    pub kind: Uuid,
    /// The header of the type; empty for every type in use.
    pub header: Vec<u8>,
    /// The entries, whose data are all of one length.
    pub signatures: Vec<Signature>,
}

/// One `EFI_SIGNATURE_DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// Who put it there; firmware shows it and ignores it.
    pub owner: Uuid,
    /// The certificate or the digest.
    pub data: Vec<u8>,
}

/// Why bytes are no sequence of signature lists. Offsets are in bytes from the beginning of the
/// variable's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EslError {
    /// The header or the length of a list goes past the end.
    #[error("the signature list at offset {offset} goes past the end of the data")]
    Truncated {
        /// Where the list begins.
        offset: usize,
    },
    /// The size of the list and those of its parts do not fit together.
    #[error("the sizes in the signature list at offset {offset} contradict one another")]
    Sizes {
        /// Where the list begins.
        offset: usize,
    },
}

/// Why a list cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum EslWriteError {
    /// The entries of one list must be of one length.
    #[error("the entries of one signature list differ in length: use a list for each length")]
    UnequalLengths,
    /// The sizes are 32-bit numbers.
    #[error("a signature list of 4 GiB or more cannot be written")]
    TooLong,
    /// A certificate that cannot be encoded.
    #[error("cannot encode the certificate: {0}")]
    Certificate(#[from] der::Error),
}

/// One list for each certificate, as cert-to-efi-sig-list writes them; nothing for no certificate.
///
/// # Errors
/// When a certificate cannot be encoded or is of 4 GiB.
pub fn of_certificates(
    owner: Uuid,
    certificates: &[Certificate],
) -> Result<Vec<u8>, EslWriteError> {
    let mut out = Vec::new();
    for certificate in certificates {
        out.extend(SignatureList::of_certificate(owner, certificate)?.to_bytes()?);
    }
    Ok(out)
}

/// One list of all `digests`, as hash-to-efi-sig-list writes it; nothing for no digest.
///
/// # Errors
/// When there are so many that the list has 4 GiB.
pub fn of_sha256(owner: Uuid, digests: &[[u8; 32]]) -> Result<Vec<u8>, EslWriteError> {
    SignatureList::of_sha256(owner, digests).map_or(Ok(Vec::new()), |list| list.to_bytes())
}

/// The lists without the entries that stand before them already: the same data in a list of the
/// same type, whoever the owner. Lists that are left empty go.
pub fn without_duplicates(lists: Vec<SignatureList>) -> Vec<SignatureList> {
    let mut seen = HashSet::new();
    let mut kept = lists;
    for list in &mut kept {
        let kind = list.kind;
        list.signatures
            .retain(|signature| seen.insert((kind, signature.data.clone())));
    }
    kept.retain(|list| !list.signatures.is_empty());
    kept
}

/// Reads the value of a variable: any number of lists after one another.
///
/// # Errors
/// When a list goes past the end or its sizes contradict one another. What the entries hold is not
/// looked at.
pub fn parse(bytes: &[u8]) -> Result<Vec<SignatureList>, EslError> {
    let mut lists = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len().saturating_sub(rest.len());
        let (list, after) = parse_one(rest, offset)?;
        lists.push(list);
        rest = after;
    }
    Ok(lists)
}

impl SignatureList {
    /// The list that holds this certificate alone.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn of_certificate(owner: Uuid, certificate: &Certificate) -> Result<Self, der::Error> {
        let data = certificate.to_der()?;
        Ok(Self::new(X509, vec![Signature { owner, data }]))
    }

    /// One list of all these digests of images; none for no digest.
    pub fn of_sha256(owner: Uuid, digests: &[[u8; 32]]) -> Option<Self> {
        let entry = |digest: &[u8; 32]| Signature {
            owner,
            data: digest.to_vec(),
        };
        let signatures: Vec<_> = digests.iter().map(entry).collect();
        (!signatures.is_empty()).then(|| Self::new(SHA256, signatures))
    }

    /// One list of certificates that are revoked, each as the digest of its signed part
    /// ([`crate::certificate::tbs_sha256`]) and the time from which it is; without a time, always.
    /// None for no certificate.
    pub fn of_revoked(owner: Uuid, revoked: &[([u8; 32], Option<EfiTime>)]) -> Option<Self> {
        let entry = |(digest, from): &([u8; 32], Option<EfiTime>)| {
            let from = from.map_or([0; 16], EfiTime::to_bytes);
            let data = [&digest[..], &from].concat();
            Signature { owner, data }
        };
        let signatures: Vec<_> = revoked.iter().map(entry).collect();
        (!signatures.is_empty()).then(|| Self::new(X509_SHA256, signatures))
    }

    fn new(kind: Uuid, signatures: Vec<Signature>) -> Self {
        Self {
            kind,
            header: Vec::new(),
            signatures,
        }
    }

    /// The bytes of this list.
    ///
    /// # Errors
    /// When the entries differ in length or the list is too long for its 32-bit sizes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EslWriteError> {
        let data_length = self
            .signatures
            .first()
            .map_or(0, |signature| signature.data.len());
        if self
            .signatures
            .iter()
            .any(|signature| signature.data.len() != data_length)
        {
            return Err(EslWriteError::UnequalLengths);
        }
        let entry = OWNER.saturating_add(data_length);
        let length = entry
            .saturating_mul(self.signatures.len())
            .saturating_add(HEADER)
            .saturating_add(self.header.len());
        let size = |length: usize| u32::try_from(length).map_err(|_| EslWriteError::TooLong);

        let mut out = Vec::with_capacity(length);
        out.extend(self.kind.to_bytes_le());
        for number in [size(length)?, size(self.header.len())?, size(entry)?] {
            out.extend(number.to_le_bytes());
        }
        out.extend(&self.header);
        for signature in &self.signatures {
            out.extend(signature.owner.to_bytes_le());
            out.extend(&signature.data);
        }
        Ok(out)
    }
}

fn parse_one(bytes: &[u8], offset: usize) -> Result<(SignatureList, &[u8]), EslError> {
    let truncated = EslError::Truncated { offset };
    let sizes = EslError::Sizes { offset };

    let (kind, rest) = guid(bytes).ok_or(truncated)?;
    let (list_size, rest) = number(rest).ok_or(truncated)?;
    let (header_size, rest) = number(rest).ok_or(truncated)?;
    let (entry_size, rest) = number(rest).ok_or(truncated)?;
    let (body, after) = rest
        .split_at_checked(list_size.checked_sub(HEADER).ok_or(sizes)?)
        .ok_or(truncated)?;
    let (header, entries) = body.split_at_checked(header_size).ok_or(sizes)?;
    if entry_size < OWNER || entries.len() % entry_size != 0 {
        return Err(sizes);
    }
    let signatures = entries
        .chunks_exact(entry_size)
        .filter_map(guid)
        .map(|(owner, data)| Signature {
            owner,
            data: data.to_vec(),
        });
    Ok((
        SignatureList {
            kind,
            header: header.to_vec(),
            signatures: signatures.collect(),
        },
        after,
    ))
}

/// A GUID in its mixed-endian form, and what follows.
fn guid(bytes: &[u8]) -> Option<(Uuid, &[u8])> {
    let (guid, rest) = bytes.split_first_chunk::<16>()?;
    Some((Uuid::from_bytes_le(*guid), rest))
}

/// A 32-bit little-endian number, and what follows.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((usize::try_from(u32::from_le_bytes(*number)).ok()?, rest))
}

#[cfg(test)]
mod tests;
