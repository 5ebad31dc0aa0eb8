//! `mode = "toplevel"`: a folder laid out as the toplevel of a NixOS system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

/// Attributes of the mode.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Attributes {
    /// File that `kernel` links to.
    kernel: PathBuf,
    /// File that `initrd` links to.
    initrd: PathBuf,
    /// Program that `init` links to.
    init: PathBuf,
    /// Kernel parameters without `init=`; `kernel-params` holds them with a space between.
    kernel_params: Vec<String>,
    /// Content of `system`: the platform, as "x86_64-linux".
    system: String,
    /// Content of `nixos-version`.
    nixos_version: String,
    /// Name and toplevel of each specialisation.
    #[serde(default)]
    specialisations: BTreeMap<String, PathBuf>,
}

/// Writes the folder `<out>`.
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    check(attributes)?;
    folder(out)?;
    link(out, "kernel", &attributes.kernel)?;
    link(out, "initrd", &attributes.initrd)?;
    link(out, "init", &attributes.init)?;
    file(out, "kernel-params", &attributes.kernel_params.join(" "))?;
    file(out, "system", &attributes.system)?;
    file(out, "nixos-version", &attributes.nixos_version)?;
    // NixOS has the folder also when there is nothing in it.
    let specialisations = out.join("specialisation");
    folder(&specialisations)?;
    for (name, toplevel) in &attributes.specialisations {
        link(&specialisations, name, toplevel)?;
    }
    Ok(())
}

fn check(attributes: &Attributes) -> Result<()> {
    let targets = [
        ("kernel", &attributes.kernel),
        ("initrd", &attributes.initrd),
        ("init", &attributes.init),
    ];
    for (name, path) in targets {
        present(&format!("attribute {name}"), path)?;
    }
    for (name, path) in &attributes.specialisations {
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            bail!("attribute specialisations: {name:?} cannot be the name of a file");
        }
        present(&format!("attribute specialisations.{name}"), path)?;
    }
    Ok(())
}

fn present(attribute: &str, path: &Path) -> Result<()> {
    if !path.is_absolute() {
        bail!("{attribute}: {} is not an absolute path", path.display());
    }
    fs::metadata(path)
        .map(drop)
        .with_context(|| format!("{attribute}: {}", path.display()))
}

fn folder(path: &Path) -> Result<()> {
    fs::create_dir(path).with_context(|| path.display().to_string())
}

fn link(folder: &Path, name: &str, target: &Path) -> Result<()> {
    let path = folder.join(name);
    symlink(target, &path).with_context(|| path.display().to_string())
}

fn file(folder: &Path, name: &str, content: &str) -> Result<()> {
    let path = folder.join(name);
    fs::write(&path, content).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(folder: &Path, specialisation: &str) -> Attributes {
        let file = folder.join("file");
        fs::write(&file, "").unwrap();
        Attributes {
            kernel: file.clone(),
            initrd: file.clone(),
            init: file.clone(),
            kernel_params: vec!["quiet".into(), "console=ttyS0".into()],
            system: "x86_64-linux".into(),
            nixos_version: "25.11".into(),
            specialisations: BTreeMap::from([(specialisation.into(), file)]),
        }
    }

    #[test]
    fn is_laid_out_as_a_nixos_toplevel() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        build(&attributes(folder.path(), "debug"), &out).unwrap();
        let read = |name: &str| fs::read_to_string(out.join(name)).unwrap();
        assert_eq!(read("kernel-params"), "quiet console=ttyS0");
        assert_eq!(
            (read("system"), read("nixos-version")),
            ("x86_64-linux".into(), "25.11".into())
        );
        for name in ["kernel", "initrd", "init", "specialisation/debug"] {
            assert_eq!(
                fs::read_link(out.join(name)).unwrap(),
                folder.path().join("file")
            );
        }
    }

    #[test]
    fn refuses_a_name_that_leaves_the_folder_and_writes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        for name in ["", "..", "a/b"] {
            assert!(build(&attributes(folder.path(), name), &out).is_err());
        }
        assert!(!out.exists());
    }

    #[test]
    fn refuses_a_kernel_that_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = attributes(folder.path(), "debug");
        wrong.kernel = folder.path().join("missing");
        let error = build(&wrong, &folder.path().join("out")).unwrap_err();
        assert!(
            format!("{error:#}").contains("attribute kernel"),
            "{error:#}"
        );
    }
}
