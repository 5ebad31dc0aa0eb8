//! `measure.predict`: the PCR values that a machine will have, from the files that it will boot.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    BootPathError, Branch, Companion, DeviceTree, FirmwareLogError, Linux, MediumError,
    PredictError, Program, StartedImage, Uki, UkiError,
};

pub use touchstone_measure::Prediction;

use crate::companions::{self, companions};
use crate::firmware::{Firmware, Measure, boot_path};
use crate::machine::ShimFiles;
use crate::source::{FileContent, open};
use crate::{Context, Error, Files, output};

/// The request of `measure.predict`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PredictPcrs {
    /// shim, where the firmware starts it before anything else.
    pub shim: Option<ShimFiles>,
    /// The boot loader that the firmware starts, systemd-boot; not given where the firmware starts the UKI itself.
    pub loader: Option<PathBuf>,
    /// The UKI that the loader starts: short for `entries` with this one.
    pub uki: Option<PathBuf>,
    /// The entries of the boot menu, each with leaves of its own.
    #[serde(default)]
    pub entries: Vec<Entry>,
    /// Files below `loader/` on the ESP that every UKI is given: their path there, such as `addons/debug.addon.efi`,
    /// `credentials/tz.cred` or `extensions/tools.sysext.raw`, and where they are read.
    #[serde(default)]
    pub shared: BTreeMap<String, PathBuf>,
    /// What is predicted.
    #[serde(default)]
    pub measure: Measure,
    /// Where the answer is written as well.
    pub output: Option<PathBuf>,
}

/// An entry of the boot menu: a UKI, or a kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// What the leaves' paths call it; nothing when not given.
    pub name: Option<String>,
    /// The UKI.
    pub uki: Option<PathBuf>,
    /// The only profile of the UKI that is looked at, counted from 0; each gives leaves of its own when not given.
    pub profile: Option<usize>,
    /// Which of the UKI's sections `.dtbauto` the machine takes; needed for PCR 11 where there are some.
    pub device_tree: Option<TakenDeviceTree>,
    /// Files in the folder `<UKI>.extra.d` on the ESP: their names there, such as `debug.addon.efi`, and where they are read.
    #[serde(default)]
    pub extra: BTreeMap<String, PathBuf>,
    /// A kernel that the boot loader starts by itself (a Type #1 entry), in the place of a UKI.
    pub linux: Option<LinuxEntry>,
}

/// What the stub chooses by the machine's hardware, among the sections `.dtbauto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum TakenDeviceTree {
    /// None is the machine's.
    Nothing,
    /// This one, counted from 0 in the order of the section table.
    Numbered(usize),
}

impl From<TakenDeviceTree> for DeviceTree {
    fn from(taken: TakenDeviceTree) -> DeviceTree {
        match taken {
            TakenDeviceTree::Nothing => DeviceTree::Nothing,
            TakenDeviceTree::Numbered(number) => DeviceTree::Numbered(number),
        }
    }
}

/// A Type #1 entry of the Boot Loader Specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LinuxEntry {
    /// The kernel.
    pub kernel: PathBuf,
    /// The initrds in their order.
    #[serde(default)]
    pub initrds: Vec<EspFile>,
    /// The options, as the kernel is given them.
    #[serde(default)]
    pub options: String,
}

/// A file that is on the ESP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct EspFile {
    /// Its path on the ESP as the entry writes it, such as `/EFI/nixos/initrd.efi`.
    pub path: String,
    /// Where it is read.
    pub file: PathBuf,
}

