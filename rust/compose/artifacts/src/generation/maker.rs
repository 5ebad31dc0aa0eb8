//! Makes the files of a generation.

use std::path::Path;

use touchstone_bootspec::Extensions;

use super::extension::Described;
use super::files::{MadeFile, MadeImage, described, written};
use super::signer::ImageSigner;
use super::{BootArtifacts, MadeBootArtifacts, Places, plan, verification};
use crate::bootspec::DOCUMENT;
use crate::firmware::{Firmware, Measure};
use crate::input::Input;
use crate::inspect::DigestPe;
use crate::manifest::{self, ManifestSummary, NixKey};
use crate::output::STAGED;
use crate::policy::{PcrKeys, PcrSign};
use crate::sign::{By, Seal, copy_signed};
use crate::uki::AssembledUki;
use crate::{Context, Error, output};

/// The boot loader's name in the folder.
pub(super) const LOADER: &str = "loader.efi";
/// Likewise shim's.
const SHIM: &str = "shim.efi";

/// A request with its keys and variables open.
pub(crate) struct Maker<'a> {
    pub(super) request: &'a BootArtifacts,
    signer: Option<ImageSigner<'a>>,
    pub(super) pcr_keys: Option<PcrKeys>,
    pub(super) firmware: Option<Firmware>,
    pub(super) context: &'a Context<'a>,
}

impl<'a> Maker<'a> {
    /// Opens keys and variables.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn open(
        request: &'a BootArtifacts,
        context: &'a Context<'a>,
    ) -> Result<Self, Error> {
        let pcr_sign = request.pcr_sign.as_ref();
        let pcr_keys = pcr_sign.map(|sign: &PcrSign| sign.open(context));
        let firmware = request
            .measure
            .as_ref()
            .map(|measure: &Measure| measure.open(context.files));
        let maker = Self {
            request,
            signer: ImageSigner::open(request, context)?,
            pcr_keys: pcr_keys.transpose()?,
            firmware: firmware.transpose()?,
            context,
        };
        maker.check_names()?;
        Ok(maker)
    }

    /// Who signs the images, if anybody does.
    pub(super) fn signer(&self) -> Option<By<'_>> {
        self.signer.as_ref().map(ImageSigner::by)
    }

    /// A specialisation's name becomes a folder's.
    fn check_names(&self) -> Result<(), Error> {
        let plain = |name: &String| {
            !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
        };
        let mut names = self.request.bootspec.specialisations.keys();
        match names.find(|name| !plain(name)) {
            None => Ok(()),
            Some(name) => Err(Error::Request {
                fact: format!("the specialisation {name:?} has a name that no folder can have"),
                help: "give it a name of letters, digits and dashes",
            }),
        }
    }

    /// Makes every file, `boot.json` last.
    ///
    /// # Errors
    /// See [`Error`].
    pub(crate) fn make(&self, places: &Places<'_>) -> Result<MadeBootArtifacts, Error> {
        let planned = plan::plan(self.context.files, self.request, places)?;
        let folder = places.artifacts;
        let shim = self.shim(folder)?;
        let loader = self.loader(folder)?;
        let uki = self.uki(&planned.generation, folder)?;
        let specialisations = planned.specialisations.iter();
        let specialisations = specialisations
            .map(|(name, planned)| Ok(((*name).to_owned(), self.uki(planned, folder)?)))
            .collect::<Result<_, Error>>()?;
        let manifest = self.manifest(folder)?;
        let made = Described {
            uki,
            specialisations,
            loader,
            shim,
            manifest,
        };
        let extension = Extensions::from_iter([made.extension(places)?]);
        let (document, _) = self.request.bootspec.document(extension)?;
        let document_file = places.document.join(DOCUMENT);
        output::bytes(&STAGED, &document_file, document.to_json().as_bytes())?;
        Ok(made.answer())
    }

    /// Copies the boot loader, signed if there is a key.
    fn loader(&self, folder: &Path) -> Result<Option<MadeImage>, Error> {
        let Some(path) = &self.request.loader else {
            return Ok(None);
        };
        let role = "boot loader";
        let Some(signer) = self.signer() else {
            return self.copy(role, path, folder, LOADER).map(Some);
        };
        self.context.progress.phase("signing the boot loader");
        let seal = Seal::beside(signer, false);
        written(folder, LOADER, |out, target| {
            let signed = copy_signed(self.context.files, path, role, seal, out, target)?;
            Ok(AssembledUki {
                authenticode_sha256: signed.authenticode_sha256,
                size: signed.size,
                signed_by: Some(signed.signed_by),
            })
        })
        .map(Some)
    }

    /// Copies shim as it is: whom the firmware trusts has signed it.
    fn shim(&self, folder: &Path) -> Result<Option<MadeImage>, Error> {
        let shim = self.request.shim.as_ref();
        shim.map(|shim| self.copy("shim", &shim.image, folder, SHIM))
            .transpose()
    }

    fn copy(
        &self,
        role: &'static str,
        path: &Path,
        folder: &Path,
        name: &str,
    ) -> Result<MadeImage, Error> {
        let digest = DigestPe {
            file: path.to_owned(),
        };
        let digest = digest.run(self.context)?;
        written(folder, name, |out, target| {
            let size = Input::open(self.context.files, role, path)?.copy_to(out, target)?;
            Ok(AssembledUki {
                authenticode_sha256: digest.sha256,
                size,
                signed_by: None,
            })
        })
    }

    fn manifest(&self, folder: &Path) -> Result<Option<(ManifestSummary, MadeFile)>, Error> {
        let Some(closure) = &self.request.closure else {
            return Ok(None);
        };
        self.context.progress.phase("listing the closure");
        let toplevel = self.request.bootspec.core.toplevel.to_string();
        let mut made = manifest::of_closure(&toplevel, closure)?;
        if let Some(file) = self.request.signed_manifest()? {
            made = verification::signed(self.context.files, file, &made)?;
        }
        if let Some(key) = &self.request.manifest_key {
            made = NixKey::open(key, self.context)?.sign(made)?;
        }
        let name = "manifest.json".to_owned();
        let summary = manifest::publish(&STAGED, &made, &folder.join(&name))?;
        Ok(Some((summary, described(folder, name)?)))
    }
}
