//! What has passed of a UKI while it is written, as far as PCR 11 goes.

use touchstone_measure::{
    Bank, BootPathError, Component, ProfileMeasurement, SectionDigests, UkiError, Version,
    VersionError, measure_profiles,
};
use touchstone_pe::{Section, SectionObserver};

/// The sections that have passed, the stub's own first.
pub(super) struct Passed {
    sections: Vec<Section>,
    digests: SectionDigests,
    /// The content of `.sdmagic`, which names the stub's version.
    magic: Vec<u8>,
}

const MAGIC: &str = ".sdmagic";

impl Passed {
    /// Nothing yet, to be measured in these banks.
    pub(super) fn new(banks: &[Bank]) -> Self {
        Passed {
            sections: Vec::new(),
            digests: SectionDigests::new(banks),
            magic: Vec::new(),
        }
    }

    /// What the profile gives PCR 11 whose sections passed last.
    pub(super) fn last_profile(&self) -> Result<ProfileMeasurement, BootPathError> {
        let missing = VersionError::Missing(Component::Stub);
        let stub = match self.magic.as_slice() {
            [] => Err(missing),
            magic => Version::of_sdmagic(Component::Stub, magic),
        };
        let stub = stub.map_err(UkiError::Version)?;
        let profiles = measure_profiles(&self.sections, &self.digests, &stub)?;
        Ok(profiles.into_iter().last().ok_or(UkiError::NoKernel)?)
    }
}

impl SectionObserver for Passed {
    fn begin(&mut self, section: &Section) {
        self.sections.push(section.clone());
        self.digests.begin(section);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.digests.data(bytes);
        let current = self.sections.last();
        if current.is_some_and(|section| section.name.as_str() == MAGIC)
            && self.magic.len() < MAGIC_LIMIT
        {
            self.magic.extend_from_slice(bytes);
        }
    }

    fn end(&mut self) {
        self.digests.end();
    }
}

/// `.sdmagic` has some fifty bytes.
const MAGIC_LIMIT: usize = 4096;
