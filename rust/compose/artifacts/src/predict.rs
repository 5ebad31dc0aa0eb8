//! `measure.predict`, `measure.uki` and `pe.digest`: what a machine will measure, from the files that it will boot.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    Ask, Authority, BootPath, BootPathError, Digest, Digests, Loader, PredictError, Release, Uki,
    UkiError, Variables, authenticode_digests, measure_uki, predict,
};
use touchstone_pe::{Image, authenticode, certificates};
use touchstone_sign::{Certificate, certificate, esl};

pub use touchstone_measure::{Bank, PhasePath, Prediction};

use crate::source::{open, open_image, read_small};
use crate::{Context, Error, output};

/// What is to be predicted, and for which firmware settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Measure {
    /// The firmware's Secure Boot variables. Without them, PCRs 4 and 7 are refused.
    pub secure_boot: Option<SecureBoot>,
    /// The PCRs: 4, 7, 9, 11 and 12 when not given.
    pub pcrs: Option<Vec<u32>>,
    /// The banks: `sha256` when not given.
    pub banks: Option<Vec<Bank>>,
    /// The moments at which PCR 11 is looked at, each a leaf of its own: only the one before the first phase (the empty path) when not given.
    pub phases: Option<Vec<PhasePath>>,
    /// Says that the ESP has a file `loader/boot-secret-mixin` of 1 to 31 bytes, which keeps stub 262 from handing the initrd a secret of
    /// its own making; without it, PCR 9 is refused with that stub.
    #[serde(default)]
    pub without_boot_secret: bool,
}

/// The Secure Boot variables: files that hold a variable's value, a sequence of EFI signature lists (ESL).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecureBoot {
    /// `PK`.
    #[serde(rename = "PK")]
    pub pk: PathBuf,
    /// `KEK`.
    #[serde(rename = "KEK")]
    pub kek: PathBuf,
    /// `db`.
    pub db: PathBuf,
    /// `dbx`; empty when not given.
    pub dbx: Option<PathBuf>,
    /// The certificate by which images that are not signed yet will be signed: an entry of `db`.
    pub certificate: Option<PathBuf>,
    /// Whether the firmware enforces signatures.
    #[serde(default = "enforced")]
    pub enabled: bool,
}

fn enforced() -> bool {
    true
}

/// The request of `measure.predict`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PredictPcrs {
    /// The boot loader that the firmware starts: systemd-boot.
    pub loader: PathBuf,
    /// The UKI that the loader starts.
    pub uki: PathBuf,
    /// What is predicted.
    #[serde(default)]
    pub measure: Measure,
    /// Where the answer is written as well.
    pub output: Option<PathBuf>,
}

impl PredictPcrs {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Predict`] whenever a value would not be exact, with the reason; see [`Error`] for the rest.
    pub fn run(&self, context: &Context<'_>) -> Result<Prediction, Error> {
        context.progress.phase("predicting");
        let firmware = self.measure.open()?;
        let mut uki_file = open("UKI", &self.uki)?;
        let authority = firmware.authority_of("UKI", &self.uki)?;
        let uki = Uki::from_file("the UKI", &mut uki_file, &firmware.ask.banks, authority)
            .map_err(|source| boot_path("UKI", &self.uki, source))?;
        let authority = firmware.authority_of("boot loader", &self.loader)?;
        let prediction = firmware.predict(vec![], &self.loader, authority, uki)?;
        publish(&prediction, self.output.as_deref())?;
        Ok(prediction)
    }
}

/// Writes a prediction, if a place is given.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn publish(prediction: &Prediction, path: Option<&Path>) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    output::file(path, |out| {
        serde_json::to_writer_pretty(&mut *out, prediction)
            .map_err(std::io::Error::from)
            .and_then(|()| std::io::Write::write_all(out, b"\n"))
            .map_err(|source| Error::Write {
                file: path.to_owned(),
                source,
            })
    })
}

/// A [`Measure`] whose files are read.
pub(crate) struct Firmware {
    /// What is asked.
    pub(crate) ask: Ask,
    variables: Option<Variables>,
    certificate: Option<Certificate>,
    db: Option<PathBuf>,
    without_boot_secret: bool,
}

const VARIABLE_LIMIT: u64 = 1 << 20;

impl Measure {
    /// Reads the variables.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`], [`Error::Request`].
    pub(crate) fn open(&self) -> Result<Firmware, Error> {
        let ask = Ask::default();
        let ask = Ask {
            pcrs: self.pcrs.clone().unwrap_or(ask.pcrs),
            banks: self.banks.clone().unwrap_or(ask.banks),
            phases: self.phases.clone().unwrap_or(ask.phases),
        };
        if let Some(pcr) = ask
            .pcrs
            .iter()
            .find(|pcr| [4, 7].contains(*pcr))
            .filter(|_| self.secure_boot.is_none())
        {
            return Err(Error::Request {
                fact: format!(
                    "PCR {pcr} depends on the firmware's Secure Boot variables, and none are given"
                ),
                help: "give measure.secureBoot, or ask for PCRs 9, 11 and 12 alone",
            });
        }
        let firmware = Firmware {
            ask,
            variables: None,
            certificate: None,
            db: None,
            without_boot_secret: self.without_boot_secret,
        };
        match &self.secure_boot {
            None => Ok(firmware),
            Some(secure_boot) => Ok(Firmware {
                variables: Some(secure_boot.read()?),
                certificate: secure_boot.read_certificate()?,
                db: Some(secure_boot.db.clone()),
                ..firmware
            }),
        }
    }
}

