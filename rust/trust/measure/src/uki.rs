//! One pass over a UKI's sections: everything that PCRs 9, 11 and 12 need of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use touchstone_pe::{Section, SectionObserver};

use crate::bank::Bank;
use crate::hash::{Digests, Hashers};
use crate::initrd::ServedInitrd;
use crate::measured::{Begun, MeasuredUki};
use crate::profiles::{PROFILE, profile_sections};
use crate::version::{Component, Release, Version, VersionError};

/// The sections that a stub measures into PCR 11, in the order in which it does.
///
/// `.pcrsig` is never measured: it signs the outcome. Of several sections `.dtbauto` the machine takes one; `.efifw` was
/// never seen.
const MEASURED: [&str; 13] = [
    ".linux", ".osrel", ".cmdline", ".initrd", ".ucode", ".splash", ".dtb", ".uname", ".sbat",
    ".pcrpkey", ".profile", DTBAUTO, ".hwids",
];

/// Device trees, of which the stub takes the machine's.
pub(crate) const DTBAUTO: &str = ".dtbauto";

/// Sections whose content a stub knows how to use, but which no stub of this release measures.
const UNKNOWN_TO_252: [&str; 6] = [".ucode", ".uname", ".sbat", ".profile", DTBAUTO, ".hwids"];

/// The sections that the stub of this release measures into PCR 11, in its order.
pub(crate) fn measured_by(release: Release) -> impl Iterator<Item = &'static str> {
    let known = move |name: &&str| release != Release::V252 || !UNKNOWN_TO_252.contains(name);
    MEASURED.into_iter().filter(known)
}

/// Sections that stand for a choice which the machine makes at boot.
pub(crate) const MACHINES_CHOICE: [&str; 2] = [DTBAUTO, ".efifw"];

/// Small sections whose content, not only their digest, decides what is measured.
const KEPT: [&str; 7] = [
    SDMAGIC, ".cmdline", ".osrel", ".pcrpkey", ".pcrsig", ".profile", ".uname",
];

/// The section with the stub's version.
const SDMAGIC: &str = ".sdmagic";

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
    /// A section is twice in one profile.
    #[error(
        "the section {0} occurs more than once in one profile: only one of the two can be meant"
    )]
    Twice(String),
    /// There are several profiles, of which one is chosen on the boot menu.
    #[error(
        "the UKI has {0} profiles, and PCR 11 is another with each: `uki inspect` shows the values of each"
    )]
    Profiles(usize),
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
    passed: Vec<Passed>,
    too_big: Option<String>,
    served: ServedInitrd,
    /// Which of the passed sections make what is served so far.
    pieces: Vec<usize>,
    microcode: Microcode,
    initrd_seen: bool,
    profile_seen: bool,
    current: Option<Current>,
}

/// A section that has passed.
struct Passed {
    section: Section,
    measured: MeasuredSection,
    kept: Option<Vec<u8>>,
}

