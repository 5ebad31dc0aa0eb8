//! Who installs: our program, and nixpkgs' systemd-boot-builder.py where somebody brings it along.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use touchstone_harness::nix::output;
use touchstone_harness::{Inputs, Root, Trace, Usage, Visit};

use super::machine::Machine;

/// An installer.
pub enum Installer {
    /// Ours: the static program.
    Ours(PathBuf),
    /// nixpkgs': the script, its placeholders filled in.
    Peer(PathBuf),
}

/// What bootctl would print. The script asks it twice at each run; what the real one takes is not counted.
const BOOTCTL: &str = "#!/bin/sh\necho 'systemd 257 (257.13-1)'\necho '  └─/EFI/systemd/systemd-bootx64.efi (systemd-boot 257.13-1)'\n";

impl Installer {
    /// The static program, copied into the folder.
    ///
    /// # Errors
    /// When it is not built.
    pub fn ours(inputs: &Inputs, folder: &Path) -> Result<Installer> {
        let program = inputs.installer.as_ref();
        let program = program.context("the static installer is not built")?;
        let own = folder.join("touchstone-install");
        fs::copy(program, &own)?;
        Ok(Installer::Ours(own))
    }

    /// The script, with its placeholders filled in for a machine whose partition is mounted at `/boot`.
    ///
    /// # Errors
    /// When it has placeholders that are not known.
    pub fn peer(script: &Path, folder: &Path) -> Result<Installer> {
        let mut text =
            fs::read_to_string(script).with_context(|| format!("reading {}", script.display()))?;
        let systemd = folder.join("systemd");
        fs::create_dir_all(systemd.join("bin"))?;
        let bootctl = systemd.join("bin/bootctl");
        fs::write(&bootctl, BOOTCTL)?;
        fs::set_permissions(&bootctl, fs::Permissions::from_mode(0o755))?;
        let systemd = systemd.display().to_string();
        for (name, value) in [
            ("python3", "/usr"),
            ("efiSysMountPoint", "/boot"),
            ("bootMountPoint", "/boot"),
            ("nixosDir", "/EFI/nixos"),
            ("timeout", "5"),
            ("editor", "0"),
            ("consoleMode", "keep"),
            ("bootspecTools", "/nonexistent"),
            ("distroName", "NixOS"),
            ("nix", "/usr"),
            ("systemd", systemd.as_str()),
            ("configurationLimit", "0"),
            ("rebootForBitlocker", ""),
            ("canTouchEfiVariables", "0"),
            ("graceful", "0"),
            ("copyExtraFiles", "/usr/bin/true"),
            ("checkMountpoints", "/usr/bin/true"),
            ("storeDir", "/nix/store"),
        ] {
            text = text.replace(&format!("@{name}@"), value);
        }
        if let Some(left) = text.split('@').nth(1).filter(|name| is_name(name)) {
            bail!(
                "{} has a placeholder @{left}@ that is not known",
                script.display()
            );
        }
        let own = folder.join("peer.py");
        fs::write(&own, text)?;
        Ok(Installer::Peer(own))
    }

    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Installer::Ours(_) => "touchstone-install",
            Installer::Peer(_) => "systemd-boot-builder.py",
        }
    }

    /// Installs, and says what that took.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, root: &Root, machine: &Machine) -> Result<Usage> {
        let file = machine.at("/usage");
        let (program, arguments) = self.words(machine);
        let mut command = self.visit(root, machine).usage(&file).command(program)?;
        command.args(arguments);
        output(command)?;
        Ok(serde_json::from_slice(&fs::read(file)?)?)
    }

    /// Installs under strace.
    ///
    /// # Errors
    /// When it fails.
    pub fn trace(&self, root: &Root, machine: &Machine) -> Result<Trace> {
        let (program, arguments) = self.words(machine);
        let visit = self.visit(root, machine);
        Trace::of(&visit, &machine.at("/trace"), &program, arguments)
    }

    fn visit(&self, root: &Root, machine: &Machine) -> Visit {
        let visit = root.visit().bind(machine.root());
        match self {
            Installer::Ours(program) => visit.show(program),
            Installer::Peer(script) => visit
                .bind(script.parent().unwrap_or(Path::new("/")))
                .bind_at(machine.at("/nix"), "/nix")
                .bind_at(machine.at("/boot"), "/boot"),
        }
    }

    fn words(&self, machine: &Machine) -> (PathBuf, Vec<OsString>) {
        let toplevel = OsString::from(&machine.toplevel);
        match self {
            Installer::Ours(program) => {
                let words = [
                    "--any-file-system".into(),
                    "--root".into(),
                    machine.root().into(),
                    toplevel,
                ];
                (program.clone(), words.to_vec())
            }
            Installer::Peer(script) => {
                let words = ["-B".into(), script.into(), toplevel];
                ("/usr/bin/python3".into(), words.to_vec())
            }
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
