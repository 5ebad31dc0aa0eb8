//! What each profile of a UKI gives PCR 11.
//!
//! A UKI may hold several profiles (UAPI.5): the sections before the first `.profile` are the base, each `.profile` begins
//! a profile, and the sections of a profile replace those of the base with the same name. Which one boots is chosen on
//! the boot menu; the stub measures the base as the chosen profile changes it, `.profile` included.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_pe::{Section, SectionObserver};

use crate::bank::{Bank, Digest};
use crate::hash::{Digests, Hashers};
use crate::uki::{MACHINES_CHOICE, UkiError, measured_by};
use crate::version::Version;

/// Where the bytes of a section are: sections with the same place have the same digests.
type Place = (u32, u32, u32);

fn place(section: &Section) -> Place {
    (section.raw_offset, section.raw_size, section.virtual_size)
}

/// Sees the sections of any PE image pass once and hashes each.
pub struct SectionDigests {
    banks: Vec<Bank>,
    done: BTreeMap<Place, Digests>,
    current: Option<(Place, Hashers)>,
}

impl SectionDigests {
    /// An observer for these banks.
    pub fn new(banks: &[Bank]) -> SectionDigests {
        SectionDigests {
            banks: banks.to_vec(),
            done: BTreeMap::new(),
            current: None,
        }
    }

    /// Adds the digests of a section that is known and need not pass.
    pub fn insert(&mut self, section: &Section, digests: Digests) {
        self.done.insert(place(section), digests);
    }

    /// The digests of a section's `VirtualSize` bytes, when it has passed.
    pub fn of(&self, section: &Section) -> Option<&Digests> {
        self.done.get(&place(section))
    }
}

impl SectionObserver for SectionDigests {
    fn begin(&mut self, section: &Section) {
        self.current = Some((place(section), Hashers::new(&self.banks)));
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some((_, hashers)) = &mut self.current {
            hashers.update(bytes);
        }
    }

    fn end(&mut self) {
        if let Some((place, hashers)) = self.current.take() {
            self.done.insert(place, hashers.finish());
        }
    }
}

/// One section's part in PCR 11: two extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contribution {
    /// The section: its place in the image's section table.
    pub index: usize,
    /// Its name.
    pub section: String,
    /// The digests of the name with a NUL, extended first.
    pub name: Digests,
    /// The digests of the content, extended second.
    pub content: Digests,
}

/// What a profile gives PCR 11.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileMeasurement {
    /// The sections that this profile boots with: places in the section table, in its order.
    pub sections: Vec<usize>,
    /// What is measured, in the stub's order.
    pub contributions: Vec<Contribution>,
}

impl ProfileMeasurement {
    /// The value of PCR 11 before the first phase, as `systemd-measure calculate --phase=` prints it; none when the bank
    /// was not asked for.
    pub fn pcr11(&self, bank: Bank) -> Option<Digest> {
        let mut value = Digest::zero(bank);
        for contribution in &self.contributions {
            value = value
                .extended(&contribution.name.get(bank)?)
                .extended(&contribution.content.get(bank)?);
        }
        Some(value)
    }
}

/// The sections (places in the table) with which each profile boots; one without a number where there are no profiles.
///
/// An image without `.linux` gives the same: an addon has one "profile".
pub fn profile_sections(sections: &[Section]) -> Vec<Vec<usize>> {
    let starts: Vec<usize> = sections
        .iter()
        .enumerate()
        .filter(|(_, section)| section.name.as_str() == PROFILE)
        .map(|(index, _)| index)
        .collect();
    let base_end = starts.first().copied().unwrap_or(sections.len());
    if starts.is_empty() {
        return vec![(0..base_end).collect()];
    }
    let ends = starts.iter().skip(1).copied().chain([sections.len()]);
    let profiles = starts.iter().copied().zip(ends);
    profiles
        .map(|(start, end)| overlaid(sections, 0..base_end, start..end))
        .collect()
}

/// The section that begins a profile.
pub(crate) const PROFILE: &str = ".profile";

