//! One pass over a UKI's sections: everything that PCRs 9, 11 and 12 need of it.

use std::collections::BTreeMap;
use std::io::{self, Read};

use touchstone_pe::{Section, SectionObserver};

use crate::bank::Bank;
use crate::cpio;
use crate::hash::{Digests, Hashers};
use crate::initrd::ServedInitrd;
use crate::measured::{MeasuredUki, Served};
use crate::version::{Component, Release, Version, VersionError};

/// The sections that a stub measures into PCR 11, in the order in which it does.
///
/// `.pcrsig` is never measured: it signs the outcome. `.dtbauto`, `.hwids` and `.efifw` are chosen by the machine.
pub(crate) const MEASURED: [&str; 11] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", ".profile",
];

/// Sections whose content a stub knows how to use, but which no stub of this release measures.
pub(crate) const UNKNOWN_TO_252: [&str; 4] = [".ucode", ".uname", ".sbat", ".profile"];

/// Sections that stand for a choice which the machine makes at boot.
pub(crate) const MACHINES_CHOICE: [&str; 3] = [".dtbauto", ".hwids", ".efifw"];

/// Small sections whose content, not only their digest, decides what is measured.
const KEPT: [&str; 6] = [
    ".sdmagic", ".cmdline", ".osrel", ".pcrpkey", ".pcrsig", ".profile",
];

/// Sections that stubs since 257 hand to the initrd as files, in their order.
pub(crate) const EXTRA_FILES: [(&str, &str); 3] = [
    (".pcrsig", "tpm2-pcr-signature.json"),
    (".pcrpkey", "tpm2-pcr-public-key.pem"),
    (".osrel", "os-release"),
];

/// More than this of a small section is refused, so that memory stays bounded.
const KEPT_LIMIT: usize = 4 << 20;

/// Why a UKI cannot be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UkiError {
    /// The stub's version is missing or unknown.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// There is no kernel inside: the file is no UKI.
    #[error("the file has no section .linux: it is no UKI")]
    NoKernel,
    /// A section is there twice.
    #[error(
        "the section {0} occurs more than once; profiles are not predicted yet: build one UKI for each profile"
    )]
    Twice(String),
    /// A small section is too big.
    #[error("the section {0} is bigger than 4 MiB, which none of its kind is")]
    TooBig(String),
    /// A section whose measurement depends on the machine.
    #[error(
        "the section {0} is chosen by the machine at boot, so its measurement is not the same everywhere; leave it out, or use .dtb"
    )]
    MachinesChoice(String),
    /// The processor microcode that was announced is not the one in the UKI.
    #[error("the section .ucode is not the microcode that was announced before")]
    OtherMicrocode,
}

/// The digest of one section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeasuredSection {
    /// The section's name, with its dot.
    pub name: String,
    /// Its size in memory (VirtualSize), in bytes: what is measured.
    pub len: u64,
    /// The digests of its content, in the asked banks.
    pub digests: Digests,
}

/// Sees a UKI's sections pass once, while it is written or read, and measures them.
///
/// It keeps digests and the small texts only: memory does not grow with kernel or initrd.
pub struct UkiMeasurer {
    banks: Vec<Bank>,
    sections: Vec<MeasuredSection>,
    kept: BTreeMap<String, Vec<u8>>,
    too_big: Option<String>,
    served: ServedInitrd,
    microcode: Microcode,
    initrd_seen: bool,
    current: Option<Current>,
}

/// The section that is passing.
struct Current {
    name: String,
    len: u64,
    hashers: Hashers,
    served: As,
}

/// What the passing section is to the initrd as served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum As {
    /// No part of it.
    Nothing,
    /// Its first piece: up to here both have the same digest.
    FirstPiece,
    /// A piece behind others.
    Piece,
}

/// Where the microcode is: in the initrd as served it stands in front, in the file it stands behind.
enum Microcode {
    /// None was seen.
    Unseen,
    /// It was given before the pass, and hashed; here are its digests.
    Announced(Digests),
    /// It passed before the initrd did.
    InOrder,
    /// It passed after the initrd, without announcement: the order of hashing is lost.
    TooLate,
}

impl UkiMeasurer {
    /// A measurer for these banks.
    pub fn new(banks: &[Bank]) -> UkiMeasurer {
        UkiMeasurer {
            banks: banks.to_vec(),
            sections: Vec::new(),
            kept: BTreeMap::new(),
            too_big: None,
            served: ServedInitrd::new(banks),
            microcode: Microcode::Unseen,
            initrd_seen: false,
            current: None,
        }
    }

    /// Gives the content of `.ucode` before the pass.
    ///
    /// The stub serves microcode before the initrd, while UKIs store it behind. Without this call PCR 9 of such a UKI
    /// stays unknown; everything else is measured all the same.
    pub fn announce_microcode(&mut self, source: &mut impl Read) -> io::Result<()> {
        let mut hashers = Hashers::new(&self.banks);
        self.served.begin();
        crate::hash::feed(source, |bytes| {
            hashers.update(bytes);
            self.served.update(bytes);
        })?;
        self.microcode = Microcode::Announced(hashers.finish());
        Ok(())
    }

