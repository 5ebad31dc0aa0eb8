//! `uki.inspect`: what a UKI, an addon or any other PE image consists of, and what it will be measured as.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    Ask, Bank, Component, Digest, Digests, ProfileMeasurement, SectionDigests, Version,
    VersionError, measure_profiles, profile_sections,
};
use touchstone_pe::sbat::{Metadata, SbatError};
use touchstone_pe::{
    Image, ReadError, Section, authenticode, certificates, observe_sections, uki::loader_info,
};
use touchstone_sign::authenticode::{VerifyError, signer_certificate, verify};

use crate::source::open_image;
use crate::{Context, Error, hex};

mod header;

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

/// The answer of `uki.inspect`. Sizes, offsets and addresses are in bytes, digests in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedImage {
    /// Size of the file.
    pub size: u64,
    /// Fields of the headers.
    pub header: Header,
    /// Authenticode SHA-256; absent when tools would disagree about it ([`InspectedImage::problems`] says why).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authenticode_sha256: Option<String>,
    /// Which of systemd's EFI programs it is (of a UKI: its stub), from `.sdmagic`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<Program>,
    /// The section table, in its order.
    pub sections: Vec<InspectedSection>,
    /// The lines of `.sbat`; none when shim could not read it ([`InspectedImage::problems`] says why).
    pub sbat: Vec<SbatLine>,
    /// The signatures, in their order.
    pub signatures: Vec<InspectedSignature>,
    /// What each profile of a UKI gives PCR 11; one where the UKI has no profiles, none where the image is no UKI.
    pub profiles: Vec<InspectedProfile>,
    /// What is wrong with the image.
    pub problems: Vec<String>,
}

/// An EFI program of systemd.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Program {
    /// `systemd-stub`, `systemd-addon` or `systemd-boot`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// One section.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedSection {
    /// The name.
    pub name: String,
    /// The profile that the section belongs to; absent in the base.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<usize>,
    /// Size in memory (`VirtualSize`): what is measured.
    pub size: u32,
    /// Place in memory, from the image's start (`VirtualAddress`).
    pub address: u32,
    /// Size in the file, padding included (`SizeOfRawData`).
    pub raw_size: u32,
    /// Place in the file (`PointerToRawData`).
    pub offset: u32,
    /// `Characteristics`.
    pub characteristics: u32,
    /// `Characteristics` in words.
    pub flags: Vec<String>,
    /// Digests of the `size` bytes.
    pub digests: BTreeMap<Bank, Digest>,
    /// The content of a small section that holds text, without NULs at its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// One line of `.sbat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SbatLine {
    /// The component's name.
    pub component: String,
    /// Its generation.
    pub generation: u32,
    /// Who made it.
    pub vendor: String,
    /// The vendor's name of the package.
    pub package: String,
    /// Of which version.
    pub version: String,
    /// Where to find the vendor.
    pub url: String,
}

/// One signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedSignature {
    /// Subject of the signer's certificate, when it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Issuer of the signer's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// SHA-256 of the signature itself.
    pub sha256: String,
    /// Whether it is of this image and made with the signer's key. Whether anybody trusts the signer is another question.
    pub consistent: bool,
    /// Why it is not consistent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a profile gives PCR 11.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InspectedProfile {
    /// The profile's number, as systemd-boot counts them.
    pub number: usize,
    /// `ID=` of `.profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `TITLE=` of `.profile`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The sections that it boots with: places in [`InspectedImage::sections`].
    pub sections: Vec<usize>,
    /// What is measured, in the stub's order.
    pub measured: Vec<Measured>,
    /// The value of PCR 11 before the first phase; absent when it does not follow from the image alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcr11: Option<BTreeMap<Bank, Digest>>,
    /// Why PCR 11 does not follow from the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One section's part in PCR 11: two extensions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Measured {
    /// The section: its place in [`InspectedImage::sections`].
    pub index: usize,
    /// Its name.
    pub section: String,
    /// Digests of the name with a NUL, extended first.
    pub name: BTreeMap<Bank, Digest>,
    /// Digests of the content, extended second.
    pub content: BTreeMap<Bank, Digest>,
}

/// Larger sections are not shown as text.
const TEXT_LIMIT: u32 = 64 * 1024;
/// `IMAGE_SCN_CNT_CODE`
const CODE: u32 = 0x20;

impl InspectUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Pe`] when the file is no PE image. What is wrong with parts of it is told in the answer.
    pub fn run(&self, context: &Context<'_>) -> Result<InspectedImage, Error> {
        context.progress.phase("inspecting");
        let (mut file, image) = open_image("image", &self.file)?;
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
        signatures: signatures
            .iter()
            .map(|signature| inspect_signature(signature, authenticode.as_ref()))
            .collect(),
        profiles: profiles(file, image, &digests, &sections, banks)?,
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
    let mut inspected = Vec::new();
    for section in image.sections() {
        profiles += usize::from(section.name.as_str() == ".profile");
        inspected.push(InspectedSection {
            name: section.name.to_string(),
            profile: profiles.checked_sub(1),
            size: section.virtual_size,
            address: section.virtual_address,
            raw_size: section.raw_size,
            offset: section.raw_offset,
            characteristics: section.characteristics,
            flags: section_flags(section.characteristics),
            digests: digests.of(section).map(by_bank).unwrap_or_default(),
            text: text(file, image, section)?,
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

fn inspect_signature(signature: &[u8], digest: Option<&[u8; 32]>) -> InspectedSignature {
    let problem = match digest.map(|digest| verify(signature, digest, &[])) {
        Some(Ok(()) | Err(VerifyError::Untrusted { .. })) => None,
        Some(Err(problem)) => Some(problem.to_string()),
        None => Some("the image has no digest that it could be of".to_owned()),
    };
    let certificate = signer_certificate(signature).ok();
    let certificate = certificate.as_ref().map(|found| found.tbs_certificate());
    let sha256 = Digests::of(&[Bank::Sha256], signature);
    InspectedSignature {
        subject: certificate.map(|certificate| certificate.subject().to_string()),
        issuer: certificate.map(|certificate| certificate.issuer().to_string()),
        sha256: sha256
            .get(Bank::Sha256)
            .map(|digest| digest.to_string())
            .unwrap_or_default(),
        consistent: problem.is_none(),
        problem,
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
    let measured = stub(file, image)?
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

fn stub(file: &mut File, image: &Image) -> Result<Result<Version, VersionError>, ReadError> {
    let Some(section) = image.section(".sdmagic") else {
        return Ok(Err(VersionError::Missing(Component::Stub)));
    };
    let magic = image.section_bytes(file, section, u64::from(TEXT_LIMIT))?;
    Ok(Version::of_sdmagic(Component::Stub, &magic))
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
