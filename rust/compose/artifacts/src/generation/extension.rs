//! `org.touchstone.v1` and the answer: what was made, as it is told.

use std::collections::BTreeMap;

use touchstone_bootspec::Extension;
use touchstone_bootspec::touchstone::{
    Image, KEY, NamedFile, RelativePath, Sha256, Specialisation, Touchstone, ValueError,
};

use super::files::{MadeFile, MadeImage};
use super::image::MadeUki;
use super::{MadeBootArtifacts, Places};
use crate::Error;
use crate::manifest::ManifestSummary;

/// Everything that was made.
pub(super) struct Described {
    pub(super) uki: MadeUki,
    /// Of the specialisations that have one for themselves.
    pub(super) specialisations: BTreeMap<String, MadeUki>,
    pub(super) loader: Option<MadeImage>,
    pub(super) shim: Option<MadeImage>,
    pub(super) manifest: Option<(ManifestSummary, MadeFile)>,
}

impl Described {
    /// The extension, with its name.
    ///
    /// # Errors
    /// [`Error::Request`] when a specialisation's name makes no path.
    pub(super) fn extension(&self, places: &Places<'_>) -> Result<(String, Extension), Error> {
        let extension = self.touchstone(places).map_err(|error| Error::Request {
            fact: format!("boot.json cannot name a file: {error}"),
            help: "give specialisations names of letters, digits and dashes",
        })?;
        Ok((KEY.to_owned(), extension.to_extension()))
    }

    fn touchstone(&self, places: &Places<'_>) -> Result<Touchstone, ValueError> {
        let in_place = InPlace(places.prefix);
        let mut specialisations = places.elsewhere.clone();
        for (name, made) in &self.specialisations {
            let one = Specialisation {
                uki: in_place.uki(made)?,
                profile: None,
                pcrs: in_place.optional(made.pcrs.as_ref())?,
            };
            specialisations.insert(name.clone(), one);
        }
        for (name, shared) in &self.uki.shared {
            let one = Specialisation {
                uki: in_place.uki(&self.uki)?,
                profile: Some(shared.profile.clone()),
                pcrs: in_place.optional(shared.pcrs.as_ref())?,
            };
            specialisations.insert(name.clone(), one);
        }
        let image = |image: &Option<MadeImage>| {
            let image = image.as_ref();
            image.map(|image| in_place.image(image)).transpose()
        };
        let manifest = self.manifest.as_ref();
        Ok(Touchstone {
            uki: in_place.uki(&self.uki)?,
            loader: image(&self.loader)?,
            shim: image(&self.shim)?,
            pcrs: in_place.optional(self.uki.pcrs.as_ref())?,
            manifest: in_place.optional(manifest.map(|(_, file)| file))?,
            specialisations,
            sealed: places.sealed.clone(),
        })
    }

    /// The answer of `boot.artifacts`.
    pub(super) fn answer(self) -> MadeBootArtifacts {
        let specialisations = self.specialisations.into_iter();
        MadeBootArtifacts {
            uki: self.uki.image.answer,
            specialisations: specialisations
                .map(|(name, made)| (name, made.image.answer))
                .collect(),
            profiles: self
                .uki
                .profiles
                .iter()
                .map(|one| one.id.to_string())
                .collect(),
            shared: self.uki.shared.into_keys().collect(),
            loader: self.loader.map(|image| image.answer),
            shim: self.shim.map(|image| image.answer),
            manifest: self.manifest.map(|(summary, _)| summary),
        }
    }
}

/// Names files from the folder of `boot.json`.
struct InPlace(&'static str);

impl InPlace {
    fn file(&self, file: &MadeFile) -> Result<NamedFile, ValueError> {
        Ok(NamedFile {
            path: RelativePath::parse(&format!("{}{}", self.0, file.path))?,
            sha256: Sha256::parse(&file.content.sha256)?,
            size: file.content.size,
        })
    }

    fn optional(&self, file: Option<&MadeFile>) -> Result<Option<NamedFile>, ValueError> {
        file.map(|file| self.file(file)).transpose()
    }

    fn uki(&self, made: &MadeUki) -> Result<Image, ValueError> {
        Ok(Image {
            profiles: made.profiles.clone(),
            ..self.image(&made.image)?
        })
    }

    fn image(&self, made: &MadeImage) -> Result<Image, ValueError> {
        Ok(Image {
            file: self.file(&made.file)?,
            authenticode_sha256: Sha256::parse(&made.answer.authenticode_sha256)?,
            profiles: Vec::new(),
        })
    }
}