impl PredictPcrs {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Predict`] whenever a value would not be exact, with the reason; see [`Error`] for the rest.
    pub fn run(&self, context: &Context<'_>) -> Result<Prediction, Error> {
        context.progress.phase("predicting");
        let firmware = self.measure.open(context.files)?;
        let entries = self
            .entries()?
            .iter()
            .map(|entry| entry.open(context.files, &firmware))
            .collect::<Result<_, Error>>()?;
        let loader = self
            .loader
            .as_ref()
            .map(|path| firmware.loader(context.files, path, path, firmware.promised()?));
        let shared = companions(
            context.files,
            &firmware,
            &self.shared,
            companions::of_loader_folder,
        )?;
        let shim = self
            .shim
            .as_ref()
            .map(|shim| shim.open(context.files, &firmware));
        let prediction =
            firmware.predict(shim.transpose()?, loader.transpose()?, entries, shared)?;
        publish(context.files, &prediction, self.output.as_deref())?;
        Ok(prediction)
    }

    /// The entries, of which there must be one at least.
    fn entries(&self) -> Result<Vec<Entry>, Error> {
        match (&self.uki, self.entries.as_slice()) {
            (Some(uki), []) => Ok(vec![Entry {
                uki: Some(uki.clone()),
                ..Entry::default()
            }]),
            (None, entries @ [_, ..]) => Ok(entries.to_vec()),
            (uki, _) => Err(Error::Request {
                fact: if uki.is_some() {
                    "both `uki` and `entries` are given".to_owned()
                } else {
                    "neither `uki` nor `entries` are given".to_owned()
                },
                help: "give the one UKI as `uki`, or everything that the boot menu offers as `entries`",
            }),
        }
    }
}

impl Entry {
    fn open(&self, files: &dyn Files, firmware: &Firmware) -> Result<Branch<Program>, Error> {
        let program = match (&self.uki, &self.linux) {
            (Some(path), None) => Program::Uki(Box::new(self.open_uki(files, path, firmware)?)),
            (None, Some(linux))
                if self.extra.is_empty()
                    && self.profile.is_none()
                    && self.device_tree.is_none() =>
            {
                Program::Linux(Box::new(linux.open(files, firmware)?))
            }
            _ => {
                return Err(Error::Request {
                    fact: format!(
                        "the entry {} is neither a UKI (`uki`, `profile`, `extra`) nor a kernel (`linux`)",
                        self.name.as_deref().unwrap_or("without a name")
                    ),
                    help: "give either `uki` or `linux`; profiles and extra files belong to UKIs",
                });
            }
        };
        Ok(Branch {
            name: self.name.clone(),
            value: program,
        })
    }

    fn open_uki(&self, files: &dyn Files, path: &Path, firmware: &Firmware) -> Result<Uki, Error> {
        let mut file = open(files, "UKI", path)?;
        let promised = firmware.promised()?;
        let name = self.name.as_deref().unwrap_or("the UKI");
        let uki = Uki::from_file(name, &mut file, &firmware.ask.banks, promised)
            .map_err(|source| boot_path("UKI", path, source))?;
        Ok(Uki {
            extra: companions(files, firmware, &self.extra, companions::of_extra_folder)?,
            profile: self.profile,
            device_tree: self.device_tree.map(DeviceTree::from),
            content: Some(Arc::new(FileContent::new(files, "UKI", path)?)),
            ..uki
        })
    }
}

impl LinuxEntry {
    fn open(&self, files: &dyn Files, firmware: &Firmware) -> Result<Linux, Error> {
        let initrd = |initrd: &EspFile| {
            Ok(Companion {
                name: initrd.path.clone(),
                content: Arc::new(FileContent::new(files, "initrd", &initrd.file)?),
            })
        };
        Ok(Linux {
            image: image(files, firmware, "kernel", "the kernel", &self.kernel)?,
            initrds: self
                .initrds
                .iter()
                .map(initrd)
                .collect::<Result<_, Error>>()?,
            options: self.options.clone(),
        })
    }
}

/// A PE image with its digests and with what speaks for it.
pub(crate) fn image(
    files: &dyn Files,
    firmware: &Firmware,
    role: &'static str,
    name: &str,
    path: &Path,
) -> Result<StartedImage, Error> {
    let promised = firmware.promised()?;
    StartedImage::from_file(
        name,
        &mut open(files, role, path)?,
        &firmware.ask.banks,
        promised,
    )
    .map_err(|source| boot_path(role, path, source))
}

/// Writes a prediction, if a place is given.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn publish(
    files: &dyn Files,
    prediction: &Prediction,
    path: Option<&Path>,
) -> Result<(), Error> {
    let Some(path) = path else { return Ok(()) };
    output::file(files, path, |out| {
        serde_json::to_writer_pretty(&mut *out, prediction)
            .map_err(std::io::Error::from)
            .and_then(|()| std::io::Write::write_all(out, b"\n"))
            .map_err(|source| Error::Write {
                file: path.to_owned(),
                source,
            })
    })
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
    /// The disk has no partition table whose measurement is known.
    #[error(transparent)]
    Medium(#[from] MediumError),
    /// The event log is no ground for a prediction.
    #[error(transparent)]
    FirmwareLog(#[from] FirmwareLogError),
    /// The UKI's sections are not ones whose behaviour is known.
    #[error(transparent)]
    Uki(#[from] UkiError),
}