impl SecureBoot {
    fn read(&self) -> Result<Variables, Error> {
        let variable = |role, path: &Path| {
            let bytes = read_small(role, path, VARIABLE_LIMIT)?;
            esl::parse(&bytes).map_err(|error| signature_data(role, path, error))?;
            Ok(bytes)
        };
        Ok(Variables {
            pk: variable("variable PK", &self.pk)?,
            kek: variable("variable KEK", &self.kek)?,
            db: variable("variable db", &self.db)?,
            dbx: self
                .dbx
                .as_deref()
                .map_or(Ok(Vec::new()), |path| variable("variable dbx", path))?,
            secure_boot: self.enabled,
        })
    }

    fn read_certificate(&self) -> Result<Option<Certificate>, Error> {
        let Some(path) = &self.certificate else {
            return Ok(None);
        };
        let role = "signing certificate";
        let bytes = read_small(role, path, VARIABLE_LIMIT)?;
        certificate::read(&bytes)
            .map(Some)
            .map_err(|error| signature_data(role, path, error))
    }
}

fn signature_data(role: &'static str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::SignatureData {
        role,
        file: path.to_owned(),
        fact: error.to_string(),
    }
}

impl Firmware {
    /// Predicts what a machine measures that boots `loader` and then `uki`.
    ///
    /// # Errors
    /// [`Error::Predict`].
    pub(crate) fn predict(
        &self,
        path: Vec<String>,
        loader: &Path,
        loader_authority: Option<Authority>,
        uki: Uki,
    ) -> Result<Prediction, Error> {
        // The one thing beside PCRs 4 and 7 that depends on Secure Boot.
        let twice = uki.measured.stub().release == Release::V252 && self.ask.pcrs.contains(&12);
        if twice && self.variables.is_none() {
            return Err(Error::Request {
                fact: "with stub 252, PCR 12 depends on Secure Boot, and no variables are given"
                    .to_owned(),
                help: "give measure.secureBoot, or use a newer stub",
            });
        }
        let loader = Loader::from_file(
            &mut open("boot loader", loader)?,
            &self.ask.banks,
            loader_authority,
        )
        .map_err(|source| boot_path("boot loader", loader, source))?;
        let loader = if self.without_boot_secret {
            loader.without_boot_secret()
        } else {
            loader
        };
        let variables = self.variables.clone().unwrap_or_default();
        let boot = BootPath {
            path,
            variables,
            loader,
            uki,
        };
        predict(&boot, &self.ask).map_err(|source| Error::Predict {
            file: None,
            source: source.into(),
        })
    }

    /// The entry of `db` through which the firmware accepts an image: the first one that its signatures verify against, or that of the
    /// certificate which is to sign it.
    ///
    /// # Errors
    /// [`Error::Pe`], [`Error::SignatureData`].
    pub(crate) fn authority_of(
        &self,
        role: &'static str,
        path: &Path,
    ) -> Result<Option<Authority>, Error> {
        let Some(variables) = self.enforcing() else {
            return Ok(None);
        };
        let (mut file, image) = open_image(role, path)?;
        let unreadable = |source| Error::Pe {
            role,
            file: path.to_owned(),
            source,
        };
        let signatures = certificates::read(&image, &mut file).map_err(unreadable)?;
        let digest = authenticode::sha256(&image, &mut file).map_err(unreadable)?;
        let entries = esl::parse(&variables.db).unwrap_or_default();
        let entries: Vec<_> = entries
            .into_iter()
            .filter(|list| list.kind == esl::X509)
            .flat_map(|list| list.signatures)
            .filter_map(|entry| Some((certificate::read(&entry.data).ok()?, entry)))
            .collect();
        for signature in &signatures {
            for (trusted, entry) in &entries {
                let verdict = touchstone_sign::authenticode::verify(
                    signature,
                    &digest,
                    std::slice::from_ref(trusted),
                );
                if verdict.is_ok() {
                    return Ok(Some(Authority {
                        owner: entry.owner,
                        certificate: entry.data.clone(),
                    }));
                }
            }
        }
        match &self.certificate {
            Some(certificate) if signatures.is_empty() => self.authority(certificate).map(Some),
            _ => Ok(None),
        }
    }

