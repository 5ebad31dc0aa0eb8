//! Makes the files of a generation.

use std::collections::BTreeMap;
use std::path::Path;

use touchstone_bootspec::touchstone::Specialisation;
use touchstone_bootspec::{Core, Extensions, V2};
use touchstone_measure::UkiMeasurer;
use touchstone_store::StorePath;

use super::extension::Described;
use super::files::{MadeFile, MadeImage, create, described, written};
use super::prediction::{self, digests};
use super::{BootArtifacts, MadeBootArtifacts};
use crate::boot_signatures::{DetachedSignatures, OpenFolder};
use crate::firmware::{Firmware, Measure};
use crate::input::Input;
use crate::inspect::DigestPe;
use crate::manifest::{self, ManifestSummary};
use crate::policy::{PcrKeys, PcrSign};
use crate::sign::{By, Seal, copy_signed};
use crate::signing_key::{OpenKey, SigningKey};
use crate::source::{Text, open};
use crate::uki::{AssembledUki, Parts, Signers, assemble};
use crate::{Context, Error, output};

/// The boot loader's name in the folder.
pub(super) const LOADER: &str = "loader.efi";

/// Where what is made goes, and what is made elsewhere.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// The folder of images, predictions and manifest.
    pub(crate) artifacts: &'a Path,
    /// The folder of `boot.json`.
    pub(crate) document: &'a Path,
    /// How the first is named from the second: empty, or a path that ends in a slash.
    pub(crate) prefix: &'static str,
    /// Specialisations whose files lie elsewhere: they are named, not made.
    pub(crate) elsewhere: BTreeMap<String, Specialisation>,
    /// The path of the sealed generation that is made.
    pub(crate) sealed: Option<StorePath>,
}

impl<'a> Places<'a> {
    /// Everything beside `boot.json`.
    pub(crate) fn beside(folder: &'a Path) -> Self {
        Self {
            artifacts: folder,
            document: folder,
            prefix: "",
            elsewhere: BTreeMap::new(),
            sealed: None,
        }
    }
}

/// A request with its keys and variables open.
pub(crate) struct Maker<'a> {
    pub(super) request: &'a BootArtifacts,
    signer: Option<ImageSigner>,
    pcr_keys: Option<PcrKeys>,
    pub(super) firmware: Option<Firmware>,
    pub(super) context: &'a Context<'a>,
}

/// Who signs the images.
enum ImageSigner {
    Key(Box<OpenKey>),
    Elsewhere(OpenFolder),
}

