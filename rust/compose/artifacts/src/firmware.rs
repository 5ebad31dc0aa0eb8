//! The firmware's side of a prediction: its Secure Boot variables, and through which entry of `db` it accepts an image.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{
    Ask, Authority, AuthorityError, Bank, BootPathError, BootTree, Branch, Companions, Digests,
    FirmwareLog, Identity, Loader, Medium, PhasePath, Prediction, Program, Release, Shim, Smbios,
    Variables, authenticode_digests, predict_tree,
};
use touchstone_pe::authenticode;
use touchstone_sign::{Certificate, certificate, esl};
use uuid::Uuid;

use crate::host_options::HostOptions;
use crate::machine::{self, BootMedium, MachineLog};
pub use crate::secure_boot::{SecureBoot, VariableUpdate};
use crate::source::{open, open_image, read_small};
use crate::{Error, Files};

/// What is to be predicted, and for which firmware settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Measure {
    /// The firmware's Secure Boot variables. Without them, PCRs 4 and 7 are refused.
    pub secure_boot: Option<SecureBoot>,
    /// The PCRs: 4, 7, 9, 11, 12 and 13 when not given.
    pub pcrs: Option<Vec<u32>>,
    /// The banks: `sha256` when not given.
    pub banks: Option<Vec<Bank>>,
    /// The moments at which PCR 11 is looked at, each a leaf of its own: only the one before the first phase (the empty path) when not given.
    pub phases: Option<Vec<PhasePath>>,
    /// Whether the initrd's systemd is 262 or newer: it extends PCRs 0 to 7, 9, 12, 13 and 14 by the word `os-separator` before anything is
    /// unlocked. To be said where the stub is 262 and moments after the first phase are asked for.
    pub os_separator: Option<bool>,
    /// Says that the ESP has a file `loader/boot-secret-mixin` of 1 to 31 bytes, which keeps stub 262 from handing the initrd a secret of
    /// its own making; without it, PCR 9 is refused with that stub.
    #[serde(default)]
    pub without_boot_secret: bool,
    /// What the machine's host adds to the command line; nothing when not given.
    #[serde(default)]
    pub smbios: HostOptions,
    /// What the firmware boots from; needed for PCR 5.
    pub medium: Option<BootMedium>,
    /// `loader/loader.conf` of the ESP, which is measured into PCR 5; there is none when not given.
    pub loader_conf: Option<PathBuf>,
    /// How often the firmware refuses to end the boot services before it does, an event of PCR 5: OVMF of 2026 does once. A log of the
    /// machine tells by itself.
    #[serde(default)]
    pub failed_exits: u32,
    /// The machine's own log; what the firmware measures before the boot is by rule when not given.
    pub firmware_log: Option<MachineLog>,
    /// What systemd measures of the machine at run time; needed for PCR 15.
    pub identity: Option<Identity>,
}

/// A [`Measure`] whose files are read.
pub(crate) struct Firmware {
    /// What is asked.
    pub(crate) ask: Ask,
    variables: Option<Variables>,
    /// The variables as they are, then after each update.
    branches: Vec<Branch<Variables>>,
    medium: Option<Medium>,
    configuration: Option<Vec<u8>>,
    log: Option<FirmwareLog>,
    failed_exits: u32,
    identity: Option<Identity>,
    certificate: Option<Certificate>,
    db: Option<PathBuf>,
    without_boot_secret: bool,
    smbios: Smbios,
}

const VARIABLE_LIMIT: u64 = 1 << 20;

