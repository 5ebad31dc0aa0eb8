//! Finds the files that the checks use in what a set-up unpacked.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::debian::Suite;
use crate::efi;
use crate::inputs::{Inputs, Kernel, Ovmf, Roots};
use crate::setup::Unpacked;
use crate::wanted::{FIRMWARE, KERNEL};

type BySuite = BTreeMap<String, BTreeMap<String, PathBuf>>;

/// The index of what was unpacked; the static binaries are filled in by who builds them.
///
/// # Errors
/// When a package does not contain what it is wanted for.
pub fn index(unpacked: &Unpacked) -> Result<Inputs> {
    let trixie = unpacked
        .roots
        .get(&Suite::Trixie)
        .context("there is no trixie root")?;
    let mut inputs = Inputs {
        roots: Roots {
            trixie: trixie.clone(),
            sid: unpacked.roots.get(&Suite::Sid).cloned(),
        },
        kernel: BTreeMap::new(),
        stub: BTreeMap::new(),
        addon_stub: BTreeMap::new(),
        boot: BTreeMap::new(),
        efi: BTreeMap::new(),
        interpreters: unpacked.interpreters.clone(),
        lief: unpacked.lief.clone(),
        keylime: unpacked.keylime.clone(),
        ovmf: ovmf(trixie)?,
        newest_ovmf: None,
        touchstone: None,
        launcher: None,
        installer: None,
        hook: None,
        stage1: None,
        probe: None,
        faulty_token: None,
        library: None,
        faulty_library: None,
        plugin_host: None,
        plugin: None,
        faulty_plugin: None,
    };
    for (suite, folder) in &unpacked.efi {
        let files = efi::files(folder)?;
        inputs.efi.insert(suite.name().to_owned(), files);
    }
    for ((suite, name, architecture), folder) in &unpacked.loose {
        if *name == KERNEL {
            inputs
                .kernel
                .insert((*architecture).to_owned(), kernel(folder)?);
            continue;
        }
        if *name == FIRMWARE {
            inputs.newest_ovmf = Some(ovmf(folder)?);
            continue;
        }
        let files = folder.join("usr/lib/systemd/boot/efi");
        collect(&files, "linux", ".efi.stub", suite.name(), &mut inputs.stub)?;
        collect(
            &files,
            "addon",
            ".efi.stub",
            suite.name(),
            &mut inputs.addon_stub,
        )?;
        collect(
            &files,
            "systemd-boot",
            ".efi",
            suite.name(),
            &mut inputs.boot,
        )?;
    }
    Ok(inputs)
}

/// Files named `<prefix><architecture><suffix>`, by architecture.
fn collect(
    folder: &Path,
    prefix: &str,
    suffix: &str,
    suite: &str,
    into: &mut BySuite,
) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let architecture = name
            .to_str()
            .and_then(|name| name.strip_prefix(prefix)?.strip_suffix(suffix));
        if let Some(architecture) = architecture {
            into.entry(suite.to_owned())
                .or_default()
                .insert(architecture.to_owned(), entry.path());
        }
    }
    Ok(())
}

/// The firmware in an unpacked package.
fn ovmf(folder: &Path) -> Result<Ovmf> {
    let firmware = folder.join("usr/share/OVMF");
    Ok(Ovmf {
        code: present(firmware.join("OVMF_CODE_4M.secboot.fd"))?,
        vars: present(firmware.join("OVMF_VARS_4M.fd"))?,
    })
}

fn kernel(folder: &Path) -> Result<Kernel> {
    let boot = folder.join("boot");
    for entry in fs::read_dir(&boot).with_context(|| format!("reading {}", boot.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(version) = name.to_str().and_then(|name| name.strip_prefix("vmlinuz-")) {
            let modules = present(folder.join("usr/lib/modules").join(version))?;
            return Ok(Kernel {
                version: version.to_owned(),
                vmlinuz: entry.path(),
                modules,
            });
        }
    }
    bail!("{} holds no vmlinuz-…", boot.display())
}

fn present(path: PathBuf) -> Result<PathBuf> {
    if !path.exists() {
        bail!(
            "{} is not in the package that should bring it",
            path.display()
        );
    }
    Ok(path)
}