    /// The entry of `db` that is `certificate`; none where signatures are not enforced.
    ///
    /// # Errors
    /// [`Error::SignatureData`] when it is not there.
    pub(crate) fn authority_of_signer(
        &self,
        signer: Option<&Certificate>,
    ) -> Result<Option<Authority>, Error> {
        match signer
            .or(self.certificate.as_ref())
            .filter(|_| self.enforcing().is_some())
        {
            Some(certificate) => self.authority(certificate).map(Some),
            None => Ok(None),
        }
    }

    /// The digests of the kernel inside a UKI, where they matter: without Secure Boot, older stubs let the firmware load it.
    ///
    /// # Errors
    /// [`Error::Pe`].
    pub(crate) fn kernel_digests(&self, kernel: &Path) -> Result<Option<Digests>, Error> {
        if self.variables.is_none() || self.enforcing().is_some() {
            return Ok(None);
        }
        let (mut file, image) = open_image("kernel", kernel)?;
        authenticode_digests(&image, &mut file, &self.ask.banks)
            .map(Some)
            .map_err(|source| Error::Pe {
                role: "kernel",
                file: kernel.to_owned(),
                source,
            })
    }

    fn enforcing(&self) -> Option<&Variables> {
        self.variables
            .as_ref()
            .filter(|variables| variables.secure_boot)
    }

    fn authority(&self, certificate: &Certificate) -> Result<Authority, Error> {
        let db = self.db.clone().unwrap_or_default();
        let variables = self.variables.clone().unwrap_or_default();
        certificate::to_der(certificate)
            .map_err(|error| error.to_string())
            .and_then(|der| variables.authority(&der).map_err(|error| error.to_string()))
            .map_err(|fact| Error::SignatureData {
                role: "variable db",
                file: db,
                fact,
            })
    }
}

fn boot_path(role: &'static str, path: &Path, source: BootPathError) -> Error {
    let file = path.to_owned();
    match source {
        BootPathError::Image(source) => Error::Pe { role, file, source },
        other => Error::Predict {
            file: Some(file),
            source: other.into(),
        },
    }
}

/// Why there is no prediction.
#[derive(Debug, thiserror::Error)]
pub enum NoPrediction {
    /// It would not be exact.
    #[error(transparent)]
    Inexact(#[from] PredictError),
    /// A file on the boot path is not one whose behaviour is known.
    #[error(transparent)]
    BootPath(#[from] BootPathError),
    /// The UKI's sections are not ones whose behaviour is known.
    #[error(transparent)]
    Uki(#[from] UkiError),
}

/// The request of `measure.uki`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MeasureUki {
    /// The UKI.
    pub file: PathBuf,
    /// Phase paths; the moment before the first and all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// Banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// The answer of `measure.uki`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UkiPcrs {
    /// PCR → bank → phase path → value.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, BTreeMap<String, Digest>>>,
}

impl MeasureUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Pe`], and [`Error::Predict`] when the stub's version is not known.
    pub fn run(&self, context: &Context<'_>) -> Result<UkiPcrs, Error> {
        context.progress.phase("measuring");
        let (mut file, image): (File, Image) = open_image("UKI", &self.file)?;
        let banks = if self.banks.is_empty() {
            Ask::default().banks
        } else {
            self.banks.clone()
        };
        let phases = if self.phases.is_empty() {
            std::iter::once(PhasePath::none())
                .chain(PhasePath::standard())
                .collect()
        } else {
            self.phases.clone()
        };
        let measured = measure_uki(&image, &mut file, &banks)
            .map_err(|source| boot_path("UKI", &self.file, source))?;
        let values = |bank: Bank| {
            phases
                .iter()
                .filter_map(|phase| Some((phase.to_string(), measured.pcr11(bank, phase)?)))
                .collect()
        };
        let pcr11 = banks.iter().map(|bank| (*bank, values(*bank))).collect();
        Ok(UkiPcrs {
            pcrs: BTreeMap::from([(11, pcr11)]),
        })
    }
}

/// The request of `pe.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DigestPe {
    /// The PE image.
    pub file: PathBuf,
}

/// The answer of `pe.digest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PeDigest {
    /// Authenticode SHA-256, in hex.
    pub sha256: String,
}

impl DigestPe {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Pe`].
    pub fn run(&self, _context: &Context<'_>) -> Result<PeDigest, Error> {
        let (mut file, image) = open_image("image", &self.file)?;
        let digest = authenticode::sha256(&image, &mut file).map_err(|source| Error::Pe {
            role: "image",
            file: self.file.clone(),
            source,
        })?;
        Ok(PeDigest {
            sha256: crate::hex(&digest),
        })
    }
}
