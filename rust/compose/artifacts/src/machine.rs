//! What a prediction needs of one machine beside its boot artifacts: its disk, its firmware's log, shim's variables.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{FirmwareLog, Medium, Registers, Shim, ShimVariables};

use crate::eventlog;
use crate::firmware::{Firmware, boot_path, variable};
use crate::predict::NoPrediction;
use crate::source::{open, read_small};
use crate::{Error, Files};

/// What the firmware boots from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub enum BootMedium {
    /// A disk with a GUID partition table: an image of it, or its device.
    Disk(PathBuf),
    /// A CD.
    Cd,
}

/// The firmware's log of an earlier boot of the machine, and the registers after it: the ground on which PCRs 0 to 3 and 6 are
/// predicted, and drivers and variables of the firmware's own in PCRs 4, 5 and 7.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MachineLog {
    /// The event log: `/sys/kernel/security/tpm0/binary_bios_measurements` of the machine.
    pub log: PathBuf,
    /// The machine's own values of PCRs 0 to 7, read in the same boot, by number and bank. The log must lead to them.
    pub registers: Registers,
}

/// shim in front of the boot loader.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShimFiles {
    /// Its PE image, as the firmware starts it.
    pub image: PathBuf,
    /// The value of the variable `MokList`: EFI signature lists (ESL); not there when not given.
    pub mok_list: Option<PathBuf>,
    /// The value of `MokListX`, likewise.
    pub mok_list_x: Option<PathBuf>,
    /// The value of `SbatLevel`: a text; not there when not given.
    pub sbat_level: Option<PathBuf>,
}

/// Larger than any variable, and any sensible `loader.conf`.
const FILE_LIMIT: u64 = 1 << 20;

impl BootMedium {
    /// Reads the partition table.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Predict`] when there is none that can be predicted.
    pub(crate) fn open(&self, files: &dyn Files) -> Result<Medium, Error> {
        match self {
            BootMedium::Cd => Ok(Medium::Cd),
            BootMedium::Disk(path) => Medium::of_disk(&mut open(files, "disk", path)?)
                .map_err(|source| no_prediction(path, source)),
        }
    }
}

impl MachineLog {
    /// Reads the log and checks it by the registers.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::EventLog`] when it is none, [`Error::Predict`] when it does not lead to the registers.
    pub(crate) fn open(&self, files: &dyn Files) -> Result<FirmwareLog, Error> {
        let log = eventlog::read(files, &self.log)?;
        FirmwareLog::new(&log, &self.registers).map_err(|source| no_prediction(&self.log, source))
    }
}

impl ShimFiles {
    /// Reads shim and its variables.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Pe`], [`Error::SignatureData`], and [`Error::Predict`] when it is no shim that is known.
    pub(crate) fn open(&self, files: &dyn Files, firmware: &Firmware) -> Result<Shim, Error> {
        let role = "shim";
        let list = |role, path: &Option<PathBuf>| {
            path.as_deref()
                .map_or(Ok(Vec::new()), |path| variable(files, role, path))
        };
        let level = self
            .sbat_level
            .as_deref()
            .map(|path| read_small(files, "variable SbatLevel", path, FILE_LIMIT));
        let variables = ShimVariables {
            mok_list: list("variable MokList", &self.mok_list)?,
            mok_list_x: list("variable MokListX", &self.mok_list_x)?,
            sbat_level: level.transpose()?.unwrap_or_default(),
        };
        let (banks, promised) = (&firmware.ask.banks, firmware.promised()?);
        Shim::from_file(
            &mut open(files, role, &self.image)?,
            banks,
            promised,
            variables,
        )
        .map_err(|source| boot_path(role, &self.image, source))
    }
}

/// The content of `loader/loader.conf`, where there is one.
///
/// # Errors
/// [`Error::Open`].
pub(crate) fn loader_conf(
    files: &dyn Files,
    path: Option<&Path>,
) -> Result<Option<Vec<u8>>, Error> {
    path.map(|path| read_small(files, "loader.conf", path, FILE_LIMIT))
        .transpose()
}

fn no_prediction(file: &Path, source: impl Into<NoPrediction>) -> Error {
    Error::Predict {
        file: Some(file.to_owned()),
        source: source.into(),
    }
}
