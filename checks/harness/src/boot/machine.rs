//! What a machine is made of, before it runs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;

use super::orders::Order;
use super::outcome::Boot;
use super::watch::Answer;
use super::{BootVariable, Programs, Variables};

/// An OVMF build: its code, and the empty variable store that belongs to it (the same flash size).
#[derive(Debug, Clone)]
pub struct Firmware {
    /// `OVMF_CODE*.fd`, built with SMM when Secure Boot is to be more than a promise.
    pub code: PathBuf,
    /// `OVMF_VARS*.fd` without keys.
    pub variables: PathBuf,
}

impl Firmware {
    /// The Secure Boot build of Debian's package `ovmf`, unpacked below `root`.
    pub fn of_debian(root: &Path) -> Firmware {
        let folder = root.join("usr/share/OVMF");
        Firmware {
            code: folder.join("OVMF_CODE_4M.secboot.fd"),
            variables: folder.join("OVMF_VARS_4M.fd"),
        }
    }
}

/// Bytes for a file on the ESP.
#[derive(Debug, Clone)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The bytes of this file, read when the machine is prepared.
    File(PathBuf),
}

impl From<Vec<u8>> for Content {
    fn from(bytes: Vec<u8>) -> Self {
        Content::Bytes(bytes)
    }
}

impl From<PathBuf> for Content {
    fn from(path: PathBuf) -> Self {
        Content::File(path)
    }
}

impl From<&Path> for Content {
    fn from(path: &Path) -> Self {
        Content::File(path.to_owned())
    }
}

impl From<&str> for Content {
    fn from(path: &str) -> Self {
        Content::File(path.into())
    }
}

/// The machine's only disk.
#[derive(Debug, Clone)]
pub enum Disk {
    /// A GPT disk with fixed GUIDs and one EFI system partition holding these files (path with `/`, content).
    Esp(Vec<(String, Content)>),
    /// A CD (ISO 9660 with El Torito) whose boot image for EFI is a file system with these files.
    Cd(Vec<(String, Content)>),
    /// A GPT disk with an ESP that holds these files, and a system's root.
    System(System),
    /// A copy of this raw image.
    Image(PathBuf),
}

/// A disk with a system on it.
#[derive(Debug, Clone)]
pub struct System {
    /// The files of the ESP, as of [`Disk::Esp`].
    pub esp: Vec<(String, Content)>,
    /// The ESP's size in mebibytes, of which the disk's tables take none.
    pub esp_mebibytes: u64,
    /// An image of the root's file system, as [`ext4`](super::ext4) makes it.
    pub root: PathBuf,
}

/// The description of a machine; every boot of it starts from the same state.
#[derive(Clone)]
pub struct Machine<'a> {
    pub(super) programs: &'a dyn Programs,
    pub(super) firmware: Firmware,
    pub(super) disk: Disk,
    pub(super) variables: Option<Variables>,
    pub(super) boot_variables: Vec<BootVariable>,
    pub(super) tpm: bool,
    pub(super) banks: Option<Vec<String>>,
    pub(super) tpm_state: Option<PathBuf>,
    pub(super) option_rom: bool,
    pub(super) smbios: Vec<String>,
    pub(super) orders: Vec<Order>,
    pub(super) memory: u32,
    pub(super) timeout: Duration,
    pub(super) refusal_expected: bool,
    pub(super) last_line: Option<String>,
    pub(super) after_it: Duration,
    pub(super) answer: Option<Answer>,
}

impl<'a> Machine<'a> {
    /// A machine with an empty ESP, no keys (Secure Boot in setup mode), a fresh TPM, 512 MiB and 180 s to boot.
    pub fn new(programs: &'a dyn Programs, firmware: Firmware) -> Self {
        Machine {
            programs,
            firmware,
            disk: Disk::Esp(Vec::new()),
            variables: None,
            boot_variables: Vec::new(),
            tpm: true,
            banks: None,
            tpm_state: None,
            option_rom: false,
            smbios: Vec::new(),
            orders: Vec::new(),
            memory: 512,
            timeout: Duration::from_secs(180),
            refusal_expected: false,
            last_line: None,
            after_it: Duration::ZERO,
            answer: None,
        }
    }

