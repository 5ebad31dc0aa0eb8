//! `uki.inspect`: what a UKI, an addon or any other PE image consists of, and what it will be measured as.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    Ask, Bank, Component, Digest, Digests, ProfileMeasurement, SectionDigests, Version,
    measure_profiles, profile_sections,
};
use touchstone_pe::sbat::{Metadata, SbatError};
use touchstone_pe::{
    Image, ReadError, Section, authenticode, certificates, observe_sections, uki::loader_info,
};
use touchstone_sign::firmware::table::Table;
use touchstone_sign::firmware::{Rule, SignatureVerdict};

use crate::source::open_image;
use crate::verify::{self, Lists, Presented};
use crate::{Context, Error, hex};

mod answer;
mod header;

pub use answer::{
    InspectedImage, InspectedProfile, InspectedSection, InspectedSignature, Measured, Program,
    SbatLine,
};
pub use header::{Header, section_flags};

/// The request of `uki.inspect`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InspectUki {
    /// The image: a UKI, an addon, a boot loader, a kernel.
    pub file: PathBuf,
    /// The banks of digests; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// Larger sections are not shown as text.
const TEXT_LIMIT: u32 = 64 * 1024;
/// Nor are more, once texts have this size together.
const TEXTS_LIMIT: usize = 1024 * 1024;
/// UKIs have some dozens; with more than this, a hostile table would name more profiles than fit into memory.
const MOST_SECTIONS: usize = 2048;
/// `IMAGE_SCN_CNT_CODE`
const CODE: u32 = 0x20;

