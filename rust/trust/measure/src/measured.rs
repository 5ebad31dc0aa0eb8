//! A UKI that has been measured: what its stub and systemd extend PCR 11 with.

use std::collections::BTreeMap;

use crate::bank::Bank;
use crate::hash::Digests;
use crate::measurement::{Event, EventKind};
use crate::phase::PhasePath;
use crate::uki::{MEASURED, MeasuredSection, UNKNOWN_TO_252, find};
use crate::version::{Release, Version};

/// What the kernel will be served as its initrd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Served {
    /// These digests.
    Digests(Digests),
    /// Unknown: microcode stood behind the initrd and had not been announced.
    OrderLost,
    /// Unknown: no such UKI was ever compared with a real boot.
    NotCompared(&'static str),
}

/// A UKI whose sections have passed: digests in the asked banks, and the texts that decide about measurements.
#[derive(Debug, Clone)]
pub struct MeasuredUki {
    pub(crate) banks: Vec<Bank>,
    pub(crate) sections: Vec<MeasuredSection>,
    pub(crate) stub: Version,
    pub(crate) kept: BTreeMap<String, Vec<u8>>,
    pub(crate) initrd: Served,
}

impl MeasuredUki {
    /// The banks for which digests are there.
    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// All sections in the file's order, the stub's own included.
    pub fn sections(&self) -> &[MeasuredSection] {
        &self.sections
    }

    /// The stub's version, from `.sdmagic`.
    pub fn stub(&self) -> &Version {
        &self.stub
    }

    /// The content of a small section (`.cmdline`, `.osrel`, `.pcrpkey`, `.pcrsig`, `.profile`), when it is there.
    pub fn text(&self, section: &str) -> Option<&[u8]> {
        self.kept
            .get(section)
            .map(Vec::as_slice)
            .filter(|content| !content.is_empty())
    }

    pub(crate) fn initrd(&self) -> &Served {
        &self.initrd
    }

    /// What the stub measures into PCR 11 before the first phase: for each section that is there its name with a NUL,
    /// then its content.
    pub(crate) fn section_events(&self) -> Vec<Event> {
        let measured = MEASURED
            .iter()
            .filter(|name| !(self.stub.release == Release::V252 && UNKNOWN_TO_252.contains(name)));
        let mut events = Vec::new();
        for section in measured.filter_map(|name| find(&self.sections, name)) {
            let name = &section.name;
            let why = format!("the name of the UKI's section {name}, with a NUL");
            events.push(Event::of(
                &self.banks,
                11,
                EventKind::SectionName,
                why,
                format!("{name}\0").as_bytes(),
            ));
            events.push(Event {
                pcr: 11,
                kind: EventKind::SectionContent,
                why: format!(
                    "the content of the UKI's section {name}, {} bytes",
                    section.len
                ),
                digests: section.digests.clone(),
            });
        }
        events
    }

    /// The value of PCR 11 in one bank at the end of a phase path, as `systemd-measure calculate` prints it; none when
    /// the bank was not asked for at the start.
    pub fn pcr11(&self, bank: Bank, phase: &PhasePath) -> Option<crate::Digest> {
        let mut value = crate::Digest::zero(bank);
        for event in self
            .section_events()
            .into_iter()
            .chain(phase_events(&self.banks, phase))
        {
            value = value.extended(&event.digests.get(bank)?);
        }
        Some(value)
    }
}

/// What systemd measures into PCR 11 on the way to the end of this path.
pub(crate) fn phase_events(banks: &[Bank], phase: &PhasePath) -> Vec<Event> {
    let event = |word: &str| {
        Event::of(
            banks,
            11,
            EventKind::Phase,
            format!("the boot phase {word}"),
            word.as_bytes(),
        )
    };
    phase.words().map(event).collect()
}
