//! `boot.artifacts`: everything that one generation needs to boot and to be verified, in one folder (docs/boot-artifacts.md).

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use touchstone_bootspec::{Core, Extensions, V2};
use touchstone_measure::{
    Bank, Branch, Companions, Digest, Digests, Program, StartedImage, Uki, UkiMeasurer, Vouching,
    authenticode_digests,
};
use touchstone_pe::layout::Written;

use crate::bootspec::DescribedGeneration;
use crate::firmware::{Firmware, Measure};
use crate::input::Input;
use crate::inspect::DigestPe;
use crate::manifest::{self, ManifestSummary};
use crate::policy::{PcrKeys, PcrSign};
use crate::predict::NoPrediction;
use crate::sign::{Seal, copy_signed};
use crate::signing_key::{OpenKey, SigningKey};
use crate::source::{Text, open};
use crate::uki::{AssembledUki, Parts, Signers, Ukify, assemble};
use crate::{Context, Error, output, predict};

/// The request of `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct BootArtifacts {
    /// The generation and its specialisations.
    pub bootspec: DescribedGeneration,
    /// The systemd stub.
    pub stub: PathBuf,
    /// The boot loader, systemd-boot: copied, and signed if a key is given.
    pub loader: Option<PathBuf>,
    /// The os-release text.
    pub os_release: Option<Text>,
    /// SBAT entries of the UKIs.
    #[serde(default)]
    pub sbat: Vec<Text>,
    /// A boot splash (BMP).
    pub splash: Option<PathBuf>,
    /// A microcode archive.
    pub ucode: Option<PathBuf>,
    /// The ukify release whose byte rules are followed.
    #[serde(default)]
    pub compat: Ukify,
    /// Who signs the UKIs and the loader; unsigned without it.
    pub sign: Option<SigningKey>,
    /// Who signs the UKIs' values of PCR 11 (`.pcrsig`); nobody without it.
    pub pcr_sign: Option<PcrSign>,
    /// What is predicted; nothing without it. Needs `loader`.
    pub measure: Option<Measure>,
    /// The list that Nix' `exportReferencesGraph` gives for the toplevel; no manifest without it.
    pub closure: Option<Value>,
    /// The file of a Nix secret key that signs the manifest; unsigned without it.
    pub manifest_key: Option<PathBuf>,
    /// The folder to make.
    pub output: PathBuf,
}

/// The answer of `boot.artifacts`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeBootArtifacts {
    /// The generation's UKI.
    pub uki: AssembledUki,
    /// The specialisations' UKIs.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub specialisations: BTreeMap<String, AssembledUki>,
    /// The boot loader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loader: Option<AssembledUki>,
    /// The manifest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestSummary>,
}

impl BootArtifacts {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; the folder is not made then.
    pub fn run(&self, context: &Context<'_>) -> Result<MadeBootArtifacts, Error> {
        let maker = Maker {
            request: self,
            key: self
                .sign
                .as_ref()
                .map(|key| key.open(context))
                .transpose()?,
            pcr_keys: self
                .pcr_sign
                .as_ref()
                .map(|sign| sign.open(context))
                .transpose()?,
            firmware: self.measure.as_ref().map(Measure::open).transpose()?,
            context,
        };
        maker.check_names()?;
        output::folder(&self.output, |folder| maker.make(folder))
    }
}

/// The boot loader's name in the folder.
const LOADER: &str = "loader.efi";

/// A request with its keys and variables open.
struct Maker<'a> {
    request: &'a BootArtifacts,
    key: Option<OpenKey>,
    pcr_keys: Option<PcrKeys>,
    firmware: Option<Firmware>,
    context: &'a Context<'a>,
}