impl Measure {
    /// Reads the variables.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`], [`Error::Request`].
    pub(crate) fn open(&self, files: &dyn Files) -> Result<Firmware, Error> {
        let ask = Ask::default();
        let ask = Ask {
            pcrs: self.pcrs.clone().unwrap_or(ask.pcrs),
            banks: self.banks.clone().unwrap_or(ask.banks),
            phases: self.phases.clone().unwrap_or(ask.phases),
            os_separator: self.os_separator,
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
            branches: vec![Branch::only(Variables::default())],
            medium: self
                .medium
                .as_ref()
                .map(|medium| medium.open(files))
                .transpose()?,
            configuration: machine::loader_conf(files, self.loader_conf.as_deref())?,
            log: self
                .firmware_log
                .as_ref()
                .map(|log| log.open(files))
                .transpose()?,
            failed_exits: self.failed_exits,
            identity: self.identity.clone(),
            certificate: None,
            db: None,
            without_boot_secret: self.without_boot_secret,
            smbios: self.smbios.clone().into(),
        };
        match &self.secure_boot {
            None => Ok(firmware),
            Some(secure_boot) => Ok(Firmware {
                variables: Some(secure_boot.read(files)?),
                branches: secure_boot.branches(files)?,
                certificate: secure_boot.read_certificate(files)?,
                db: Some(secure_boot.db.clone()),
                ..firmware
            }),
        }
    }
}

impl SecureBoot {
    fn read(&self, files: &dyn Files) -> Result<Variables, Error> {
        Ok(Variables {
            pk: variable(files, "variable PK", &self.pk)?,
            kek: variable(files, "variable KEK", &self.kek)?,
            db: variable(files, "variable db", &self.db)?,
            dbx: self
                .dbx
                .as_deref()
                .map_or(Ok(Vec::new()), |path| variable(files, "variable dbx", path))?,
            dbt: self
                .dbt
                .as_deref()
                .map_or(Ok(Vec::new()), |path| variable(files, "variable dbt", path))?,
            secure_boot: self.enabled,
        })
    }

    /// The variables as they are, and after each pending update.
    fn branches(&self, files: &dyn Files) -> Result<Vec<Branch<Variables>>, Error> {
        if self.updates.is_empty() {
            return Ok(vec![Branch::only(self.read(files)?)]);
        }
        let mut branches = vec![Branch::named("before any update", self.read(files)?)];
        for (name, update) in &self.updates {
            let updated = SecureBoot {
                pk: update.pk.clone().unwrap_or_else(|| self.pk.clone()),
                kek: update.kek.clone().unwrap_or_else(|| self.kek.clone()),
                db: update.db.clone().unwrap_or_else(|| self.db.clone()),
                dbx: update.dbx.clone().or_else(|| self.dbx.clone()),
                ..self.clone()
            };
            branches.push(Branch::named(
                format!("after the update {name}"),
                updated.read(files)?,
            ));
        }
        Ok(branches)
    }

    fn read_certificate(&self, files: &dyn Files) -> Result<Option<Certificate>, Error> {
        let Some(path) = &self.certificate else {
            return Ok(None);
        };
        let role = "signing certificate";
        let bytes = read_small(files, role, path, VARIABLE_LIMIT)?;
        certificate::read(&bytes)
            .map(Some)
            .map_err(|error| signature_data(role, path, error))
    }
}

