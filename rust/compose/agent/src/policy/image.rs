//! What an image must be, part by part.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Origin, Pattern, Sha256Text};
use crate::protocol::KeyName;

/// What an image must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ImageConstraints {
    /// A unified kernel image.
    Uki(Box<Uki>),
    /// A boot loader: one of those that are named.
    Loader(Loader),
    /// An addon, which brings a command line to a UKI that somebody else chooses.
    Addon(Addon),
}

/// What a UKI must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Uki {
    /// The systemd stub that it is made of.
    pub stub: Program,
    /// Where the systems may come from that its command lines name by `init=`.
    pub toplevel: Origin,
    /// The kernel: the content of `.linux`.
    pub kernel: Content,
    /// The initrd: the content of `.initrd`.
    pub initrd: Content,
    /// The command lines: `init=` once, the kernel parameters of the system that it names, and words that are allowed here.
    #[serde(default)]
    pub cmdline: CommandLine,
    /// Sections beside those that every UKI has, and what they hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sections: BTreeMap<String, SectionContent>,
    /// Component → the generation that `.sbat` must give it: exactly this one, for a higher one would evade a revocation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sbat: BTreeMap<String, u32>,
    /// The keys of kind `pcr` whose public half may stand in `.pcrpkey`, and whose signatures in `.pcrsig`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pcr_keys: BTreeSet<KeyName>,
}

/// A program: one of several that are known. At least one is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Program {
    /// Files, read when the agent starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Digests, as [`stub_digest`](crate::judge::stub_digest) makes them and refusals name them: a UKI does not hold the file that it was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<Sha256Text>,
}

impl Program {
    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.sha256.is_empty()
    }
}

/// The content of a section: one of several that are known, or what the system brings that the image boots. At least one way is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Content {
    /// Files, read when the agent starts: the section is one of them, byte for byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// SHA-256 digests of the section's `VirtualSize` bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<Sha256Text>,
    /// What `boot.json` of the system names, byte for byte (a compressed kernel decompressed; behind the initrds the archive by which stage 1
    /// verifies the system).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_toplevel: Option<OfToplevel>,
}

impl Content {
    /// Whether no way is named.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.sha256.is_empty() && self.of_toplevel.is_none()
    }
}

/// A file that the system's `boot.json` names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OfToplevel {
    /// As in `toplevel`: Nix public keys, one of which has signed the file's store path as it lies on the disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_public_keys: Vec<touchstone_store::PublicKey>,
    /// As in `toplevel`: whether its store path may have been built on this machine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub built_here: bool,
    /// The names of store paths that it may lie in: a key signs more than kernels.
    pub names: Vec<Pattern>,
}

impl OfToplevel {
    /// Where its store path must come from.
    pub fn origin(&self) -> Origin {
        Origin {
            trusted_public_keys: self.trusted_public_keys.clone(),
            built_here: self.built_here,
        }
    }
}

/// What may stand on a command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CommandLine {
    /// Words beside `init=` and the kernel parameters of the system: patterns of whole words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowed: Vec<Pattern>,
}

/// What a section holds. One way at least is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SectionContent {
    /// Files, read when the agent starts: the section is one of them, byte for byte.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// SHA-256 digests of the section's `VirtualSize` bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<Sha256Text>,
    /// Whether it may hold anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any: bool,
}

/// Which boot loaders are signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Loader {
    /// Files, read when the agent starts: the image is one of them, but for signatures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Authenticode digests by SHA-256.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sha256: Vec<Sha256Text>,
}

/// What an addon must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Addon {
    /// The addon stub that it is made of.
    pub stub: Program,
    /// Its command line: words that are allowed here, and no `init=`.
    #[serde(default)]
    pub cmdline: CommandLine,
    /// Sections beside `.cmdline`, `.uname`, `.osrel` and `.sbat`, and what they hold.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sections: BTreeMap<String, SectionContent>,
    /// As of UKIs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sbat: BTreeMap<String, u32>,
}