    /// Adds a file to the ESP or the CD (path relative to its root, with `/`). An image given before is replaced by an ESP.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl Into<Content>) -> Self {
        let file = (path.to_owned(), content.into());
        match &mut self.disk {
            Disk::Esp(files) | Disk::Cd(files) => files.push(file),
            Disk::System(system) => system.esp.push(file),
            Disk::Image(_) => self.disk = Disk::Esp(vec![file]),
        }
        self
    }

    /// Takes a file away again that was added before.
    #[must_use]
    pub fn without_file(mut self, path: &str) -> Self {
        match &mut self.disk {
            Disk::Esp(files) | Disk::Cd(files) => files.retain(|(name, _)| name != path),
            Disk::System(system) => system.esp.retain(|(name, _)| name != path),
            Disk::Image(_) => {}
        }
        self
    }

    /// Puts the files that were added so far, and those that follow, on a CD in place of the ESP.
    #[must_use]
    pub fn on_cd(mut self) -> Self {
        self.disk = Disk::Cd(match self.disk {
            Disk::Esp(files) | Disk::Cd(files) => files,
            Disk::System(system) => system.esp,
            Disk::Image(_) => Vec::new(),
        });
        self
    }

    /// Sets the whole disk.
    #[must_use]
    pub fn disk(mut self, disk: Disk) -> Self {
        self.disk = disk;
        self
    }

    /// Sets the firmware's keys and its Secure Boot switch.
    #[must_use]
    pub fn variables(mut self, variables: Variables) -> Self {
        self.variables = Some(variables);
        self
    }

    /// Adds a variable that is no key, beside those of [`Machine::variables`].
    #[must_use]
    pub fn boot_variable(mut self, variable: BootVariable) -> Self {
        self.boot_variables.push(variable);
        self
    }

    /// Gives the firmware boot options of its own, in its order, beside the one that it makes for a disk: title, and path on the ESP.
    #[must_use]
    pub fn boot_options(mut self, options: &[(&str, &str)]) -> Self {
        let variables = BootVariable::boot_options(options);
        self.boot_variables.extend(variables);
        self
    }

    /// Takes the TPM out.
    #[must_use]
    pub fn without_tpm(mut self) -> Self {
        self.tpm = false;
        self
    }

    /// Gives the TPM these PCR banks and no others, by tpm2-tools' names of hash algorithms: `sha1`, `sha256`, `sha384`,
    /// `sha512`. Else it has them all.
    #[must_use]
    pub fn banks(mut self, banks: &[&str]) -> Self {
        self.banks = Some(banks.iter().map(|bank| (*bank).to_owned()).collect());
        self
    }

    /// Starts with a copy of this TPM's state ([`Prepared::tpm_state`](super::Prepared::tpm_state)): what is kept in the one is in
    /// the other.
    #[must_use]
    pub fn tpm_state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.tpm_state = Some(folder.into());
        self
    }

    /// Puts a network card in, which leads nowhere, with an option ROM: iPXE's driver, signed by nobody.
    #[must_use]
    pub fn with_option_rom(mut self) -> Self {
        self.option_rom = true;
        self
    }

    /// Adds an SMBIOS OEM string (type 11).
    #[must_use]
    pub fn smbios(mut self, value: &str) -> Self {
        self.smbios.push(value.to_owned());
        self
    }

    /// Has the guest do these with its TPM, after it has reported the registers; [`Report::done`](super::Report) says what came of it.
    /// They come as SMBIOS strings, which the firmware measures in PCR 1.
    #[must_use]
    pub fn orders(mut self, orders: &[Order]) -> Self {
        self.orders = orders.to_vec();
        self
    }

    /// Adds to the kernel command line as a host does, by the SMBIOS string that systemd-stub reads (and measures in PCR 12).
    #[must_use]
    pub fn extra_command_line(self, text: &str) -> Self {
        self.smbios(&format!("io.systemd.stub.kernel-cmdline-extra={text}"))
    }

    /// Sets the memory in MiB.
    #[must_use]
    pub fn memory(mut self, mebibytes: u32) -> Self {
        self.memory = mebibytes;
        self
    }

    /// Sets the time one boot may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Says that this machine is to be refused: it gets one attempt only, so that no second one hides a first that booted.
    #[must_use]
    pub fn refusal_expected(mut self) -> Self {
        self.refusal_expected = true;
        self
    }

    /// Says that the machine does not run `touchstone-probe`: it has come up when this line is on its console, and
    /// there is no report.
    #[must_use]
    pub fn last_line(mut self, line: &str) -> Self {
        self.last_line = Some(line.to_owned());
        self
    }

    /// Presses keys once, as soon as these words are on the console.
    #[must_use]
    pub fn answer(mut self, words: &str, keys: &[u8]) -> Self {
        self.answer = Some(Answer {
            words: words.to_owned(),
            keys: keys.to_owned(),
        });
        self
    }

    /// Boots once from a fresh state; what the machine it is emulated on may be the cause of gets one more attempt, unless a refusal is
    /// expected.
    ///
    /// # Errors
    /// When the machine cannot be made or started. A machine that started and did not come up is an [`Outcome`](super::Outcome), no error.
    pub fn boot(&self) -> Result<Boot> {
        let first = self.prepare()?.boot()?;
        if !first.outcome.may_be_chance() || self.refusal_expected {
            return Ok(first);
        }
        let mut second = self.prepare()?.boot()?;
        second.first_attempt = Some(first.outcome);
        Ok(second)
    }
}
