//! What the UKIs of a generation carry for the stage 1 that verifies it, and the manifest that was signed elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::{Core, V2};
use touchstone_store::manifest::Entry;
use touchstone_store::{Manifest, StorePath};

use super::BootArtifacts;
use crate::extra_initrd::{self, Verification};
use crate::manifest;
use crate::{Error, Files};

/// What the initrds of a generation verify the systems by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifiedGeneration {
    /// The signed manifest of the generation, which its UKI carries and which is published as its manifest. Without one, the manifest lies on
    /// the root file system, or will be made later.
    pub manifest: Option<PathBuf>,
    /// Where the manifest lies.
    #[serde(default)]
    pub carrier: ManifestCarrier,
    /// Likewise of the specialisations that have a UKI for themselves, by name; all of them where `manifest` is given.
    #[serde(default)]
    pub specialisations: BTreeMap<String, PathBuf>,
}

/// Where the manifest of a generation lies that is not on the root file system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ManifestCarrier {
    /// In the UKI.
    #[default]
    Image,
    /// Beside it on the EFI system partition: a part of what is predicted, not of the image.
    Esp,
}

/// What a UKI has for the stage 1 that verifies what it boots.
#[derive(Debug, Default)]
pub(super) struct Verified {
    /// What its initrd says.
    pub(super) initrd: Option<Verification>,
    /// The manifest that will lie beside it.
    pub(super) beside: Option<PathBuf>,
}

impl BootArtifacts {
    /// The command line of an image that boots `core`.
    pub(super) fn command_line(&self, core: &V2) -> String {
        let line = core.command_line();
        match self.verify {
            Some(_) => extra_initrd::ended(line),
            None => line,
        }
    }

    /// What the UKI of the generation, or of a specialisation, carries.
    ///
    /// # Errors
    /// [`Error::Request`] when one image would carry its manifest and another would not.
    pub(super) fn verification(&self, specialisation: Option<&str>) -> Result<Verified, Error> {
        let Some(verify) = &self.verify else {
            return Ok(Verified::default());
        };
        let manifest = match specialisation {
            None => verify.manifest.as_ref(),
            Some(name) => verify.specialisations.get(name),
        };
        match (manifest, specialisation) {
            (None, Some(name)) if verify.manifest.is_some() => Err(Error::Request {
                fact: format!(
                    "the generation has a signed manifest, and there is none for the specialisation `{name}`"
                ),
                help: "name it in `verify.specialisations`: `touchstone closure sign` signs it as that of the generation",
            }),
            (None, _) if verify.carrier == ManifestCarrier::Esp && self.measure.is_some() => {
                Err(Error::Request {
                    fact: "a manifest is to lie beside the image, PCRs 9 and 12 depend on it, and it is not given".to_owned(),
                    help: "sign the manifest first and name it in `verify.manifest`, let it lie elsewhere, or leave `measure` out",
                })
            }
            _ => Ok(verify.carried(manifest.cloned())),
        }
    }

    /// The file of the manifest that was signed elsewhere.
    ///
    /// # Errors
    /// [`Error::Request`] when two are named, or it is to be signed once more.
    pub(super) fn signed_manifest(&self) -> Result<Option<&Path>, Error> {
        let carried = self.verify.as_ref();
        let carried = carried.and_then(|verify| verify.manifest.as_deref());
        let file = match (self.manifest.as_deref(), carried) {
            (Some(_), Some(_)) => {
                return Err(Error::Request {
                    fact: "both `manifest` and `verify.manifest` are given".to_owned(),
                    help: "leave `manifest` out: the one that an image carries is published, too",
                });
            }
            (published, carried) => published.or(carried),
        };
        match (file, &self.manifest_key) {
            (Some(_), Some(_)) => Err(Error::Request {
                fact: "a signed manifest and `manifestKey` are given".to_owned(),
                help: "leave `manifestKey` out, or sign the manifest once more where the key is",
            }),
            (file, _) => Ok(file),
        }
    }
}

impl VerifiedGeneration {
    fn carried(&self, manifest: Option<PathBuf>) -> Verified {
        let (carried, beside) = match self.carrier {
            ManifestCarrier::Image => (manifest, None),
            ManifestCarrier::Esp => (None, manifest),
        };
        let initrd = Verification { manifest: carried };
        Verified {
            initrd: Some(initrd),
            beside,
        }
    }
}

/// Reads the manifest that was signed elsewhere, and sees that it lists what was made of the closure.
///
/// # Errors
/// [`Error::Open`], [`Error::Manifest`], and [`Error::Text`] when it lists something else.
pub(super) fn signed(files: &dyn Files, file: &Path, made: &Manifest) -> Result<Manifest, Error> {
    let signed = manifest::read(files, file)?;
    let other = |fact: String| {
        Err(Error::Text {
            role: "signed manifest",
            file: file.to_owned(),
            fact: format!("{fact}; make the manifest anew, and sign that"),
        })
    };
    if signed.toplevel() != made.toplevel() {
        let (listed, wanted) = (signed.toplevel(), made.toplevel());
        return other(format!("it is that of {listed}, and not of {wanted}"));
    }
    let paths = |manifest: &Manifest| -> BTreeSet<StorePath> {
        manifest.entries().map(|entry| entry.path.clone()).collect()
    };
    if let Some(path) = paths(&signed).symmetric_difference(&paths(made)).next() {
        return other(format!("{path} is in one closure and not in the other"));
    }
    let unlike = |entry: &&Entry| {
        made.entry(&entry.path)
            .is_none_or(|made| !same(made, entry))
    };
    let other_path = signed.entries().find(unlike).map(|entry| &entry.path);
    match other_path {
        Some(path) => other(format!("it lists another {path}")),
        None => Ok(signed),
    }
}

/// Whether two entries differ in nothing but their signatures.
fn same(one: &Entry, other: &Entry) -> bool {
    let signatures = other.signatures.clone();
    let one = Entry {
        signatures,
        ..one.clone()
    };
    one == *other
}