/// An image that was made, and the prediction of what boots with it.
#[derive(Debug)]
pub(super) struct MadeUki {
    pub(super) image: MadeImage,
    pub(super) pcrs: Option<MadeFile>,
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
        let firmware = request.measure.as_ref().map(Measure::open);
        let maker = Self {
            request,
            signer: image_signer(request, context)?,
            pcr_keys: pcr_keys.transpose()?,
            firmware: firmware.transpose()?,
            context,
        };
        maker.check_names()?;
        Ok(maker)
    }

    /// Who signs the images, if anybody does.
    pub(super) fn signer(&self) -> Option<By<'_>> {
        self.signer.as_ref().map(|signer| match signer {
            ImageSigner::Key(key) => By::Key(key),
            ImageSigner::Elsewhere(folder) => By::Folder(folder),
        })
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
        let generation = &self.request.bootspec;
        let folder = places.artifacts;
        let loader = self.loader(folder)?;
        let uki = self.uki(&generation.core, folder, Path::new(""))?;
        let mut specialisations = BTreeMap::new();
        for (name, specialisation) in &generation.specialisations {
            if places.elsewhere.contains_key(name) {
                continue;
            }
            let inner = Path::new("specialisation").join(name);
            create(&folder.join(&inner))?;
            let made = self.uki(&specialisation.core, folder, &inner)?;
            specialisations.insert(name.clone(), made);
        }
        let manifest = self.manifest(folder)?;
        let made = Described {
            uki,
            specialisations,
            loader,
            manifest,
        };
        let extension = Extensions::from_iter([made.extension(places)?]);
        let (document, _) = generation.document(extension)?;
        let document_file = places.document.join("boot.json");
        output::bytes(&document_file, document.to_json().as_bytes())?;
        Ok(made.answer())
    }

    /// Copies the boot loader, signed if there is a key.
    fn loader(&self, folder: &Path) -> Result<Option<MadeImage>, Error> {
        let Some(path) = &self.request.loader else {
            return Ok(None);
        };
        let role = "boot loader";
        let Some(signer) = self.signer() else {
            let digest = DigestPe { file: path.clone() }.run(self.context)?;
            return written(folder, LOADER, |out, target| {
                let size = Input::open(role, path)?.copy_to(out, target)?;
                Ok(AssembledUki {
                    authenticode_sha256: digest.sha256,
                    size,
                    signed_by: None,
                })
            })
            .map(Some);
        };
        self.context.progress.phase("signing the boot loader");
        let seal = Seal::beside(signer, false);
        written(folder, LOADER, |out, target| {
            let signed = copy_signed(path, role, seal, out, target)?;
            Ok(AssembledUki {
                authenticode_sha256: signed.authenticode_sha256,
                size: signed.size,
                signed_by: Some(signed.signed_by),
            })
        })
        .map(Some)
    }

    /// Makes the UKI of the generation or of one specialisation in `folder/inner`, and its prediction.
    fn uki(&self, core: &V2, folder: &Path, inner: &Path) -> Result<MadeUki, Error> {
        let parts = self.parts(core);
        let name = inner.join("uki.efi").display().to_string();
        let pcr_signer = self.pcr_keys.as_ref().map(PcrKeys::signer);
        let signers = Signers {
            image: self.signer(),
            pcrs: pcr_signer.as_ref(),
        };
        let Some(firmware) = &self.firmware else {
            let image = written(folder, &name, |out, target| {
                Ok(assemble(&parts, signers, target, out, &mut [], self.context)?.1)
            })?;
            return Ok(MadeUki { image, pcrs: None });
        };
        let mut measurer = UkiMeasurer::new(&firmware.ask.banks);
        announce_microcode(&parts, &mut measurer)?;
        let mut authenticode = None;
        let image = written(folder, &name, |out, target| {
            let observers = &mut [&mut measurer as _];
            let (layout, answer) = assemble(&parts, signers, target, out, observers, self.context)?;
            authenticode = Some(digests(&layout, out, &firmware.ask.banks, target)?);
            Ok(answer)
        })?;
        let started = prediction::Started {
            name: &name,
            kernel: Path::new(core.kernel.as_str()),
            measurer,
            authenticode: authenticode.unwrap_or_default(),
        };
        let path = inner.join("pcrs.json").display().to_string();
        self.predict(firmware, started, folder, &path)?;
        let pcrs = Some(described(folder, path)?);
        Ok(MadeUki { image, pcrs })
    }

    fn parts(&self, core: &V2) -> Parts {
        let request = self.request;
        let initrds = core.initrds.iter();
        Parts {
            stub: request.stub.clone(),
            linux: Some(core.kernel.as_str().into()),
            initrds: initrds.map(|path| path.as_str().into()).collect(),
            cmdline: Some(Text::Inline(core.command_line())),
            os_release: request.os_release.clone(),
            sbat: request.sbat.clone(),
            splash: request.splash.clone(),
            ucode: request.ucode.clone(),
            dtb: core.devicetree.as_ref().map(|path| path.as_str().into()),
            compat: request.compat,
            checksum: false,
            ..Parts::default()
        }
    }

    fn manifest(&self, folder: &Path) -> Result<Option<(ManifestSummary, MadeFile)>, Error> {
        let Some(closure) = &self.request.closure else {
            return Ok(None);
        };
        self.context.progress.phase("listing the closure");
        let toplevel = self.request.bootspec.core.toplevel.to_string();
        let mut made = manifest::of_closure(&toplevel, closure)?;
        if let Some(key) = &self.request.manifest_key {
            made.sign(&manifest::open_key(key, self.context.keys)?);
        }
        let name = "manifest.json".to_owned();
        let summary = manifest::publish(&made, &folder.join(&name))?;
        Ok(Some((summary, described(folder, name)?)))
    }
}

fn image_signer(
    request: &BootArtifacts,
    context: &Context<'_>,
) -> Result<Option<ImageSigner>, Error> {
    let by_key = |key: &SigningKey| Ok(ImageSigner::Key(Box::new(key.open(context)?)));
    let elsewhere = |folder: &DetachedSignatures| folder.open(context).map(ImageSigner::Elsewhere);
    match (&request.sign, &request.detached) {
        (Some(_), Some(_)) => Err(Error::Request {
            fact: "both `sign` and `detached` are given".to_owned(),
            help: "name a key, or the signatures that were made elsewhere",
        }),
        (Some(key), None) => by_key(key).map(Some),
        (None, folder) => folder.as_ref().map(elsewhere).transpose(),
    }
}

/// Microcode stands behind the initrds in an image, and in front of them in what the stub hands on.
fn announce_microcode(parts: &Parts, measurer: &mut UkiMeasurer) -> Result<(), Error> {
    let Some(path) = &parts.ucode else {
        return Ok(());
    };
    let role = "microcode";
    measurer
        .announce_microcode(&mut open(role, path)?)
        .map_err(|source| Error::Open {
            role,
            file: path.clone(),
            source,
        })
}
