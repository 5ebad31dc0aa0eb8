//! Running a program inside an unpacked root, in mount and PID namespaces of its own.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Result, bail};

/// The search path inside every root.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Names the binary whose subcommand `enter` sets a root up: set by `cargo xtask test`.
pub const XTASK_VARIABLE: &str = "TOUCHSTONE_XTASK";

static THIS_BINARY: OnceLock<PathBuf> = OnceLock::new();

/// Called by xtask itself: it is the binary that has the subcommand `enter`.
///
/// # Errors
/// When the path of the running program cannot be read.
pub fn this_binary_enters() -> Result<()> {
    let path = std::env::current_exe()?;
    THIS_BINARY.get_or_init(|| path);
    Ok(())
}

/// The binary with the subcommand `enter`: this one, or the one that the environment names.
///
/// # Errors
/// When neither is known.
pub fn entering_binary() -> Result<PathBuf> {
    if let Some(path) = THIS_BINARY.get() {
        return Ok(path.clone());
    }
    match std::env::var_os(XTASK_VARIABLE) {
        Some(path) => Ok(path.into()),
        None => bail!(
            "{XTASK_VARIABLE} is not set: run `cargo xtask test`, or one test by `cargo xtask cargo -- test NAME`"
        ),
    }
}

/// An unpacked root of the cache. It is read-only for what runs inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    path: PathBuf,
}

impl Root {
    /// The root at this path.
    pub fn at(path: impl Into<PathBuf>) -> Root {
        Root { path: path.into() }
    }

    /// Where it is, seen from outside.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Begins a visit: the root as it is, with empty `/tmp`, `/run`, `/root` and `/nix`, without any folder of the host.
    #[must_use]
    pub fn visit(&self) -> Visit {
        Visit {
            root: self.path.clone(),
            binds: Vec::new(),
            folder: None,
            init: false,
        }
    }

    /// A program inside, with none of the host's folders.
    ///
    /// # Errors
    /// When no xtask binary is known.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        self.visit().command(program)
    }
}

/// One visit to a root: which of the host's folders and files are seen inside.
#[derive(Debug, Clone)]
pub struct Visit {
    root: PathBuf,
    binds: Vec<OsString>,
    folder: Option<PathBuf>,
    init: bool,
}

impl Visit {
    /// A folder or file of the host, writable, at the same absolute path.
    #[must_use]
    pub fn bind(self, path: impl AsRef<Path>) -> Visit {
        let path = path.as_ref().to_owned();
        self.bind_at(&path, &path)
    }

    /// A folder or file of the host, writable, at another path inside.
    #[must_use]
    pub fn bind_at(self, host: impl AsRef<Path>, inside: impl AsRef<Path>) -> Visit {
        self.with_bind("--bind", host.as_ref(), inside.as_ref())
    }

    /// A folder or file of the host, read-only, at the same absolute path.
    #[must_use]
    pub fn show(self, path: impl AsRef<Path>) -> Visit {
        let path = path.as_ref().to_owned();
        self.show_at(&path, &path)
    }

    /// A folder or file of the host, read-only, at another path inside.
    #[must_use]
    pub fn show_at(self, host: impl AsRef<Path>, inside: impl AsRef<Path>) -> Visit {
        self.with_bind("--show", host.as_ref(), inside.as_ref())
    }

    /// Writes what the program uses of the machine into this file of the host, as [`crate::Usage`] in JSON. What the visit itself
    /// takes is not counted.
    #[must_use]
    pub fn usage(mut self, host: impl AsRef<Path>) -> Visit {
        self.binds.extend(["--usage".into(), host.as_ref().into()]);
        self
    }

    /// The folder in which the program starts (else `/`).
    #[must_use]
    pub fn folder(mut self, inside: impl Into<PathBuf>) -> Visit {
        self.folder = Some(inside.into());
        self
    }

    /// Lets the program be the first process, as an init system has to be: with a network and control groups of its own, `/sys`, and an empty `/var/lib`.
    #[must_use]
    pub fn as_init(mut self) -> Visit {
        self.init = true;
        self
    }

    fn with_bind(mut self, kind: &str, host: &Path, inside: &Path) -> Visit {
        self.binds.extend([kind.into(), host.into(), inside.into()]);
        self
    }

    /// The program, ready to take arguments and environment variables; the environment starts out with
    /// `PATH`, `HOME` and `LC_ALL` alone. When the process that is started is killed, everything inside dies.
    ///
    /// # Errors
    /// When no xtask binary is known.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Result<Command> {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command.args(["--mount", "--pid", "--fork", "--kill-child"]);
        if self.init {
            command.args(["--cgroup", "--net", "--ipc", "--uts"]);
        }
        command
            .arg(entering_binary()?)
            .arg("enter")
            .arg(&self.root)
            .args(&self.binds);
        if let Some(folder) = &self.folder {
            command.arg("--folder").arg(folder);
        }
        if self.init {
            command.arg("--init");
        }
        command.arg("--").arg(program);
        command
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", "/root")
            .env("LC_ALL", "C.UTF-8");
        Ok(command)
    }
}
