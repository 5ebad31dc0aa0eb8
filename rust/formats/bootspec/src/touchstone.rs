//! `org.touchstone.v1`: the extension that names a generation's boot artifacts by digest (docs/org.touchstone.v1.md).

mod read;
mod values;

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use touchstone_store::StorePath;
use touchstone_store::json::JsonError;

use crate::Extension;

pub use values::{ProfileId, RelativePath, Sha256, Title, ValueError};

/// The extension's key at the top level of a document.
pub const KEY: &str = "org.touchstone.v1";

/// The boot artifacts of one generation. Paths are relative to the folder of `boot.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Touchstone {
    /// The generation's UKI.
    pub uki: Image,
    /// The boot loader for which the prediction was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<Image>,
    /// shim, where it stands in front of the boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shim: Option<Image>,
    /// The predicted PCR values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcrs: Option<NamedFile>,
    /// The manifest of the closure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<NamedFile>,
    /// What the specialisations boot with, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub specialisations: BTreeMap<String, Specialisation>,
    /// The path of the sealed generation that this document belongs to; only there.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "text")]
    pub sealed: Option<StorePath>,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NamedFile {
    /// Where it lies.
    pub path: RelativePath,
    /// SHA-256 of the whole file.
    pub sha256: Sha256,
    /// Its size in bytes.
    pub size: u64,
}

/// A PE image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Image {
    /// The file, signatures included.
    #[serde(flatten)]
    pub file: NamedFile,
    /// Its Authenticode SHA-256, which signatures do not change.
    pub authenticode_sha256: Sha256,
    /// The profiles in the order of the image; empty when the image is not divided into profiles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
}

/// A profile of a UKI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Profile {
    /// `ID` of its section `.profile`.
    pub id: ProfileId,
    /// `TITLE` of the same, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<Title>,
}

/// What a specialisation boots with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Specialisation {
    /// Its UKI, which may be the generation's own.
    pub uki: Image,
    /// The profile of that UKI that is the specialisation; without it, the UKI as a whole is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileId>,
    /// The predicted PCR values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pcrs: Option<NamedFile>,
}

impl Touchstone {
    /// Reads the extension's object. Every rule of docs/org.touchstone.v1.md holds of what is returned.
    ///
    /// # Errors
    /// [`JsonError`] with the place of what is wrong.
    pub fn read(value: Value) -> Result<Self, JsonError> {
        read::touchstone(value)
    }

    /// The extension's object, its keys in the specification's order.
    pub fn to_value(&self) -> Value {
        // Texts and numbers under fixed keys: there is nothing that cannot be written.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The extension, to be put among a document's.
    pub fn to_extension(&self) -> Extension {
        let Value::Object(members) = self.to_value() else {
            return Extension::of(Map::new()); // a struct is an object
        };
        Extension::of(members)
    }

    /// Every image and file that is named, each with what it is.
    pub fn files(&self) -> impl Iterator<Item = &NamedFile> {
        let own = self.images().map(|image| &image.file);
        let specialisations = self.specialisations.values();
        let pcrs = specialisations.filter_map(|one| one.pcrs.as_ref());
        own.chain(self.pcrs.iter())
            .chain(&self.manifest)
            .chain(pcrs)
    }

    /// Every image that is named; one that several share comes as often as it is named.
    pub fn images(&self) -> impl Iterator<Item = &Image> {
        self.signed_images().chain(&self.shim)
    }

    /// Every UKI that is named; one that several share comes as often as it is named.
    pub fn ukis(&self) -> impl Iterator<Item = &Image> {
        let specialisations = self.specialisations.values().map(|one| &one.uki);
        std::iter::once(&self.uki).chain(specialisations)
    }

    /// Every image that the key of the generation's owner signs: all but shim, which somebody else has signed.
    pub fn signed_images(&self) -> impl Iterator<Item = &Image> {
        self.ukis().chain(&self.loader)
    }

    /// The generation as a specialisation of another document, in whose folder this document's folder is `folder`.
    ///
    /// # Errors
    /// [`ValueError`] when `folder` is no relative path.
    pub fn as_specialisation(&self, folder: &str) -> Result<Specialisation, ValueError> {
        let moved = |file: &NamedFile| {
            Ok(NamedFile {
                path: RelativePath::parse(&format!("{folder}/{}", file.path))?,
                ..file.clone()
            })
        };
        Ok(Specialisation {
            uki: Image {
                file: moved(&self.uki.file)?,
                ..self.uki.clone()
            },
            profile: None,
            pcrs: self.pcrs.as_ref().map(moved).transpose()?,
        })
    }
}

fn text<S: serde::Serializer>(path: &Option<StorePath>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path.as_ref().map_or("", StorePath::as_str))
}
