//! The certificate table, walked as firmware walks it (UEFI 2.10 section 32.2.4).
//!
//! A `WIN_CERTIFICATE` is its length (4 bytes, the header's 8 included), a revision (which firmware
//! does not look at), a type (2 bytes) and data; the next one begins at the next multiple of 8.

use uuid::{Uuid, uuid};

/// An entry, as far as firmware cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A PKCS#7 signature: DER, whatever may follow it.
    Signature(Vec<u8>),
    /// The same in an entry of the GUID type, which shim passes over.
    GuidSignature(Vec<u8>),
    /// An entry that firmware passes over, in words.
    PassedOver(String),
}

impl Entry {
    /// The signature, whichever type of entry it is in.
    pub fn pkcs7(&self) -> Option<&[u8]> {
        match self {
            Self::Signature(pkcs7) | Self::GuidSignature(pkcs7) => Some(pkcs7),
            Self::PassedOver(_) => None,
        }
    }
}

/// What firmware finds in a certificate table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The entries up to where the table is malformed.
    pub entries: Vec<Entry>,
    /// Where, in bytes from the table's start, an entry is malformed: firmware refuses the image.
    pub malformed: Option<usize>,
}

impl Table {
    /// A table of these signatures, in DER.
    pub fn of<'a>(signatures: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let entries = signatures.into_iter();
        Self {
            entries: entries.map(|der| Entry::Signature(der.to_vec())).collect(),
            malformed: None,
        }
    }
}

/// Length of a `WIN_CERTIFICATE` without its data.
const HEADER: usize = 8;
/// `WIN_CERT_TYPE_PKCS_SIGNED_DATA`
const PKCS: u16 = 0x0002;
/// `WIN_CERT_TYPE_EFI_GUID`: a GUID follows, and tells the type.
const EFI_GUID: u16 = 0x0ef1;
/// `EFI_CERT_TYPE_PKCS7_GUID`
const PKCS7: Uuid = uuid!("4aafd29d-68df-49ee-8aa9-347d375665a7");

/// Walks the table.
pub fn walk(table: &[u8]) -> Table {
    let mut entries = Vec::new();
    let mut rest = table;
    while !rest.is_empty() {
        let Some((entry, after)) = entry(rest) else {
            return Table {
                entries,
                malformed: Some(table.len().saturating_sub(rest.len())),
            };
        };
        entries.push(entry);
        rest = after;
    }
    Table {
        entries,
        malformed: None,
    }
}

/// The first entry and what follows it. `None` when the entry or the zeros behind it go past the
/// table's end, or when it has no data.
fn entry(rest: &[u8]) -> Option<(Entry, &[u8])> {
    let (length, after_length) = rest.split_first_chunk::<4>()?;
    let (kind, _) = after_length.get(2..)?.split_first_chunk::<2>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let kind = u16::from_le_bytes(*kind);
    // Nothing stands in a header alone that ends the table.
    if rest.len() <= HEADER {
        return None;
    }
    let after = rest.get(length.checked_next_multiple_of(8)?..)?;
    let data = rest.get(HEADER..length)?;
    Some((read(kind, data)?, after))
}

fn read(kind: u16, data: &[u8]) -> Option<Entry> {
    match kind {
        PKCS => (!data.is_empty()).then(|| Entry::Signature(data.to_vec())),
        EFI_GUID => {
            let (guid, data) = data
                .split_first_chunk::<16>()
                .filter(|(_, data)| !data.is_empty())?;
            let guid = Uuid::from_bytes_le(*guid);
            Some(match guid {
                PKCS7 => Entry::GuidSignature(data.to_vec()),
                _ => Entry::PassedOver(format!("of type {guid}")),
            })
        }
        _ => Some(Entry::PassedOver(format!("of type {kind:#06x}"))),
    }
}