/// The content of a variable: signature lists.
pub(crate) fn variable(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<Vec<u8>, Error> {
    let bytes = read_small(files, role, path, VARIABLE_LIMIT)?;
    esl::parse(&bytes).map_err(|error| signature_data(role, path, error))?;
    Ok(bytes)
}

fn signature_data(role: &'static str, path: &Path, error: impl std::fmt::Display) -> Error {
    Error::SignatureData {
        role,
        file: path.to_owned(),
        fact: error.to_string(),
    }
}

impl Firmware {
    /// Reads the boot loader in `file`; `named` is its name in messages.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Pe`], and [`Error::Predict`] when its version is not known.
    pub(crate) fn loader(
        &self,
        files: &dyn Files,
        file: &Path,
        named: &Path,
        authority: Option<Authority>,
    ) -> Result<Loader, Error> {
        let role = "boot loader";
        let mut loader =
            Loader::from_file(&mut open(files, role, file)?, &self.ask.banks, authority)
                .map_err(|source| boot_path(role, named, source))?;
        loader.configuration = self.configuration.clone();
        Ok(loader)
    }

    /// Predicts what a machine measures that boots `shim`, `loader` and then any of the entries.
    ///
    /// # Errors
    /// [`Error::Predict`].
    pub(crate) fn predict(
        &self,
        shim: Option<Shim>,
        loader: Option<Loader>,
        entries: Vec<Branch<Program>>,
        shared: Companions,
    ) -> Result<Prediction, Error> {
        self.require_variables(&entries)?;
        let tree = BootTree {
            variables: self.branches.clone(),
            medium: self.medium.clone(),
            firmware: self.log.clone(),
            failed_exits: self.failed_exits,
            identity: self.identity.clone(),
            shim,
            loader,
            entries,
            shared,
            smbios: self.smbios.clone(),
            no_boot_secret: self.without_boot_secret,
        };
        predict_tree(&tree, &self.ask).map_err(|source| Error::Predict {
            file: None,
            source: source.into(),
        })
    }

    /// With stub 252, PCR 12 depends on Secure Boot: the one thing beside PCRs 4 and 7 that does.
    fn require_variables(&self, entries: &[Branch<Program>]) -> Result<(), Error> {
        let stubs = entries.iter().filter_map(|entry| entry.value.uki());
        let twice = stubs
            .map(|uki| uki.measured.stub().release)
            .any(|release| release == Release::V252);
        if twice && self.ask.pcrs.contains(&12) && self.variables.is_none() {
            return Err(Error::Request {
                fact: "with stub 252, PCR 12 depends on Secure Boot, and no variables are given"
                    .to_owned(),
                help: "give measure.secureBoot, or use a newer stub",
            });
        }
        Ok(())
    }

    /// The entry of `db` that is the certificate by which images that are not signed yet will be signed, if one was given.
    ///
    /// # Errors
    /// [`Error::SignatureData`] when it is in `db` neither before nor after an update.
    pub(crate) fn promised(&self) -> Result<Option<Authority>, Error> {
        let certificate = self.certificate.as_ref();
        certificate
            .map(|certificate| self.authority(certificate))
            .transpose()
    }

    /// The entry of `db` that is the signer's certificate, or the one of [`Firmware::promised`].
    ///
    /// # Errors
    /// Likewise.
    pub(crate) fn authority_of_signer(
        &self,
        signer: Option<&Certificate>,
    ) -> Result<Option<Authority>, Error> {
        match signer {
            Some(certificate) => self.authority(certificate).map(Some),
            None => self.promised(),
        }
    }

    /// The digests of the kernel inside a UKI, where they matter: without Secure Boot, older stubs let the firmware load it.
    ///
    /// # Errors
    /// [`Error::Pe`].
    pub(crate) fn kernel_digests(
        &self,
        files: &dyn Files,
        kernel: &Path,
    ) -> Result<Option<Digests>, Error> {
        if self.variables.is_none() || self.enforcing().is_some() {
            return Ok(None);
        }
        let (mut file, image) = open_image(files, "kernel", kernel)?;
        if authenticode::is_padded(&image) {
            return Ok(None);
        }
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
        let der = certificate::to_der(certificate).map_err(|error| error.to_string());
        let found = der.and_then(|data| {
            let branches = self.branches.iter();
            let mut found = branches.map(|branch| branch.value.authority(&data));
            match found.find_map(Result::ok) {
                Some(authority) => Ok(authority),
                // Where signatures are not enforced, nobody looks for it.
                _ if self.enforcing().is_none() => Ok(Authority {
                    owner: Uuid::nil(),
                    data,
                }),
                _ => Err(AuthorityError::NotInDb.to_string()),
            }
        });
        found.map_err(|fact| Error::SignatureData {
            role: "variable db",
            file: self.db.clone().unwrap_or_default(),
            fact,
        })
    }
}

pub(crate) fn boot_path(role: &'static str, path: &Path, source: BootPathError) -> Error {
    let file = path.to_owned();
    match source {
        BootPathError::Image(source) => Error::Pe { role, file, source },
        other => Error::Predict {
            file: Some(file),
            source: other.into(),
        },
    }
}