/// The section that is passing.
struct Current {
    section: Section,
    len: u64,
    hashers: Hashers,
    kept: Option<Vec<u8>>,
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
            passed: Vec::new(),
            too_big: None,
            served: ServedInitrd::new(banks),
            pieces: Vec::new(),
            microcode: Microcode::Unseen,
            initrd_seen: false,
            profile_seen: false,
            current: None,
        }
    }

    /// Gives the content of `.ucode` before the pass; of several profiles, that of their common sections.
    ///
    /// The stub serves microcode before the initrd, while UKIs store it behind. Without this call PCR 9 of such a UKI
    /// needs a second look at its content ([`crate::Uki::content`]); everything else is measured all the same.
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
        let magic = self.passed.iter().find(|passed| passed.name() == SDMAGIC);
        let magic = magic
            .and_then(|passed| passed.kept.as_deref())
            .ok_or(VersionError::Missing(Component::Stub))?;
        let stub = Version::of_sdmagic(Component::Stub, magic)?;
        if let Microcode::Announced(announced) = &self.microcode {
            let ours = self.passed.iter().position(|passed| {
                passed.name() == ".ucode" && passed.measured.digests == *announced
            });
            self.pieces.insert(0, ours.ok_or(UkiError::OtherMicrocode)?);
        }
        let begun = match self.microcode {
            Microcode::TooLate => None,
            _ => Some((self.pieces, self.served)),
        };
        let (rows, passed) = in_order_of_the_table(self.passed);
        let table: Vec<Section> = passed.iter().map(|passed| passed.section.clone()).collect();
        check_sections(&table)?;
        let mut sections = Vec::with_capacity(passed.len());
        let mut kept = BTreeMap::new();
        for (row, passed) in passed.into_iter().enumerate() {
            sections.push(passed.measured);
            kept.extend(passed.kept.map(|content| (row, content)));
        }
        Ok(MeasuredUki {
            banks: self.banks,
            sections,
            table,
            stub,
            kept,
            begun: begun.map(|(pieces, state)| Begun {
                sections: pieces
                    .iter()
                    .filter_map(|passed| rows.get(passed).copied())
                    .collect(),
                state,
            }),
        })
    }

    fn start(&mut self, section: &Section) {
        let name = section.name.as_str();
        let in_order = matches!(self.microcode, Microcode::Unseen);
        let common = !self.profile_seen;
        match name {
            PROFILE => self.profile_seen = true,
            ".ucode" if common && in_order && self.initrd_seen => {
                self.microcode = Microcode::TooLate;
            }
            ".ucode" if common && in_order => self.microcode = Microcode::InOrder,
            ".initrd" if common => self.initrd_seen = true,
            _ => {}
        }
        let serve = common
            && (name == ".initrd"
                || (name == ".ucode" && matches!(self.microcode, Microcode::InOrder)));
        let served = match (serve, self.served.is_untouched()) {
            (false, _) => As::Nothing,
            (true, true) => As::FirstPiece,
            (true, false) => As::Piece,
        };
        self.current = Some(Current {
            section: section.clone(),
            len: 0,
            hashers: Hashers::new(&self.banks),
            kept: KEPT.contains(&name).then(Vec::new),
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
        if let Some(kept) = &mut current.kept {
            if kept.len().saturating_add(bytes.len()) > KEPT_LIMIT {
                self.too_big
                    .get_or_insert_with(|| current.section.name.as_str().to_owned());
            } else {
                kept.extend_from_slice(bytes);
            }
        }
    }
}

impl SectionObserver for UkiMeasurer {
    fn begin(&mut self, section: &Section) {
        self.start(section);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.pass(bytes);
    }

    fn end(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        if current.served != As::Nothing && current.len > 0 {
            if current.served == As::FirstPiece {
                self.served.adopt(current.hashers.clone(), current.len);
            }
            self.pieces.push(self.passed.len());
        }
        self.passed.push(Passed {
            measured: MeasuredSection {
                name: current.section.name.as_str().to_owned(),
                len: current.len,
                digests: current.hashers.finish(),
            },
            section: current.section,
            kept: current.kept,
        });
    }
}

impl Passed {
    fn name(&self) -> &str {
        &self.measured.name
    }
}

/// Sections pass by their place in the file; profiles are told apart by the section table, which is in the order of
/// addresses (PE format, "Section Table"). The first value says in which row a section is that passed as the n-th.
fn in_order_of_the_table(passed: Vec<Passed>) -> (BTreeMap<usize, usize>, Vec<Passed>) {
    let mut passed: Vec<(usize, Passed)> = passed.into_iter().enumerate().collect();
    passed.sort_by_key(|(_, passed)| passed.section.virtual_address);
    let rows = passed.iter().enumerate();
    let rows = rows.map(|(row, (at, _))| (*at, row)).collect();
    (rows, passed.into_iter().map(|(_, passed)| passed).collect())
}

/// Every profile must have a kernel, and none of its sections twice.
fn check_sections(table: &[Section]) -> Result<(), UkiError> {
    for profile in profile_sections(table) {
        let rows = profile.iter().filter_map(|row| table.get(*row));
        let mut seen = BTreeSet::new();
        for section in rows.filter(|section| section.virtual_size > 0) {
            let name = section.name.as_str();
            let matters = MEASURED.contains(&name) || KEPT.contains(&name);
            if !seen.insert(name) && matters && name != DTBAUTO {
                return Err(UkiError::Twice(name.to_owned()));
            }
        }
        if !seen.contains(".linux") {
            return Err(UkiError::NoKernel);
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;
