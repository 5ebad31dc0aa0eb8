//! Which stub an image is made of.
//!
//! A UKI does not hold the file of its stub: headers change, sections are added, `.sbat` is written over. What decides what runs stays: the
//! headers but for sizes, counts and checksums, and every section of the stub's own with its place and content. The digest of that is the
//! same of a stub and of every image that is made of it.

use std::fs::File;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::facts::{Facts, Wanted};
use super::sbat::SBAT;
use crate::protocol::Refusal;

/// What the digest begins with.
const LABEL: &[u8] = b"touchstone-stub-1\n";
/// Where the stub's own sections end: the first that UKIs and addons add.
const ADDED: [&str; 14] = [
    ".osrel", ".cmdline", ".dtb", ".dtbauto", ".hwids", ".uname", ".splash", ".pcrpkey", ".linux",
    ".initrd", ".efifw", ".ucode", ".profile", ".pcrsig",
];
/// A row of the section table, and in it `SizeOfRawData` and `PointerToRawData`.
const ROW: usize = 40;
const PLACE: std::ops::Range<usize> = 16..24;
/// Of the COFF header: `NumberOfSections`; `PointerToSymbolTable` and `NumberOfSymbols`.
const COUNTS: [std::ops::Range<usize>; 2] = [2..4, 8..16];
/// Of the optional header: the sizes of code and data; `SizeOfImage`, `SizeOfHeaders` and `CheckSum`.
const SIZES: [std::ops::Range<usize>; 2] = [4..16, 56..68];
/// Of the optional header: `DllCharacteristics`, whose upper byte has `NX_COMPAT`, which a kernel without it takes from a UKI.
const DLL_CHARACTERISTICS: usize = 71;
const NX_COMPAT: u8 = 0x01;
/// Of the optional header: the certificate table's directory, by its kind.
const PE32_PLUS: &[u8] = &[0x0b, 0x02];
const CERTIFICATES: [usize; 2] = [96 + 32, 112 + 32];

/// Where the parts of the headers begin.
pub(super) struct Headers {
    pub(super) coff: usize,
    pub(super) optional: usize,
    pub(super) table: usize,
}

impl Headers {
    /// Finds them; the image was read, so that they are there.
    pub(super) fn of(facts: &Facts<'_>) -> Option<Self> {
        let bytes = &facts.headers;
        let pointer = bytes.get(0x3c..0x40)?.first_chunk().copied()?;
        let coff = usize::try_from(u32::from_le_bytes(pointer))
            .ok()?
            .checked_add(4)?;
        let size = bytes.get(coff.checked_add(16)?..)?.first_chunk().copied()?;
        let optional = coff.checked_add(20)?;
        let table = optional.checked_add(usize::from(u16::from_le_bytes(size)))?;
        (table <= bytes.len()).then_some(Self {
            coff,
            optional,
            table,
        })
    }
}

/// How many of an image's sections are the stub's own: those in front of the first that was added.
pub(super) fn sections(facts: &Facts<'_>) -> usize {
    let mut sections = facts.sections().iter();
    let added = sections.position(|section| ADDED.contains(&section.name.as_str()));
    added.unwrap_or(facts.sections().len())
}

/// The digest of the stub that an image is made of.
pub(super) fn digest(facts: &Facts<'_>) -> Option<[u8; 32]> {
    let parts = Headers::of(facts)?;
    let mut hasher = Sha256::new();
    hasher.update(LABEL);
    hasher.update((parts.table as u64).to_le_bytes());
    hasher.update(masked(facts, &parts)?);
    let rows = facts.headers.get(parts.table..)?.chunks_exact(ROW);
    for (section, row) in facts.sections().iter().zip(rows).take(sections(facts)) {
        if section.name.as_str() == SBAT {
            hasher.update(SBAT);
            hasher.update(section.virtual_address.to_le_bytes());
            continue;
        }
        let mut row = row.to_vec();
        row.get_mut(PLACE)?.fill(0);
        hasher.update(row);
        hasher.update(facts.content(section)?);
    }
    Some(hasher.finalize().into())
}

/// The headers up to the section table, without what assembling an image changes.
fn masked(facts: &Facts<'_>, parts: &Headers) -> Option<Vec<u8>> {
    let mut bytes = facts.headers.get(..parts.table)?.to_vec();
    for range in COUNTS {
        bytes
            .get_mut(parts.coff + range.start..parts.coff + range.end)?
            .fill(0);
    }
    for range in SIZES {
        bytes
            .get_mut(parts.optional + range.start..parts.optional + range.end)?
            .fill(0);
    }
    *bytes.get_mut(parts.optional + DLL_CHARACTERISTICS)? &= !NX_COMPAT;
    let is_plus = bytes.get(parts.optional..)?.starts_with(PE32_PLUS);
    let [pe32, plus] = CERTIFICATES;
    let at = parts.optional + if is_plus { plus } else { pe32 };
    if let Some(directory) = bytes.get_mut(at..at + 8) {
        directory.fill(0);
    }
    Some(bytes)
}

/// The digest of a stub, or of the stub that a UKI or addon is made of, as policies name stubs that are not there as files.
///
/// # Errors
/// [`Refusal`] when the file is no image.
pub fn stub_digest(file: &Path) -> Result<[u8; 32], Refusal> {
    let unreadable = |error: std::io::Error| {
        let what = format!("{} cannot be read: {error}", file.display());
        super::refuse("image.malformed", what, "name a stub, a UKI or an addon")
    };
    let source = File::open(file).map_err(unreadable)?;
    let facts = Facts::read(&source, &Wanted::default())?;
    digest(&facts).ok_or_else(|| {
        let what = format!("the headers of {} are cut off", file.display());
        super::refuse("image.malformed", what, "name a stub, a UKI or an addon")
    })
}
