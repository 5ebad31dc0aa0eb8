//! Unified kernel images: that each profile boots a system of the inputs with what belongs to it.

use std::collections::{BTreeMap, BTreeSet};

use touchstone_measure::profile_sections;
use touchstone_pe::Section;
use touchstone_pe::uki::stub_version;
use touchstone_store::StorePath;

use super::command_line::{self, Line};
use super::facts::{Facts, malformed};
use super::inputs::Inputs;
use super::known::KnownUki;
use super::refuse::refuse;
use super::system::{self, System};
use super::window::Window;
use super::{Client, Judge, initrd, pcr_sections, sbat, sections, structure};
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
    let mut judged = BTreeSet::new();
    for profile in &profiles {
        self::profile(judge, known, facts, &systems, profile, &mut judged)?;
    }
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
struct Systems {
    systems: BTreeMap<StorePath, System>,
    inputs: std::sync::Arc<Inputs>,
    /// All command lines, in their order.
    lines: Vec<String>,
}

impl Systems {
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

/// Sees that a profile boots what its command line names, with the kernel and initrd that belong to it.
fn profile(
    judge: &Judge,
    known: &KnownUki,
    facts: &Facts<'_>,
    systems: &Systems,
    profile: &[usize],
    judged: &mut BTreeSet<(usize, usize, StorePath)>,
) -> Result<(), Refusal> {
    let section = |name: &str| -> Option<(usize, &Section)> {
        let mut own = profile
            .iter()
            .filter_map(|index| Some((*index, facts.section(*index)?)));
        own.find(|(_, section)| section.name.as_str() == name)
    };
    let missing = |name: &str| {
        refuse(
            "image.section",
            format!(
                "a profile of the image has no section {name}: the machine would take what it is given elsewhere"
            ),
            "assemble a whole UKI",
        )
    };
    let (index, _) = section(".cmdline").ok_or_else(|| missing(".cmdline"))?;
    let line = command_line::read(facts.text(index).unwrap_or_default())?;
    let toplevel = system::toplevel(line.init)?;
    let system = systems
        .systems
        .get(&toplevel)
        .ok_or_else(|| missing(".cmdline"))?;
    command_line_of(&line, system, known)?;
    let (kernels, linux) = section(".linux").ok_or_else(|| missing(".linux"))?;
    let (initrds, content) = section(".initrd").ok_or_else(|| missing(".initrd"))?;
    // Most profiles have those of the first.
    if !judged.insert((kernels, initrds, toplevel)) {
        return Ok(());
    }
    kernel(judge, known, facts, linux, system, &systems.inputs)?;
    if facts
        .content(content)
        .is_some_and(|digest| known.initrds.contains(&digest))
    {
        return Ok(());
    }
    self::initrd(judge, known, facts.window(content), system, systems)
}

fn command_line_of(line: &Line<'_>, system: &System, known: &KnownUki) -> Result<(), Refusal> {
    let allowed = &known.wanted.cmdline.allowed;
    match &system.described {
        Some(described) => {
            let init = format!("{}/init", system.toplevel);
            line.is_of(&init, &described.parameters, allowed)
        }
        None => line.is_allowed(allowed),
    }
}

fn kernel(
    judge: &Judge,
    known: &KnownUki,
    facts: &Facts<'_>,
    section: &Section,
    system: &System,
    inputs: &Inputs,
) -> Result<(), Refusal> {
    let digest = facts.content(section);
    if digest.is_some_and(|digest| known.kernels.contains(&digest)) {
        return Ok(());
    }
    let wrong = |what: String| {
        let help = "use the kernel that boot.json of the system names, or name this one in `kernel` of the policy, if you know where it comes from";
        refuse("image.kernel", what, help)
    };
    let Some(wanted) = &known.wanted.kernel.of_toplevel else {
        return Err(wrong("the kernel is none that the policy names".to_owned()));
    };
    let described = system
        .described
        .as_ref()
        .ok_or_else(|| undescribed(system))?;
    let file = system::named(&judge.store, inputs, &described.kernel, wanted)?;
    match system::is_kernel(&judge.store, &file, facts.window(section))? {
        true => Ok(()),
        false => Err(wrong(format!(
            "the kernel is not {}, which {} boots with",
            described.kernel, system.toplevel
        ))),
    }
}

fn initrd(
    judge: &Judge,
    known: &KnownUki,
    content: Window<'_>,
    system: &System,
    systems: &Systems,
) -> Result<(), Refusal> {
    let Some(wanted) = &known.wanted.initrd.of_toplevel else {
        return Err(initrd::wrong("it is none that the policy names"));
    };
    let described = system
        .described
        .as_ref()
        .ok_or_else(|| undescribed(system))?;
    let files = described.initrds.iter();
    let files = files.map(|file| system::named(&judge.store, &systems.inputs, file, wanted));
    let files = files.collect::<Result<Vec<_>, _>>()?;
    initrd::check(content, &judge.store, &files, &systems.lines)
}

fn undescribed(system: &System) -> Refusal {
    refuse(
        "image.system",
        format!(
            "{} has no boot.json, which would say with which kernel and initrd it boots",
            system.toplevel
        ),
        "build it with `boot.bootspec`, or name kernel and initrd in the policy by files or digests",
    )
}
