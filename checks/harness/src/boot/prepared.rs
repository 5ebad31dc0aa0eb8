//! A machine's state: what it is made of at first, and what a boot leaves to the next.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::disk::{self, Table};
use super::machine::{Disk, Machine};
use super::orders::Order;
use super::outcome::Boot;
use super::tpm::{self, SoftTpm};
use super::{Programs, report, run, sparse, variables};

impl<'a> Machine<'a> {
    /// Makes disk, firmware variables and TPM state in a private folder, for boots that follow each other.
    ///
    /// # Errors
    /// When an input cannot be read or a program fails; the sentence has its last words.
    pub fn prepare(&self) -> Result<Prepared<'a>> {
        // Not below TMPDIR: the path of the TPM's socket has to stay under 108 bytes.
        let folder = tempfile::Builder::new()
            .prefix("touchstone-boot-")
            .tempdir_in("/tmp")
            .context("/tmp: no private folder can be made there")?;
        let home = folder.path();
        copy(&self.firmware.code, &home.join(run::CODE))?;
        self.prepare_variables(home)?;
        match &self.disk {
            Disk::Esp(files) => disk::make(self.programs, home, Table::Gpt, files)?,
            Disk::Cd(files) => disk::make(self.programs, home, Table::ElTorito, files)?,
            Disk::System(system) => disk::make_system(self.programs, home, system)?,
            Disk::Image(path) => copy(path, &home.join(run::DISK))?,
        }
        self.prepare_tpm(home)?;
        Ok(Prepared {
            machine: self.clone(),
            folder,
        })
    }

    fn prepare_variables(&self, home: &Path) -> Result<()> {
        let (from, to) = (&self.firmware.variables, home.join(run::VARIABLES));
        if self.variables.is_none() && self.boot_variables.is_empty() {
            return copy(from, &to);
        }
        // Without keys the firmware is in setup mode, whatever the switch says.
        let wanted = self.variables.clone().unwrap_or_default();
        let store = fs::read(from)
            .map_err(anyhow::Error::from)
            .and_then(|empty| variables::fill(&empty, &wanted, &self.boot_variables));
        let store = store.with_context(|| from.display().to_string())?;
        fs::write(to, store).context("the firmware's variables")
    }

    fn prepare_tpm(&self, home: &Path) -> Result<()> {
        let state = home.join(run::TPM);
        fs::create_dir(&state).context("the folder of the TPM's state")?;
        if let Some(from) = &self.tpm_state {
            copy(&from.join(tpm::STATE), &state.join(tpm::STATE))?;
        }
        match &self.banks {
            Some(banks) => tpm::allocate(self.programs, home, &state, banks),
            None => Ok(()),
        }
    }
}

/// A machine with its state, which lasts from boot to boot: disk, firmware variables, TPM. Dropping it removes the state.
pub struct Prepared<'a> {
    machine: Machine<'a>,
    folder: TempDir,
}

impl Prepared<'_> {
    /// Boots once, without a second attempt.
    ///
    /// # Errors
    /// When QEMU or swtpm cannot be started.
    pub fn boot(&mut self) -> Result<Boot> {
        run::boot(&self.machine, self.folder.path())
    }

    /// Boots once; where the machine that it is emulated on may be the cause of how that ended, its state is as before, and it boots
    /// once more.
    ///
    /// # Errors
    /// When QEMU or swtpm cannot be started, or the state not be kept.
    pub fn boot_settled(&mut self) -> Result<Boot> {
        let kept = tempfile::tempdir_in(self.folder.path())?;
        let files = [run::DISK, run::VARIABLES].map(PathBuf::from);
        let tpm = Path::new(run::TPM).join(tpm::STATE);
        // The first boot finds no state of the TPM, and makes one.
        let is_new = !self.folder.path().join(&tpm).exists();
        let tpm = (!is_new).then_some(tpm);
        let all: Vec<PathBuf> = files.into_iter().chain(tpm).collect();
        let kept_as = |file: &Path| kept.path().join(file.file_name().unwrap_or_default());
        for file in &all {
            sparse::duplicate(&self.folder.path().join(file), &kept_as(file))?;
        }
        let first = self.boot()?;
        if !first.outcome.may_be_chance() {
            return Ok(first);
        }
        for file in &all {
            sparse::duplicate(&kept_as(file), &self.folder.path().join(file))?;
        }
        let mut second = self.boot()?;
        second.first_attempt = Some(first.outcome);
        Ok(second)
    }

    /// Boots, and takes the power away so long after the guest has begun to run the program of the order of this number: what the guest has
    /// not given to its disk by then is lost.
    ///
    /// # Errors
    /// When QEMU or swtpm cannot be started, or the guest does not come so far.
    pub fn cut(&mut self, order: usize, after: Duration) -> Result<()> {
        let whole = self.machine.clone();
        self.machine.last_line = Some(report::runs(order));
        self.machine.after_it = after;
        let boot = self.boot();
        self.machine = whole;
        boot?.reached()
    }

    /// What the guest does at the boots that follow, in the place of what it did.
    pub fn order(&mut self, orders: &[Order]) {
        self.machine.orders = orders.to_vec();
    }

    pub(super) fn programs(&self) -> &dyn Programs {
        self.machine.programs
    }

    /// The raw disk as the last boot left it.
    pub fn disk(&self) -> PathBuf {
        self.folder.path().join(run::DISK)
    }

    /// The machine's folder: a program beside it can be given files there, and leaves its own there.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the TPM's state, as it is between boots.
    pub fn tpm_state(&self) -> PathBuf {
        self.folder.path().join(run::TPM)
    }

    /// Switches the machine's TPM on, without the machine: to keep something in it before a boot, or to look at it after one.
    ///
    /// # Errors
    /// When swtpm cannot be started.
    pub fn tpm(&self) -> Result<SoftTpm<'_>> {
        SoftTpm::start(self.machine.programs, self.folder.path(), &self.tpm_state())
    }
}

pub(super) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("{}: cannot be copied", from.display()))?;
    // Files of a store or a package are read-only; QEMU opens its copies for writing.
    let mut permissions = fs::metadata(to)?.permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(to, permissions)?;
    Ok(())
}

/// The folders of an ESP path, checked: relative, no empty part, no `..`.
pub(super) fn checked(path: &str) -> Result<&Path> {
    let good = !path.is_empty()
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != "." && part != "..");
    ensure!(
        good,
        "{path:?} is no path on an ESP: write it relative to the ESP's root, with / between"
    );
    Ok(Path::new(path))
}
