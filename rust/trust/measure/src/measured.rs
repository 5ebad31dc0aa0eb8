//! A UKI that has been measured: what its stub and systemd extend PCR 11 with.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_pe::Section;

use crate::bank::Bank;
use crate::initrd::ServedInitrd;
use crate::measurement::{Event, EventKind};
use crate::phase::PhasePath;
use crate::profiles::{PROFILE, profile_sections};
use crate::uki::{DTBAUTO, MACHINES_CHOICE, MeasuredSection, UkiError, measured_by};
use crate::version::{Release, Version};

/// The front of what the kernel will be served as its initrd, hashed while the UKI passed.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// The sections that make it, in their order: rows of the table.
    pub(crate) sections: Vec<usize>,
    /// Where hashing stands behind them.
    pub(crate) state: ServedInitrd,
}

/// A UKI whose sections have passed: digests in the asked banks, and the texts that decide about measurements.
#[derive(Debug, Clone)]
pub struct MeasuredUki {
    pub(crate) banks: Vec<Bank>,
    pub(crate) sections: Vec<MeasuredSection>,
    pub(crate) table: Vec<Section>,
    pub(crate) stub: Version,
    /// The small sections, by their row.
    pub(crate) kept: BTreeMap<usize, Vec<u8>>,
    /// None when microcode stood behind the initrd and had not been announced.
    pub(crate) begun: Option<Begun>,
}

impl MeasuredUki {
    /// The banks for which digests are there.
    pub fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// All sections in the order of the section table, the stub's own included.
    pub fn sections(&self) -> &[MeasuredSection] {
        &self.sections
    }

    /// The stub's version, from `.sdmagic`.
    pub fn stub(&self) -> &Version {
        &self.stub
    }

    /// How many profiles there are to choose from: one where the UKI is not divided into profiles.
    pub fn profiles(&self) -> usize {
        let profiles = self.table.iter();
        let begins = |section: &&Section| section.name.as_str() == PROFILE;
        profiles.filter(begins).count().max(1)
    }

    /// The UKI, when the file alone says what PCR 11 will hold.
    ///
    /// # Errors
    /// [`UkiError::Profiles`] where somebody chooses, [`UkiError::MachinesChoice`] where the hardware does.
    pub fn sole(self) -> Result<MeasuredUki, UkiError> {
        if self.profiles() > 1 {
            return Err(UkiError::Profiles(self.profiles()));
        }
        let choice = self
            .profile(0)
            .and_then(|profile| profile.machines_choice());
        match choice {
            Some(section) => Err(UkiError::MachinesChoice(section.to_owned())),
            None => Ok(self),
        }
    }

    /// The content of a small section (`.cmdline`, `.osrel`, `.pcrpkey`, `.pcrsig`, `.profile`, `.uname`) of the first
    /// profile, when it is there.
    pub fn text(&self, section: &str) -> Option<&[u8]> {
        self.profile(0)?.text(section)
    }

    /// The value of PCR 11 of the first profile in one bank at the end of a phase path, as `systemd-measure calculate`
    /// prints it; none when the bank was not asked for at the start, or when the machine's hardware decides.
    pub fn pcr11(&self, bank: Bank, phase: &PhasePath) -> Option<crate::Digest> {
        self.pcr11_of(0, bank, phase)
    }

    /// The same of any profile, counted from 0.
    pub fn pcr11_of(&self, profile: usize, bank: Bank, phase: &PhasePath) -> Option<crate::Digest> {
        let profile = self.profile(profile)?;
        if profile.machines_choice().is_some() {
            return None;
        }
        let mut value = crate::Digest::zero(bank);
        let sections = profile.section_events(None).into_iter();
        for event in sections.chain(phase_events(&self.banks, phase)) {
            value = value.extended(&event.digests.get(bank)?);
        }
        Some(value)
    }

