//! `touchstone-stage1 verify`: whether the root holds the system that the signed image names, path by path.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::process::{Resource, getrlimit, setrlimit};
use touchstone_store::StorePath;
use touchstone_store::closure::{self, Checked, Refused, Settings, Store, Trust, Trusted};
use touchstone_store::manifest::{CREDENTIAL, IN_IMAGE, ON_ROOT, VerifyError};
use touchstone_store::nar::NarError;

use crate::configuration::{Carrier, Configuration};
use crate::gate::{self, Refusal};
use crate::machine::Machine;
use crate::messages::{self, Severity};
use crate::progress::{Show, gib};
use crate::{failure, measured, root};

/// Where the stub puts the credentials that lie beside the image.
const CREDENTIALS: &str = "/.extra/credentials";
/// Bytes of the manifest that are read at once.
const BUFFER: usize = 64 * 1024;

/// Why the closure is not what was signed, or nobody can tell.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The boot was told something that is not signed.
    #[error(transparent)]
    Gate(#[from] Refusal),
    /// Something on the root must not be there, or is missing.
    #[error(transparent)]
    Root(#[from] root::Error),
    /// The configuration asks for what no set of its keys can give.
    #[error(transparent)]
    Trust(#[from] VerifyError),
    /// The manifest is not where it is carried.
    #[error("the manifest of {toplevel} cannot be read: {}: {source}; {help}", .file.display())]
    Manifest {
        /// The system that it is of.
        toplevel: StorePath,
        /// Where it is looked for.
        file: PathBuf,
        /// What the system answered.
        source: io::Error,
        /// The way out.
        help: &'static str,
    },
    /// The store on the root cannot be used.
    #[error(transparent)]
    Store(#[from] NarError),
    /// A path is not signed, or not what was signed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// What was verified cannot be measured.
    #[error(transparent)]
    Measured(#[from] measured::Error),
}

/// Verifies, and ends the boot where something is not as it was signed. The answer is a success.
pub fn run() -> ExitCode {
    let machine = Machine::here();
    let configuration = match gate::configuration(&machine) {
        Ok(configuration) => configuration,
        Err(refusal) => failure::end(None, &refusal),
    };
    let show = Show::begin();
    match verify(&machine, &configuration, &show) {
        Ok(checked) => messages::kernel_log(Severity::Info, &success(checked, &show)),
        Err(error) => failure::end(Some(&configuration.on_failure), &error),
    }
    ExitCode::SUCCESS
}

fn success(checked: Checked, show: &Show) -> String {
    format!(
        "{}every path of the system is what was signed: {} paths, {:.2} GiB, {:.2} s",
        messages::PREFIX,
        checked.paths,
        gib(checked.nar_size),
        show.elapsed().as_secs_f64(),
    )
}

/// Judges what the boot was told, reads the manifest, looks at the root, hashes every path, and measures.
///
/// # Errors
/// [`Error`], of the first thing that is not as it was signed.
pub fn verify(
    machine: &Machine,
    configuration: &Configuration,
    show: &Show,
) -> Result<Checked, Error> {
    let toplevel = gate::judge(machine, configuration)?.toplevel;
    root::judge(&configuration.sysroot, &toplevel)?;
    let trusted = trusted(machine, configuration, &toplevel)?;
    let store = Store::below(&configuration.sysroot)?;
    allow_open_files();
    let tell = |progress| show.tell(progress);
    let checked = closure::check(&store, &trusted, &Settings::default(), &tell)?;
    if let Some(register) = configuration.measure {
        measured::closure(register, &toplevel)?;
    }
    Ok(checked)
}

/// What the manifest says, as far as it is signed.
fn trusted(
    machine: &Machine,
    configuration: &Configuration,
    toplevel: &StorePath,
) -> Result<Trusted, Error> {
    let trust = Trust::new(configuration.keys.clone(), configuration.sigs_needed)?;
    let (file, help) = place(machine, configuration, toplevel);
    let opened = open(&file).map_err(|source| Error::Manifest {
        toplevel: toplevel.clone(),
        file,
        source,
        help,
    })?;
    let input = BufReader::with_capacity(BUFFER, opened);
    let class = configuration.class.as_ref();
    Ok(Trusted::from_manifest(input, &trust, toplevel, class)?)
}

/// Where the manifest is, and what helps where it is not. No carrier needs protection: a manifest speaks for itself, by its signatures.
fn place(
    machine: &Machine,
    configuration: &Configuration,
    toplevel: &StorePath,
) -> (PathBuf, &'static str) {
    match configuration.manifest {
        Carrier::Image => (
            machine.path(IN_IMAGE),
            "the image was assembled without it: build it again",
        ),
        Carrier::Esp => (
            machine.path(CREDENTIALS).join(CREDENTIAL),
            "it lies beside the image on the EFI system partition: install the system again",
        ),
        Carrier::Root => {
            let name = format!("{}.json", toplevel.base_name());
            let on_root = ON_ROOT.trim_start_matches('/');
            (
                configuration.sysroot.join(on_root).join(name),
                "it lies on the root file system: install the system again",
            )
        }
    }
}

/// Opens a regular file. Whoever can write to the root can put anything there: a link, or what would never answer.
fn open(file: &Path) -> io::Result<File> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let opened = openat(CWD, file, flags, Mode::empty())?;
    match FileType::from_raw_mode(fstat(&opened)?.st_mode) {
        FileType::RegularFile => Ok(File::from(opened)),
        _ => Err(io::Error::other("it is no regular file")),
    }
}

/// Lets this process open as many files as it may: by default systemd allows a thousand, for programs of old.
fn allow_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // Without it deep trees in many threads at once may fail, and nothing that is false passes.
    let _ = setrlimit(Resource::Nofile, limit);
}
