//! Nix against a store of its own: the machine's Nix where there is one, else the trixie root's.
//!
//! In both cases the sandbox is on without fallback and the store is below a folder that the caller names, so
//! that a check never reads or changes the machine's `/nix`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::enter::Visit;
use crate::inputs::Inputs;
use crate::roots::NIX_CONF;

/// A Nix with a private store.
#[derive(Debug, Clone)]
pub struct Nix {
    provider: Provider,
    folder: PathBuf,
}

#[derive(Debug, Clone)]
enum Provider {
    /// Found on `PATH`; the store is reached by `NIX_REMOTE`.
    Machine,
    /// Debian's, inside the root; the store is bound to `/nix`.
    Root(Visit),
}

impl Nix {
    /// The Nix to test with; its store is `folder/nix/store`, made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(inputs: &Inputs, folder: impl Into<PathBuf>) -> Result<Nix> {
        let folder = std::path::absolute(folder.into())?;
        let nix = folder.join("nix");
        fs::create_dir_all(&nix).with_context(|| format!("making {}", nix.display()))?;
        let provider = if on_path("nix") {
            Provider::Machine
        } else {
            Provider::Root(inputs.trixie().visit().bind_at(nix, "/nix"))
        };
        Ok(Nix { provider, folder })
    }

    /// Lets Nix see a folder or file of the host, read-only, at the same path.
    #[must_use]
    pub fn show(mut self, path: impl AsRef<Path>) -> Nix {
        if let Provider::Root(visit) = self.provider {
            self.provider = Provider::Root(visit.show(path));
        }
        self
    }

    /// Lets Nix change a folder of the host, at the same path.
    #[must_use]
    pub fn bind(mut self, path: impl AsRef<Path>) -> Nix {
        if let Provider::Root(visit) = self.provider {
            self.provider = Provider::Root(visit.bind(path));
        }
        self
    }

    /// `nix`, `nix-build`, `nix-store`, … with this store, offline and sandboxed.
    ///
    /// # Errors
    /// When no xtask binary is known.
    pub fn command(&self, program: &str) -> Result<Command> {
        match &self.provider {
            Provider::Root(visit) => visit.command(program),
            Provider::Machine => {
                let mut command = Command::new(program);
                let store = format!("local?root={}", self.folder.display());
                command.env("NIX_REMOTE", store).env("NIX_CONFIG", NIX_CONF);
                Ok(command)
            }
        }
    }

    /// Runs `nix-build --no-out-link` with these arguments; the answer is the outputs' store paths, one for each line.
    ///
    /// # Errors
    /// When the build fails, with what Nix said.
    pub fn build<A: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Result<Vec<String>> {
        let mut command = self.command("nix-build")?;
        command.arg("--no-out-link").args(arguments);
        Ok(output(command)?.lines().map(str::to_owned).collect())
    }

    /// Where a store path is, seen from the host.
    #[must_use]
    pub fn on_host(&self, store_path: &str) -> PathBuf {
        self.folder.join(store_path.trim_start_matches('/'))
    }
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// When it cannot start or fails, with what it said on standard error.
pub fn output(mut command: Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("starting {}", command.get_program().display()))?;
    if !output.status.success() {
        bail!(
            "{:?} ended with {}: {}",
            command.get_program(),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