    /// Whether a section that 252 knows is there more than once, which only profiles can tell apart.
    pub(crate) fn has_alternatives(&self) -> bool {
        let mut seen = BTreeSet::new();
        let known = |name: &&str| {
            *name == ".pcrsig" || measured_by(Release::V252).any(|measured| measured == *name)
        };
        let names = self.sections.iter().map(|section| section.name.as_str());
        let mut names = names.filter(known);
        self.profiles() > 1 || names.any(|name| !seen.insert(name))
    }

    /// Whether all profiles have the same kernel.
    pub(crate) fn has_one_kernel(&self) -> bool {
        let kernels = self.sections.iter();
        kernels.filter(|section| section.name == ".linux").count() == 1
    }

    /// The sections with which a profile boots.
    pub(crate) fn profile(&self, number: usize) -> Option<Profile<'_>> {
        let rows = profile_sections(&self.table).into_iter().nth(number)?;
        Some(Profile {
            uki: self,
            number,
            rows,
        })
    }
}

/// A profile of a UKI: the sections that are common to all, where it does not bring its own.
#[derive(Debug, Clone)]
pub(crate) struct Profile<'a> {
    uki: &'a MeasuredUki,
    /// Counted from 0.
    pub(crate) number: usize,
    rows: Vec<usize>,
}

impl<'a> Profile<'a> {
    /// A section that is not empty, with its row in the table.
    pub(crate) fn section(&self, name: &str) -> Option<(usize, &'a MeasuredSection)> {
        let rows = self.rows.iter();
        let mut sections = rows.filter_map(|row| Some((*row, self.uki.sections.get(*row)?)));
        sections.find(|(_, section)| section.name == name && section.len > 0)
    }

    /// The content of a small section that is not empty.
    pub(crate) fn text(&self, name: &str) -> Option<&'a [u8]> {
        let (row, _) = self.section(name)?;
        self.uki.kept.get(&row).map(Vec::as_slice)
    }

    /// What it is called: `TITLE` or `ID` of its section `.profile`.
    pub(crate) fn title(&self) -> Option<&'a str> {
        let text = std::str::from_utf8(self.text(PROFILE)?).ok()?;
        let field = |name: &str| {
            let mut lines = text.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
        };
        field("TITLE").or_else(|| field("ID"))
    }

    /// What the stub measures into PCR 11 before the first phase: for each section that is there its name with a NUL,
    /// then its content.
    ///
    /// Of several device trees in sections `.dtbauto` the machine takes the one in this row, or none.
    pub(crate) fn section_events(&self, device_tree: Option<usize>) -> Vec<Event> {
        let measured = measured_by(self.uki.stub.release);
        let measured = measured.filter_map(|name| match name {
            DTBAUTO => self.uki.sections.get(device_tree?),
            name => self.section(name).map(|(_, section)| section),
        });
        measured
            .flat_map(|section| self.events_of(section))
            .collect()
    }

    /// The rows of the sections `.dtbauto`.
    pub(crate) fn device_trees(&self) -> Vec<usize> {
        let rows = self.rows.iter().copied();
        let named = |row: &usize| {
            let section = self.uki.sections.get(*row);
            section.is_some_and(|section| section.name == DTBAUTO && section.len > 0)
        };
        rows.filter(named).collect()
    }

    /// The section by which the machine's hardware decides what is measured.
    fn machines_choice(&self) -> Option<&'static str> {
        let mut choices = MACHINES_CHOICE.into_iter();
        choices.find(|name| self.section(name).is_some())
    }

    fn events_of(&self, section: &MeasuredSection) -> [Event; 2] {
        let name = &section.name;
        let announced = Event::of(
            &self.uki.banks,
            11,
            EventKind::SectionName,
            format!("the name of the UKI's section {name}, with a NUL"),
            format!("{name}\0").as_bytes(),
        );
        let content = Event {
            pcr: 11,
            kind: EventKind::SectionContent,
            why: format!(
                "the content of the UKI's section {name}, {} bytes",
                section.len
            ),
            digests: section.digests.clone(),
        };
        [announced, content]
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