impl Maker<'_> {
    /// A specialisation's name becomes a folder's.
    fn check_names(&self) -> Result<(), Error> {
        let plain = |name: &String| {
            !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\0'])
        };
        match self
            .request
            .bootspec
            .specialisations
            .keys()
            .find(|name| !plain(name))
        {
            None => Ok(()),
            Some(name) => Err(Error::Request {
                fact: format!("the specialisation {name:?} has a name that no folder can have"),
                help: "give it a name of letters, digits and dashes",
            }),
        }
    }

    fn make(&self, folder: &Path) -> Result<MadeBootArtifacts, Error> {
        let generation = &self.request.bootspec;
        let loader = self.loader(folder)?;
        let uki = self.uki(&generation.core, folder, Path::new(""))?;
        let mut specialisations = BTreeMap::new();
        for (name, specialisation) in &generation.specialisations {
            let inner = Path::new("specialisation").join(name);
            create(&folder.join(&inner))?;
            specialisations.insert(
                name.clone(),
                self.uki(&specialisation.core, folder, &inner)?,
            );
        }
        let manifest = self.manifest(folder)?;
        let made = MadeBootArtifacts {
            uki,
            specialisations,
            loader,
            manifest,
        };
        let (document, _) = generation.document(self.extension(&made))?;
        output::bytes(&folder.join("boot.json"), document.to_json().as_bytes())?;
        Ok(made)
    }

    /// Copies the boot loader, signed if there is a key.
    fn loader(&self, folder: &Path) -> Result<Option<AssembledUki>, Error> {
        let Some(path) = &self.request.loader else {
            return Ok(None);
        };
        let role = "boot loader";
        let target = folder.join(LOADER);
        if let Some(key) = &self.key {
            self.context.progress.phase("signing the boot loader");
            let seal = Seal::by_key(key, false);
            let signed = output::file(&target, |out| copy_signed(path, role, seal, out, &target))?;
            return Ok(Some(AssembledUki {
                authenticode_sha256: signed.authenticode_sha256,
                size: signed.size,
                signed_by: Some(signed.signed_by),
            }));
        }
        let answer = DigestPe { file: path.clone() }.run(self.context)?;
        let size = output::file(&target, |out| {
            Input::open(role, path)?.copy_to(out, &target)
        })?;
        Ok(Some(AssembledUki {
            authenticode_sha256: answer.sha256,
            size,
            signed_by: None,
        }))
    }

    /// Makes the UKI of the generation or of one specialisation in `folder/inner`, and its prediction.
    fn uki(&self, core: &V2, folder: &Path, inner: &Path) -> Result<AssembledUki, Error> {
        let parts = self.parts(core);
        let target = folder.join(inner).join("uki.efi");
        let pcr_signer = self.pcr_keys.as_ref().map(PcrKeys::signer);
        let signers = Signers {
            image: self.key.as_ref(),
            pcrs: pcr_signer.as_ref(),
        };
        let Some(firmware) = &self.firmware else {
            return output::file(&target, |out| {
                Ok(assemble(&parts, signers, &target, out, &mut [], self.context)?.1)
            });
        };
        let mut measurer = UkiMeasurer::new(&firmware.ask.banks);
        if let Some(path) = &parts.ucode {
            measurer
                .announce_microcode(&mut open("microcode", path)?)
                .map_err(|source| Error::Open {
                    role: "microcode",
                    file: path.clone(),
                    source,
                })?;
        }
        let (answer, authenticode) = output::file(&target, |out| {
            let (written, answer) = assemble(
                &parts,
                signers,
                &target,
                out,
                &mut [&mut measurer],
                self.context,
            )?;
            Ok((
                answer,
                digests(&written, out, &firmware.ask.banks, &target)?,
            ))
        })?;
        self.predict(firmware, core, measurer, authenticode, folder, inner)?;
        Ok(answer)
    }

    fn predict(
        &self,
        firmware: &Firmware,
        core: &V2,
        measurer: UkiMeasurer,
        authenticode: Digests,
        folder: &Path,
        inner: &Path,
    ) -> Result<(), Error> {
        self.context.progress.phase("predicting");
        let Some(named) = &self.request.loader else {
            return Err(Error::Request {
                fact: "a prediction is asked for without a boot loader".to_owned(),
                help: "give `loader`: PCR values depend on what starts the UKI",
            });
        };
        let refused = |source| Error::Predict {
            file: Some(self.request.stub.clone()),
            source,
        };
        let measured = measurer
            .finish()
            .map_err(|source| refused(NoPrediction::Uki(source)))?;
        let authority =
            firmware.authority_of_signer(self.key.as_ref().map(|key| key.signer.certificate()))?;
        let name = format!("the UKI {}", inner.join("uki.efi").display());
        let image = StartedImage {
            name: name.clone(),
            authenticode,
            // Its sections end at a multiple of the file alignment: signing does not pad it.
            vouching: authority
                .clone()
                .map_or(Vouching::Unknown, Vouching::Promised),
        };
        let kernel = firmware.kernel_digests(Path::new(core.kernel.as_str()))?;
        let uki = Uki {
            image,
            measured,
            kernel,
            extra: Companions::default(),
            profile: None,
            device_tree: None,
            content: None,
        };
        // As it will be started: signing may pad it.
        let loader = firmware.loader(&folder.join(LOADER), named, authority)?;
        let prediction = firmware.predict(
            None,
            Some(loader),
            vec![Branch::named(name, Program::Uki(Box::new(uki)))],
            Companions::default(),
        )?;
        predict::publish(&prediction, Some(&folder.join(inner).join("pcrs.json")))
    }

    fn parts(&self, core: &V2) -> Parts {
        let request = self.request;
        Parts {
            stub: request.stub.clone(),
            linux: Some(core.kernel.as_str().into()),
            initrds: core
                .initrds
                .iter()
                .map(|path| path.as_str().into())
                .collect(),
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

    fn manifest(&self, folder: &Path) -> Result<Option<ManifestSummary>, Error> {
        let Some(closure) = &self.request.closure else {
            return Ok(None);
        };
        self.context.progress.phase("listing the closure");
        let mut made =
            manifest::of_closure(&self.request.bootspec.core.toplevel.to_string(), closure)?;
        if let Some(key) = &self.request.manifest_key {
            made.sign(&manifest::open_key(key, self.context.keys)?);
        }
        manifest::publish(&made, &folder.join("manifest.json")).map(Some)
    }

    /// `org.touchstone.v1`: what lies beside the document, by digest.
    fn extension(&self, made: &MadeBootArtifacts) -> Extensions {
        let image = |path: &str, image: &AssembledUki| json!({ "path": path, "authenticodeSha256": image.authenticode_sha256, "size": image.size });
        let mut fields = Extensions::new();
        fields.insert("uki".to_owned(), image("uki.efi", &made.uki));
        let specialisations: Extensions = made
            .specialisations
            .iter()
            .map(|(name, uki)| {
                (
                    name.clone(),
                    image(&format!("specialisation/{name}/uki.efi"), uki),
                )
            })
            .collect();
        if !specialisations.is_empty() {
            fields.insert("specialisations".to_owned(), specialisations.into());
        }
        if let Some(loader) = &made.loader {
            fields.insert("loader".to_owned(), image(LOADER, loader));
        }
        if self.firmware.is_some() {
            fields.insert("pcrs".to_owned(), "pcrs.json".into());
        }
        if made.manifest.is_some() {
            fields.insert("manifest".to_owned(), "manifest.json".into());
        }
        Extensions::from_iter([("org.touchstone.v1".to_owned(), Value::Object(fields))])
    }
}

/// The Authenticode digests of an image that was just written: the SHA-256 one was computed on the way, others need a second pass.
fn digests(
    written: &Written,
    out: &mut File,
    banks: &[Bank],
    target: &Path,
) -> Result<Digests, Error> {
    if banks == [Bank::Sha256] {
        return Ok(Digest::from_bytes(&written.authenticode_sha256)
            .into_iter()
            .collect());
    }
    authenticode_digests(&written.image, out, banks).map_err(|source| Error::Pe {
        role: "UKI",
        file: target.to_owned(),
        source,
    })
}

fn create(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::Write {
        file: folder.to_owned(),
        source,
    })
}