impl InspectUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Pe`] when the file is no PE image. What is wrong with parts of it is told in the answer.
    pub fn run(&self, context: &Context<'_>) -> Result<InspectedImage, Error> {
        context.progress.phase("inspecting");
        let (mut file, image) = open_image(context.files, "image", &self.file)?;
        let banks = match self.banks.as_slice() {
            [] => Ask::default().banks,
            given => given.to_vec(),
        };
        inspect(&mut file, &image, &banks).map_err(|source| unusable(&self.file, source))
    }
}

pub(crate) fn unusable(path: &Path, source: ReadError) -> Error {
    Error::Pe {
        role: "image",
        file: path.to_owned(),
        source,
    }
}

fn inspect(file: &mut File, image: &Image, banks: &[Bank]) -> Result<InspectedImage, ReadError> {
    let mut digests = SectionDigests::new(banks);
    observe_sections(image, file, &mut [&mut digests])?;
    let mut problems = Vec::new();
    let authenticode = authenticode::sha256(image, file)
        .map_err(|error| problems.push(format!("no Authenticode digest: {error}")))
        .ok();
    let signatures = certificates::read(image, file)
        .map_err(|error| problems.push(error.to_string()))
        .unwrap_or_default();
    let sections = sections(file, image, &digests)?;
    let program = loader_info(image, file).unwrap_or_default();
    let sbat = sbat(&sections)
        .map_err(|error| problems.push(format!("the section .sbat {error}")))
        .unwrap_or_default();
    Ok(InspectedImage {
        size: image.len(),
        header: Header::of(image, &image.header_facts(file)?),
        authenticode_sha256: authenticode.map(|digest| hex(&digest)),
        program: program.map(|info| Program {
            name: info.program,
            version: info.version,
        }),
        sbat,
        signatures: inspect_signatures(file, image, &signatures),
        profiles: match sections.len() {
            0..=MOST_SECTIONS => profiles(file, image, &digests, &sections, banks)?,
            many => {
                problems.push(format!(
                    "with {many} sections it is no UKI that a stub would read"
                ));
                Vec::new()
            }
        },
        sections,
        problems,
    })
}

fn sections(
    file: &mut File,
    image: &Image,
    digests: &SectionDigests,
) -> Result<Vec<InspectedSection>, ReadError> {
    let mut profiles = 0usize;
    let mut shown = 0;
    let mut inspected = Vec::new();
    for section in image.sections() {
        let text = match shown < TEXTS_LIMIT {
            true => text(file, image, section)?,
            false => None,
        };
        shown += text.as_ref().map_or(0, String::len);
        profiles += usize::from(section.name.as_str() == ".profile");
        inspected.push(InspectedSection {
            name: section.name.to_string(),
            long_name: image
                .full_name(file, section)
                .ok()
                .filter(|name| name != section.name.as_str()),
            profile: profiles.checked_sub(1),
            size: section.virtual_size,
            address: section.virtual_address,
            raw_size: section.raw_size,
            offset: section.raw_offset,
            characteristics: section.characteristics,
            flags: section_flags(section.characteristics),
            digests: digests.of(section).map(by_bank).unwrap_or_default(),
            text,
        });
    }
    Ok(inspected)
}

fn by_bank(digests: &Digests) -> BTreeMap<Bank, Digest> {
    digests
        .iter()
        .map(|digest| (digest.bank(), digest))
        .collect()
}

/// The content of a small section, if it is text.
fn text(file: &mut File, image: &Image, section: &Section) -> Result<Option<String>, ReadError> {
    if section.virtual_size > TEXT_LIMIT || section.characteristics & CODE != 0 {
        return Ok(None);
    }
    let bytes = image.section_bytes(file, section, u64::from(TEXT_LIMIT))?;
    let Ok(text) = String::from_utf8(bytes) else {
        return Ok(None);
    };
    let text = text.trim_end_matches('\0');
    let is_text = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
    Ok((!text.is_empty() && text.chars().all(is_text)).then(|| text.to_owned()))
}

fn sbat(sections: &[InspectedSection]) -> Result<Vec<SbatLine>, SbatError> {
    let filled = |section: &&InspectedSection| section.name == ".sbat" && section.size > 0;
    let Some(section) = sections.iter().find(filled) else {
        return Ok(Vec::new());
    };
    let metadata = Metadata::parse(section.text.as_deref().unwrap_or_default().as_bytes())?;
    let lines = metadata.0.into_iter();
    Ok(lines
        .map(|line| SbatLine {
            component: line.name,
            generation: line.generation,
            vendor: line.vendor,
            package: line.package,
            version: line.version,
            url: line.url,
        })
        .collect())
}

/// What firmware that trusts and forbids nobody makes of each of the signatures: one that only lacks somebody's trust is consistent.
fn inspect_signatures(
    file: &mut File,
    image: &Image,
    signatures: &[Vec<u8>],
) -> Vec<InspectedSignature> {
    if signatures.is_empty() {
        return Vec::new();
    }
    let table = Table::of(signatures.iter().map(Vec::as_slice));
    let lists = Lists::default();
    // Whatever keeps firmware from computing a digest is among the image's problems: signers meet it as well.
    let digests = verify::digests(file, image, Some(&table), &lists).unwrap_or_default();
    let presented = Presented {
        digests,
        table: Some(table),
    };
    let verdicts = presented.judge(&lists).signatures.into_iter();
    verdicts
        .zip(signatures)
        .map(|(verdict, signature)| inspect_signature(verdict, signature))
        .collect()
}

fn inspect_signature(verdict: SignatureVerdict, signature: &[u8]) -> InspectedSignature {
    let consistent = verdict.reason.rule == Rule::NoChain;
    let sha256 = Digests::of(&[Bank::Sha256], signature);
    InspectedSignature {
        subject: verdict.signer,
        issuer: verdict.issuer,
        sha256: sha256
            .get(Bank::Sha256)
            .map(|digest| digest.to_string())
            .unwrap_or_default(),
        consistent,
        problem: (!consistent).then_some(verdict.reason.why),
    }
}

fn profiles(
    file: &mut File,
    image: &Image,
    digests: &SectionDigests,
    sections: &[InspectedSection],
    banks: &[Bank],
) -> Result<Vec<InspectedProfile>, ReadError> {
    if image.section(".linux").is_none() {
        return Ok(Vec::new());
    }
    let measured = Version::of_image(Component::Stub, image, file)?
        .map_err(|error| error.to_string())
        .and_then(|stub| {
            measure_profiles(image.sections(), digests, &stub).map_err(|error| error.to_string())
        });
    let described = |(number, indices): (usize, Vec<usize>)| {
        let own = indices
            .iter()
            .filter_map(|index| sections.get(*index))
            .find(|section| section.name == ".profile")
            .and_then(|section| section.text.as_deref());
        let known = measured.as_ref().map(|profiles| profiles.get(number));
        let known = known.ok().flatten();
        InspectedProfile {
            number,
            id: own.and_then(|text| field(text, "ID")),
            title: own.and_then(|text| field(text, "TITLE")),
            sections: indices,
            measured: known.map(contributions).unwrap_or_default(),
            pcr11: known.map(|profile| pcr11(profile, banks)),
            problem: measured.as_ref().err().cloned(),
        }
    };
    let all = profile_sections(image.sections()).into_iter();
    Ok(all.enumerate().map(described).collect())
}

fn contributions(profile: &ProfileMeasurement) -> Vec<Measured> {
    let parts = profile.contributions.iter();
    parts
        .map(|part| Measured {
            index: part.index,
            section: part.section.clone(),
            name: by_bank(&part.name),
            content: by_bank(&part.content),
        })
        .collect()
}

fn pcr11(profile: &ProfileMeasurement, banks: &[Bank]) -> BTreeMap<Bank, Digest> {
    let values = banks.iter();
    values
        .filter_map(|bank| Some((*bank, profile.pcr11(*bank)?)))
        .collect()
}

/// A field of a `.profile` text, which is written like os-release.
fn field(text: &str, key: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
    Some(line.trim_matches(['"', '\'']).to_owned())
}
