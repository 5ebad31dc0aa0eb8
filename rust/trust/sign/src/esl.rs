//! EFI signature lists: what PK, KEK, db and dbx hold (UEFI 2.10 section 32.4.1).
//!
//! A variable's value is a sequence of lists; the entries of one list are of one type and one size.
//! The bytes written here are those of cert-to-efi-sig-list and hash-to-efi-sig-list.

use der::Encode;
use uuid::{Uuid, uuid};
use x509_cert::Certificate;

/// `EFI_CERT_X509_GUID`: entries are DER certificates.
pub const X509: Uuid = uuid!("a5c059a1-94e4-4aa7-87b5-ab155c2bf072");
/// `EFI_CERT_SHA256_GUID`: entries are Authenticode digests of images.
pub const SHA256: Uuid = uuid!("c1c41626-504c-4092-aca9-41f936934328");

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
        let signatures = vec![Signature {
            owner,
            data: certificate.to_der()?,
        }];
        out.extend(
            SignatureList {
                kind: X509,
                header: Vec::new(),
                signatures,
            }
            .to_bytes()?,
        );
    }
    Ok(out)
}

/// One list of all `digests`, as hash-to-efi-sig-list writes it; nothing for no digest.
///
/// # Errors
/// When there are so many that the list has 4 GiB.
pub fn of_sha256(owner: Uuid, digests: &[[u8; 32]]) -> Result<Vec<u8>, EslWriteError> {
    if digests.is_empty() {
        return Ok(Vec::new());
    }
    let signatures = digests
        .iter()
        .map(|digest| Signature {
            owner,
            data: digest.to_vec(),
        })
        .collect();
    SignatureList {
        kind: SHA256,
        header: Vec::new(),
        signatures,
    }
    .to_bytes()
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_keys::{certificate, other_rsa, rsa};

    const OWNER: Uuid = uuid!("11223344-5566-7788-99aa-bbccddeeff00");
    const OWNER_BYTES: [u8; 16] = [
        0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0,
    ];

    #[test]
    fn a_certificate_has_a_list_of_its_own() {
        let [a, b] = [certificate(rsa()), certificate(other_rsa())];
        let bytes = of_certificates(OWNER, &[a.clone(), b.clone()]).unwrap();
        let der = a.to_der().unwrap();
        let length = u32::try_from(der.len()).unwrap();
        let x509 = [
            0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b,
            0xf0, 0x72,
        ];
        let sizes = [28 + 16 + length, 0, 16 + length]
            .map(u32::to_le_bytes)
            .concat();
        assert!(bytes.starts_with(&[&x509, &*sizes, &OWNER_BYTES, &der].concat()));

        let lists = parse(&bytes).unwrap();
        let entries: Vec<_> = lists
            .iter()
            .map(|list| (list.kind, &list.signatures[0].data, list.signatures.len()))
            .collect();
        assert_eq!(entries, [(X509, &der, 1), (X509, &b.to_der().unwrap(), 1)]);
    }

    #[test]
    fn digests_share_one_list() {
        let bytes = of_sha256(OWNER, &[[1; 32], [2; 32]]).unwrap();
        assert_eq!(bytes.len(), 28 + 2 * 48);
        let lists = parse(&bytes).unwrap();
        assert_eq!(
            (lists.len(), lists[0].kind, lists[0].signatures.len()),
            (1, SHA256, 2)
        );
        assert_eq!(
            lists[0].signatures[1],
            Signature {
                owner: OWNER,
                data: vec![2; 32]
            }
        );
    }

    #[test]
    fn nothing_gives_no_list() {
        assert_eq!(of_sha256(OWNER, &[]).unwrap(), b"");
        assert_eq!(of_certificates(OWNER, &[]).unwrap(), b"");
        assert_eq!(parse(b""), Ok(Vec::new()));
    }

    #[test]
    fn refuses_entries_of_unequal_length() {
        let signatures = [1, 2]
            .map(|length| Signature {
                owner: OWNER,
                data: vec![0; length],
            })
            .to_vec();
        let list = SignatureList {
            kind: SHA256,
            header: Vec::new(),
            signatures,
        };
        assert!(matches!(
            list.to_bytes(),
            Err(EslWriteError::UnequalLengths)
        ));
    }

    #[test]
    fn refuses_a_list_that_goes_past_the_end() {
        let two = [
            of_sha256(OWNER, &[[1; 32]]).unwrap(),
            of_sha256(OWNER, &[[2; 32]]).unwrap(),
        ]
        .concat();
        assert_eq!(
            parse(&two[..two.len() - 1]),
            Err(EslError::Truncated { offset: 76 })
        );
        assert_eq!(parse(&two[..10]), Err(EslError::Truncated { offset: 0 }));
    }

    #[test]
    fn refuses_sizes_that_contradict_one_another() {
        // Offsets 16, 20 and 24: the sizes of list, header and entry.
        for (at, size) in [
            (16, 0_u32),
            (16, 27),
            (16, 77),
            (20, 49),
            (20, 1),
            (24, 0),
            (24, 15),
            (24, 47),
            (20, u32::MAX),
        ] {
            let mut bytes = [of_sha256(OWNER, &[[1; 32]]).unwrap(), vec![0; 8]].concat();
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
            assert_eq!(
                parse(&bytes),
                Err(EslError::Sizes { offset: 0 }),
                "{size} at {at}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_written_is_read_again(
            kind in any::<u128>(),
            header in prop::collection::vec(any::<u8>(), 0..8),
            data in prop::collection::vec(any::<[u8; 40]>(), 1..5),
            length in 0_usize..40,
        ) {
            let entry = |data: [u8; 40]| Signature { owner: OWNER, data: data[..length].to_vec() };
            let signatures = data.into_iter().map(entry).collect();
            let list = SignatureList { kind: Uuid::from_u128(kind), header, signatures };
            let bytes = list.to_bytes().unwrap();
            prop_assert_eq!(parse(&[&*bytes, &bytes].concat()), Ok(vec![list.clone(), list]));
        }
    }
}
