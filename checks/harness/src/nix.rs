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
use crate::plugin_host::PluginHost;
use crate::roots::NIX_CONF;

/// What Nix is to load of the package with the plugin. What else lies there is the plugin's own to load.
const PLUGIN: &str = "lib/nix/plugins/libtouchstone-nix.so";

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
    /// The same, as a client of the daemon that runs in such a visit.
    Daemon(Visit),
    /// The one that loads plugins, inside its root; the store is bound to `/nix`.
    Plugins {
        host: PluginHost,
        visit: Visit,
        plugin: Option<PathBuf>,
    },
}

impl Nix {
    /// The Nix to test with; its store is `folder/nix/store`, made when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(inputs: &Inputs, folder: impl Into<PathBuf>) -> Result<Nix> {
        let (folder, nix) = store(folder.into())?;
        let provider = if on_path("nix") {
            Provider::Machine
        } else {
            Provider::Root(inputs.trixie().visit().bind_at(nix, "/nix"))
        };
        Ok(Nix { provider, folder })
    }

    /// The Nix that loads plugins, with ours loaded, whether or not the machine has a Nix. Its store is `folder/nix/store`, made when it
    /// is missing.
    ///
    /// # Errors
    /// When the plugin is not built, or the folder cannot be made.
    pub fn with_plugin(inputs: &Inputs, folder: impl Into<PathBuf>) -> Result<Nix> {
        let plugin = inputs.plugin.as_ref();
        let plugin = plugin.context("the plugin is not built: run `cargo xtask setup`")?;
        Ok(Nix::plugin_host_without_plugin(inputs, folder)?.plugin(plugin))
    }

    /// The same Nix without a plugin.
    ///
    /// # Errors
    /// When it is not built, or the folder cannot be made.
    pub fn plugin_host_without_plugin(inputs: &Inputs, folder: impl Into<PathBuf>) -> Result<Nix> {
        let host = inputs.plugin_host.as_ref();
        let host = host.context("no Nix that loads plugins is built: run `cargo xtask setup`")?;
        let (folder, nix) = store(folder.into())?;
        let provider = Provider::Plugins {
            host: host.clone(),
            visit: host.visit().bind_at(nix, "/nix"),
            plugin: None,
        };
        Ok(Nix { provider, folder })
    }

    /// Debian's Nix in a visit where the store `folder/nix` is bound to `/nix`, as a client of the daemon that runs there.
    pub(crate) fn of_daemon(visit: Visit, folder: PathBuf) -> Nix {
        Nix {
            provider: Provider::Daemon(visit),
            folder,
        }
    }

    /// Lets a Nix that loads plugins load the one in this folder of the host. Any other Nix stays as it is.
    #[must_use]
    pub fn plugin(mut self, folder: &Path) -> Nix {
        if let Provider::Plugins { visit, plugin, .. } = &mut self.provider {
            *visit = visit.clone().show(folder);
            *plugin = Some(folder.join(PLUGIN));
        }
        self
    }

    /// Lets Nix see a folder or file of the host, read-only, at the same path.
    #[must_use]
    pub fn show(self, path: impl AsRef<Path>) -> Nix {
        self.visiting(|visit| visit.show(path))
    }

    /// Lets Nix change a folder of the host, at the same path.
    #[must_use]
    pub fn bind(self, path: impl AsRef<Path>) -> Nix {
        self.visiting(|visit| visit.bind(path))
    }

    /// Changes the visit to the root, where it is one.
    fn visiting(mut self, change: impl FnOnce(Visit) -> Visit) -> Nix {
        match &mut self.provider {
            Provider::Machine => {}
            Provider::Root(visit) | Provider::Daemon(visit) | Provider::Plugins { visit, .. } => {
                *visit = change(visit.clone());
            }
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
            Provider::Daemon(visit) => {
                let mut command = visit.command(program)?;
                command.env("NIX_REMOTE", "daemon");
                Ok(command)
            }
            Provider::Plugins {
                host,
                visit,
                plugin,
            } => {
                let mut command = visit.command(host.program(program))?;
                if let Some(plugin) = plugin {
                    command.env("NIX_CONFIG", format!("plugin-files = {}", plugin.display()));
                }
                Ok(command)
            }
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

    /// Where a path below `/nix` is, seen from the host.
    #[must_use]
    pub fn on_host(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
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

/// The folder by its absolute path, and in it the one that Nix is to see at `/nix`.
pub(crate) fn store(folder: PathBuf) -> Result<(PathBuf, PathBuf)> {
    let folder = std::path::absolute(folder)?;
    let nix = folder.join("nix");
    fs::create_dir_all(&nix).with_context(|| format!("making {}", nix.display()))?;
    Ok((folder, nix))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}