/// The base without what the profile replaces, then the profile.
fn overlaid(
    sections: &[Section],
    base: std::ops::Range<usize>,
    own: std::ops::Range<usize>,
) -> Vec<usize> {
    let profile = sections.get(own.clone()).unwrap_or_default().iter();
    let replaced: BTreeSet<_> = profile.map(|section| section.name).collect();
    let kept = base.filter(|index| {
        let section = sections.get(*index);
        section.is_some_and(|section| !replaced.contains(&section.name))
    });
    kept.chain(own).collect()
}

/// What every profile of an image gives PCR 11, when its stub is `stub`.
///
/// # Errors
/// [`UkiError::MachinesChoice`] where the machine chooses a section, [`UkiError::Twice`] where one profile has two of a
/// name, [`UkiError::NoKernel`].
pub fn measure_profiles(
    sections: &[Section],
    digests: &SectionDigests,
    stub: &Version,
) -> Result<Vec<ProfileMeasurement>, UkiError> {
    profile_sections(sections)
        .into_iter()
        .map(|profile| {
            Ok(ProfileMeasurement {
                contributions: contributions(sections, &profile, digests, stub)?,
                sections: profile,
            })
        })
        .collect()
}

fn contributions(
    sections: &[Section],
    profile: &[usize],
    digests: &SectionDigests,
    stub: &Version,
) -> Result<Vec<Contribution>, UkiError> {
    let of_profile: Vec<(usize, &Section)> = profile
        .iter()
        .filter_map(|index| Some((*index, sections.get(*index)?)))
        .filter(|(_, section)| section.virtual_size > 0)
        .collect();
    let named = |name: &str| -> Vec<(usize, &Section)> {
        let all = of_profile.iter().copied();
        all.filter(|(_, section)| section.name.as_str() == name)
            .collect()
    };
    if let Some(name) = MACHINES_CHOICE
        .into_iter()
        .find(|name| !named(name).is_empty())
    {
        return Err(UkiError::MachinesChoice(name.to_owned()));
    }
    if named(".linux").is_empty() {
        return Err(UkiError::NoKernel);
    }
    let mut contributions = Vec::new();
    for name in measured_by(stub.release) {
        let found = named(name);
        let [(index, section)] = found.as_slice() else {
            if found.is_empty() {
                continue;
            }
            return Err(UkiError::Twice(name.to_owned()));
        };
        contributions.push(Contribution {
            index: *index,
            section: name.to_owned(),
            name: Digests::of(&digests.banks, format!("{name}\0").as_bytes()),
            content: digests.of(section).cloned().unwrap_or_default(),
        });
    }
    Ok(contributions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Release;

    fn sections(names: &[&str]) -> Vec<Section> {
        let named = |(index, name): (usize, &&str)| Section {
            name: name.parse().unwrap(),
            virtual_size: 1,
            virtual_address: index as u32,
            raw_size: 0,
            raw_offset: 0,
            characteristics: 0,
        };
        names.iter().enumerate().map(named).collect()
    }

    #[test]
    fn an_image_without_profiles_boots_with_all_its_sections() {
        assert_eq!(
            profile_sections(&sections(&[".text", ".linux"])),
            [vec![0, 1]]
        );
    }

    #[test]
    fn a_profile_replaces_sections_of_the_base_and_adds_to_it() {
        let table = [
            ".linux", ".cmdline", ".profile", ".profile", ".cmdline", ".profile", ".uname",
        ];
        assert_eq!(
            profile_sections(&sections(&table)),
            [vec![0, 1, 2], vec![0, 3, 4], vec![0, 1, 5, 6]]
        );
    }

    #[test]
    fn a_section_that_the_machine_chooses_is_refused() {
        let stub = Version {
            release: Release::V257,
            text: "257".into(),
        };
        let refused = |names: &[&str]| {
            measure_profiles(&sections(names), &SectionDigests::new(&[]), &stub).unwrap_err()
        };
        assert_eq!(
            refused(&[".linux", ".dtbauto"]),
            UkiError::MachinesChoice(".dtbauto".into())
        );
        assert_eq!(refused(&[".cmdline"]), UkiError::NoKernel);
        assert_eq!(
            refused(&[".linux", ".uname", ".uname"]),
            UkiError::Twice(".uname".into())
        );
    }
}
