//! Unified kernel images: that each profile boots a system of the inputs with what belongs to it.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use touchstone_measure::profile_sections;
use touchstone_pe::uki::stub_version;
use touchstone_store::StorePath;

use super::command_line::{self, Line};
use super::facts::{Facts, malformed};
use super::hashing::Hashing;
use super::inputs::Inputs;
use super::known::KnownUki;
use super::profiles::Profiles;
use super::refuse::refuse;
use super::system::{self, System};
use super::{Client, Judge, pcr_sections, sbat, sections, structure};
use crate::protocol::Refusal;

/// Sections that are judged here.
const JUDGED: [&str; 7] = [
    ".cmdline", ".linux", ".initrd", ".sbat", ".profile", ".pcrpkey", ".pcrsig",
];

/// The first release of systemd whose stub knows profiles.
const PROFILES_SINCE: u32 = 257;

/// What is asked for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A signature of it as it is.
    Image,
    /// Signatures of its PCR 11, which `.pcrsig` is no part of.
    Pcrs,
}

/// Sees that an image is a UKI that the policy allows; the answer is what it boots.
///
/// # Errors
/// [`Refusal`].
pub(super) fn judge(
    judge: &Judge,
    client: &Client,
    known: &KnownUki,
    facts: &Facts<'_>,
    purpose: Purpose,
) -> Result<Vec<StorePath>, Refusal> {
    structure::sections(facts)?;
    let stub = sections::stub_of(facts, &known.stubs)?;
    sections::check(facts, &JUDGED, &known.sections)?;
    let profiles = profile_sections(facts.sections());
    sections::profiles(facts, &profiles)?;
    knows_profiles(facts)?;
    let systems = Systems::find(judge, client, known, facts)?;
    thread::scope(|scope| {
        let hashing = Hashing::new(scope, &judge.store, &systems.inputs);
        let mut all = Profiles::new(known, facts, &systems, hashing);
        profiles.iter().try_for_each(|profile| all.judge(profile))?;
        all.finish()
    })?;
    sbat::check(facts, stub, &known.wanted.sbat)?;
    pcr_sections::keys(judge, facts, &known.wanted.pcr_keys)?;
    if purpose == Purpose::Image {
        pcr_sections::signatures(judge, facts, &known.wanted.pcr_keys, &profiles)?;
    }
    structure::padding(facts)?;
    Ok(systems.systems.into_keys().collect())
}

/// Stubs before systemd 257 know no profiles, and would mix the sections of all.
fn knows_profiles(facts: &Facts<'_>) -> Result<(), Refusal> {
    if facts.texts(".profile").next().is_none() {
        return Ok(());
    }
    let version = stub_version(&facts.image, &mut facts.reader()).map_err(malformed)?;
    let version = version.unwrap_or_default();
    let digits = version.split(|character: char| !character.is_ascii_digit());
    let major = digits.take(1).find_map(|digits| digits.parse::<u32>().ok());
    match major.is_some_and(|major| major >= PROFILES_SINCE) {
        true => Ok(()),
        false => Err(refuse(
            "image.structure",
            format!(
                "the image has profiles, which its stub does not know (its version is {version:?})"
            ),
            "use a stub of systemd 257 or later, or an image for each profile",
        )),
    }
}

/// What an image boots.
pub(super) struct Systems {
    systems: BTreeMap<StorePath, System>,
    inputs: std::sync::Arc<Inputs>,
    /// All command lines, in their order.
    lines: Vec<String>,
}

impl Systems {
    /// What the command lines name by this path.
    pub(super) fn get(&self, toplevel: &StorePath) -> Option<&System> {
        self.systems.get(toplevel)
    }

    /// All command lines.
    pub(super) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Finds what the command lines name.
    fn find(
        judge: &Judge,
        client: &Client,
        known: &KnownUki,
        facts: &Facts<'_>,
    ) -> Result<Self, Refusal> {
        let lines = facts.texts(".cmdline").map(command_line::read);
        let lines: Vec<Line<'_>> = lines.collect::<Result<_, _>>()?;
        let toplevels = lines.iter().map(|line| system::toplevel(line.init));
        let toplevels = toplevels.collect::<Result<BTreeSet<_>, _>>()?;
        let inputs = judge.sight(client, toplevels.clone())?;
        let found = toplevels.into_iter().map(|toplevel| {
            let system = system::find(&judge.store, &inputs, toplevel, &known.wanted.toplevel)?;
            Ok((system.toplevel.clone(), system))
        });
        Ok(Self {
            systems: found.collect::<Result<_, Refusal>>()?,
            lines: lines.iter().map(|line| line.text.to_owned()).collect(),
            inputs,
        })
    }
}
