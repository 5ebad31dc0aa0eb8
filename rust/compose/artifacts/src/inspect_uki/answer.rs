//! The answer of `uki.inspect`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_measure::{Bank, Digest};

use super::Header;

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
    /// The name, as the section table has it.
    pub name: String,
    /// The name of more than eight bytes for which `/` and a number stand in the section table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub long_name: Option<String>,
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
