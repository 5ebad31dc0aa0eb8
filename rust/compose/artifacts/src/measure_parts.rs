//! `measure.parts`: PCR 11 of UKIs that need not be built, from what they would be made of.
//!
//! Generations share kernels, and often initrds: each file is hashed once for all of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    Bank, Component, Digests, ProfileMeasurement, SectionDigests, Version, measure_profiles,
};
use touchstone_pe::layout::Layout;
use touchstone_pe::uki::{plan, read_stub};
use touchstone_pe::{Image, SectionObserver};

use crate::input::{Input, write_failed};
use crate::pcr11::{AskPcr11, UkiPcrs};
use crate::predict::NoPrediction;
use crate::uki::Parts;
use crate::{Context, Error, Files};

/// The request of `measure.parts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasureParts {
    /// The UKIs, by name: what each would be made of, as `uki.assemble` takes it.
    pub ukis: BTreeMap<String, Parts>,
    /// Phase paths; the moment before the first and all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<touchstone_measure::PhasePath>,
    /// Banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `measure.parts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MeasuredParts {
    /// The UKIs by name, each with the values of its profiles in their order: one where there are none.
    pub ukis: BTreeMap<String, Vec<UkiPcrs>>,
}

impl MeasureParts {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Uki`], [`Error::Predict`], [`Error::InputChanged`].
    pub fn run(&self, context: &Context<'_>) -> Result<MeasuredParts, Error> {
        context.progress.phase("measuring");
        let ask = AskPcr11 {
            phases: self.phases.clone(),
            banks: self.banks.clone(),
        };
        let mut measurer = Measurer {
            banks: ask.banks(),
            seen: BTreeMap::new(),
        };
        let of_uki = |(name, parts): (&String, &Parts)| {
            let profiles = measurer.measure(context.files, parts)?;
            let values = profiles.iter().map(|profile| ask.values_of(profile));
            Ok((name.clone(), values.collect()))
        };
        Ok(MeasuredParts {
            ukis: self.ukis.iter().map(of_uki).collect::<Result<_, Error>>()?,
        })
    }
}

/// A section that other UKIs may share.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Big {
    name: &'static str,
    /// The files that it is made of.
    files: Vec<PathBuf>,
    /// The command lines that stand in it.
    command_lines: Vec<String>,
}

/// Remembers the digests of the big sections.
struct Measurer {
    banks: Vec<Bank>,
    seen: BTreeMap<Big, Digests>,
}

impl Measurer {
    fn measure(
        &mut self,
        files: &dyn Files,
        parts: &Parts,
    ) -> Result<Vec<ProfileMeasurement>, Error> {
        let refused = |source| Error::Uki {
            file: parts.at_fault(&source),
            source,
        };
        let mut stub_file = Input::open(files, "stub", &parts.stub)?;
        let stub = read_stub(&mut stub_file).map_err(refused)?;
        let version = version(&stub, &mut stub_file, parts)?;
        let layout = plan(&stub, &mut stub_file, parts.opened(files)?).map_err(refused)?;
        let (sections, digests) = self.digests(files, layout, &mut stub_file, parts)?;
        measure_profiles(&sections, &digests, &version)
            .map_err(|source| not_measured(parts, source))
    }

    /// The digests of all sections that the UKI would have.
    fn digests(
        &mut self,
        files: &dyn Files,
        layout: Layout<'_>,
        stub: &mut Input,
        parts: &Parts,
    ) -> Result<(Vec<touchstone_pe::Section>, SectionDigests), Error> {
        let sections = layout.sections().to_vec();
        let big: Vec<(usize, Big)> = big(files, parts)?
            .into_iter()
            .filter_map(|big| {
                let mut named = sections.iter().map(|section| section.name);
                let row = named.position(|section| section.as_str() == big.name)?;
                Some((row, big))
            })
            .collect();
        let known: Vec<usize> = big
            .iter()
            .filter(|(_, key)| self.seen.contains_key(key))
            .map(|(row, _)| *row)
            .collect();
        let mut digests = SectionDigests::new(&self.banks);
        let mut observers: [&mut dyn SectionObserver; 1] = [&mut digests];
        layout
            .show(stub, &|row| known.contains(&row), &mut observers)
            .map_err(|error| write_failed(error, ("stub", &parts.stub), &parts.stub))?;
        for (row, key) in big {
            let Some(section) = sections.get(row) else {
                continue;
            };
            match self.seen.get(&key) {
                Some(seen) => digests.insert(section, seen.clone()),
                None => {
                    let new = digests.of(section).cloned();
                    self.seen.extend(new.map(|new| (key, new)));
                }
            }
        }
        Ok((sections, digests))
    }
}

/// The sections that other UKIs may share.
fn big(files: &dyn Files, parts: &Parts) -> Result<[Big; 2], Error> {
    let manifest = parts.verify.iter().filter_map(|one| one.manifest.as_ref());
    let command_lines = match parts.verify {
        Some(_) => parts.command_lines(files)?,
        None => Vec::new(),
    };
    let linux = Big {
        name: ".linux",
        files: parts.linux.iter().cloned().collect(),
        command_lines: Vec::new(),
    };
    let initrd = Big {
        name: ".initrd",
        files: parts.initrds.iter().chain(manifest).cloned().collect(),
        command_lines,
    };
    Ok([linux, initrd])
}

/// The version of the stub: what is measured depends on it.
fn version(stub: &Image, file: &mut Input, parts: &Parts) -> Result<Version, Error> {
    let version = Version::of_image(Component::Stub, stub, file);
    let version = version.map_err(|source| Error::Pe {
        role: "stub",
        file: parts.stub.clone(),
        source,
    })?;
    version.map_err(|source| not_measured(parts, source.into()))
}

fn not_measured(parts: &Parts, source: touchstone_measure::UkiError) -> Error {
    Error::Predict {
        file: Some(parts.stub.clone()),
        source: NoPrediction::Uki(source),
    }
}
