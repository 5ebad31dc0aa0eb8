//! The software TPM of a machine: beside QEMU, or by itself between two boots.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::Programs;
use super::guard::{self, Running};

/// The file in which swtpm keeps what a TPM keeps without power.
pub(super) const STATE: &str = "tpm2-00.permall";

/// Names in the private folder.
const LOG: &str = "swtpm.log";
const SERVER: &str = "alone.tpm";
/// tpm2-tss looks for it beside the other.
const CONTROL: &str = "alone.tpm.ctrl";

/// How long swtpm may take until it listens.
const START: Duration = Duration::from_secs(20);

/// All banks that swtpm knows, by tpm2-tools' names.
const BANKS: [&str; 4] = ["sha1", "sha256", "sha384", "sha512"];

/// States of new TPMs, by the banks they were given: made once in a process.
static ALLOCATED: Mutex<BTreeMap<Vec<String>, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Starts swtpm on the state in `state`, with its control channel at `control`; with its commands at `server`, where a TPM is
/// wanted that is already started. QEMU has another way to send commands.
pub(super) fn start(
    programs: &dyn Programs,
    home: &Path,
    state: &Path,
    control: &Path,
    server: Option<&Path>,
) -> Result<Running> {
    let mut command = programs.command("swtpm", home)?;
    command
        .args(["socket", "--tpm2", "--tpmstate"])
        .arg(format!("dir={}", state.display()));
    command
        .arg("--ctrl")
        .arg(format!("type=unixio,path={}", control.display()));
    match server {
        Some(server) => command
            .args(["--flags", "not-need-init,startup-clear", "--server"])
            .arg(format!("type=unixio,path={}", server.display())),
        None => command.arg("--terminate"),
    };
    // A socket of the run before would look like one that listens.
    let sockets = [Some(control), server];
    for socket in sockets.iter().flatten() {
        let _ = fs::remove_file(socket);
    }
    let log = home.join(LOG);
    let mut tpm = Running::start(command, &log)?;
    let started = Instant::now();
    while !sockets.iter().flatten().all(|socket| socket.exists()) {
        if let Some(status) = tpm.ended()? {
            bail!(
                "swtpm ended ({status}): {}",
                guard::tail(&fs::read_to_string(&log).unwrap_or_default(), 5)
            );
        }
        if started.elapsed() > START {
            bail!("swtpm does not listen after {} s", START.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(tpm)
}

/// A TPM that is switched on without a machine. Its registers hold what they hold before firmware runs. It goes off when the
/// value is dropped; what it keeps without power stays.
pub struct SoftTpm<'a> {
    programs: &'a dyn Programs,
    folder: PathBuf,
    _running: Running,
}

impl<'a> SoftTpm<'a> {
    /// Switches on the TPM whose state is in the folder `state`; an empty one is a new TPM. Sockets and log are in `folder`, an
    /// absolute path of fewer than 80 bytes above `state`.
    ///
    /// # Errors
    /// When swtpm cannot be started; the sentence has its last words.
    pub fn start(programs: &'a dyn Programs, folder: &Path, state: &Path) -> Result<SoftTpm<'a>> {
        let (control, server) = (folder.join(CONTROL), folder.join(SERVER));
        let running = start(programs, folder, state, &control, Some(&server))?;
        Ok(SoftTpm {
            programs,
            folder: folder.to_owned(),
            _running: running,
        })
    }

    /// The unix socket that takes commands and gives responses as they are, one connection at a time.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(SERVER)
    }

    /// A program of tpm2-tools that speaks to this TPM; it sees the folder.
    ///
    /// # Errors
    /// When the program cannot be run from here.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = self.programs.command(program, &self.folder)?;
        let transport = format!("swtpm:path={}", self.socket().display());
        command.env("TPM2TOOLS_TCTI", transport);
        Ok(command)
    }

    /// Runs a program of tpm2-tools to its end.
    ///
    /// # Errors
    /// When it fails; the sentence has its last words.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let mut command = self.command(program)?;
        command.args(arguments);
        guard::run(command)
    }
}

/// Gives the TPM these banks alone: at once for one that has no state yet and whose like was made before.
pub(super) fn allocate(
    programs: &dyn Programs,
    home: &Path,
    state: &Path,
    banks: &[String],
) -> Result<()> {
    let file = state.join(STATE);
    let is_new = !file.exists();
    let known = || ALLOCATED.lock().ok()?.get(banks).cloned();
    if let (true, Some(bytes)) = (is_new, known()) {
        return fs::write(&file, bytes).with_context(|| file.display().to_string());
    }
    let switch = |bank: &&str| {
        let active = banks.iter().any(|wanted| wanted == bank);
        format!("{bank}:{}", if active { "all" } else { "none" })
    };
    let wanted: Vec<String> = BANKS.iter().map(switch).collect();
    if let Some(strange) = banks.iter().find(|bank| !BANKS.contains(&bank.as_str())) {
        bail!("{strange} is no bank of swtpm: use {}", BANKS.join(", "));
    }
    SoftTpm::start(programs, home, state)?.run("tpm2_pcrallocate", &[&wanted.join("+")])?;
    if is_new {
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        if let Ok(mut known) = ALLOCATED.lock() {
            known.insert(banks.to_vec(), bytes);
        }
    }
    Ok(())
}