    /// What was measured, once all sections have passed.
    pub fn finish(mut self) -> Result<MeasuredUki, UkiError> {
        if let Some(name) = self.too_big {
            return Err(UkiError::TooBig(name));
        }
        let magic = self
            .kept
            .remove(".sdmagic")
            .ok_or(VersionError::Missing(Component::Stub))?;
        let stub = Version::of_sdmagic(Component::Stub, &magic)?;
        check_sections(&self.sections)?;
        if let Microcode::Announced(announced) = &self.microcode
            && find(&self.sections, ".ucode").map(|section| &section.digests) != Some(announced)
        {
            return Err(UkiError::OtherMicrocode);
        }
        let initrd = match self.microcode {
            Microcode::TooLate => Served::OrderLost,
            _ => serve(stub.release, self.served, &self.sections, &self.kept),
        };
        Ok(MeasuredUki {
            banks: self.banks,
            sections: self.sections,
            stub,
            kept: self.kept,
            initrd,
        })
    }

    fn start(&mut self, name: &str) {
        let in_order = matches!(self.microcode, Microcode::Unseen);
        match name {
            ".ucode" if in_order && self.initrd_seen => self.microcode = Microcode::TooLate,
            ".ucode" if in_order => self.microcode = Microcode::InOrder,
            ".initrd" => self.initrd_seen = true,
            _ => {}
        }
        if KEPT.contains(&name) {
            self.kept.insert(name.to_owned(), Vec::new());
        }
        let serve =
            name == ".initrd" || (name == ".ucode" && matches!(self.microcode, Microcode::InOrder));
        let served = match (serve, self.served.is_untouched()) {
            (false, _) => As::Nothing,
            (true, true) => As::FirstPiece,
            (true, false) => As::Piece,
        };
        self.current = Some(Current {
            name: name.to_owned(),
            len: 0,
            hashers: Hashers::new(&self.banks),
            served,
        });
    }

    fn pass(&mut self, bytes: &[u8]) {
        let Some(current) = &mut self.current else {
            return;
        };
        if current.served == As::Piece {
            // A piece begins with its first byte: an empty section is no piece.
            if current.len == 0 && !bytes.is_empty() {
                self.served.begin();
            }
            self.served.update(bytes);
        }
        current.len = current.len.saturating_add(bytes.len() as u64);
        current.hashers.update(bytes);
        if let Some(kept) = self.kept.get_mut(&current.name) {
            if kept.len().saturating_add(bytes.len()) > KEPT_LIMIT {
                self.too_big.get_or_insert_with(|| current.name.clone());
            } else {
                kept.extend_from_slice(bytes);
            }
        }
    }
}

impl SectionObserver for UkiMeasurer {
    fn begin(&mut self, section: &Section) {
        self.start(section.name.as_str());
    }

    fn data(&mut self, bytes: &[u8]) {
        self.pass(bytes);
    }

    fn end(&mut self) {
        if let Some(Current {
            name,
            len,
            hashers,
            served,
        }) = self.current.take()
        {
            if served == As::FirstPiece && len > 0 {
                self.served.adopt(hashers.clone(), len);
            }
            self.sections.push(MeasuredSection {
                name,
                len,
                digests: hashers.finish(),
            });
        }
    }
}

pub(crate) fn find<'a>(sections: &'a [MeasuredSection], name: &str) -> Option<&'a MeasuredSection> {
    sections
        .iter()
        .find(|section| section.name == name && section.len > 0)
}

/// Adds to microcode and initrd what else this stub serves.
fn serve(
    release: Release,
    mut served: ServedInitrd,
    sections: &[MeasuredSection],
    kept: &BTreeMap<String, Vec<u8>>,
) -> Served {
    let there = |name: &str| find(sections, name).is_some();
    if release == Release::V252 && [".ucode", ".pcrsig", ".pcrpkey"].into_iter().any(there) {
        return Served::NotCompared(
            "a UKI with stub 252 and one of the sections .ucode, .pcrsig, .pcrpkey",
        );
    }
    if there(".profile") {
        return Served::NotCompared("a UKI with a section .profile");
    }
    if release > Release::V252 {
        for (section, name) in EXTRA_FILES {
            if let Some(content) = kept.get(section).filter(|content| !content.is_empty()) {
                served.add(&cpio::extra_file(name, content));
            }
        }
    }
    served.finish().map_or(
        Served::NotCompared("a UKI without an initrd"),
        Served::Digests,
    )
}

fn check_sections(sections: &[MeasuredSection]) -> Result<(), UkiError> {
    find(sections, ".linux").ok_or(UkiError::NoKernel)?;
    for section in sections {
        if MACHINES_CHOICE.contains(&section.name.as_str()) {
            return Err(UkiError::MachinesChoice(section.name.clone()));
        }
        let matters =
            MEASURED.contains(&section.name.as_str()) || KEPT.contains(&section.name.as_str());
        if matters
            && sections
                .iter()
                .filter(|other| other.name == section.name)
                .count()
                > 1
        {
            return Err(UkiError::Twice(section.name.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
