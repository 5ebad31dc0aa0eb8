//! `mode = "toplevel"`: a folder laid out as the toplevel of a NixOS system.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

mod document;

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
    /// Further links by their names.
    #[serde(default)]
    links: BTreeMap<String, PathBuf>,
    /// What `boot.json` says beyond the other attributes; without it there is none.
    bootspec: Option<document::Attributes>,
    /// `touchstone/install.json`; without it there is none.
    installation: Option<serde_json::Value>,
    /// The variables of `bin/switch-to-configuration`; without them there is none.
    switch: Option<BTreeMap<String, String>>,
}

/// Writes the folder `<out>`.
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    check(attributes)?;
    folder(out)?;
    link(out, "kernel", &attributes.kernel)?;
    link(out, "initrd", &attributes.initrd)?;
    link(out, "init", &attributes.init)?;
    for (name, target) in &attributes.links {
        link(out, name, target)?;
    }
    file(out, "kernel-params", &attributes.kernel_params.join(" "))?;
    file(out, "system", &attributes.system)?;
    file(out, "nixos-version", &attributes.nixos_version)?;
    // NixOS has the folder also when there is nothing in it.
    let specialisations = out.join("specialisation");
    folder(&specialisations)?;
    for (name, toplevel) in &attributes.specialisations {
        link(&specialisations, name, toplevel)?;
    }
    if let Some(bootspec) = &attributes.bootspec {
        file(
            out,
            "boot.json",
            &document::text(attributes, bootspec, out)?,
        )?;
    }
    if let Some(installation) = &attributes.installation {
        let touchstone = out.join("touchstone");
        folder(&touchstone)?;
        file(&touchstone, "install.json", &format!("{installation:#}\n"))?;
    }
    match &attributes.switch {
        Some(variables) => programs(variables, &attributes.init, out),
        None => Ok(()),
    }
}

/// `bin`, as nixpkgs' `wrapProgram` leaves it: a script that sets the variables, beside the program that it hides.
fn programs(variables: &BTreeMap<String, String>, program: &Path, out: &Path) -> Result<()> {
    let folder_of_programs = out.join("bin");
    folder(&folder_of_programs)?;
    link(
        &folder_of_programs,
        ".switch-to-configuration-wrapped",
        program,
    )?;
    let own = out.display().to_string();
    let own = ["OUT", "TOPLEVEL"].map(|name| (name, own.as_str()));
    let all = variables.iter();
    let all = all.map(|(name, value)| (name.as_str(), value.as_str()));
    let mut script = "#!/bin/sh -e\n".to_owned();
    for (name, value) in own.into_iter().chain(all) {
        if value.contains('\'') {
            bail!("attribute switch: the value of {name} holds a quote");
        }
        script += &format!("export {name}='{value}'\n");
    }
    script += &format!(
        "exec '{}/bin/.switch-to-configuration-wrapped' \"$@\"\n",
        out.display()
    );
    file(&folder_of_programs, "switch-to-configuration", &script)?;
    let script = folder_of_programs.join("switch-to-configuration");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&script, executable).with_context(|| script.display().to_string())
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
    let links = attributes.links.iter().map(|link| ("links", link));
    let specialisations = attributes.specialisations.iter();
    let specialisations = specialisations.map(|link| ("specialisations", link));
    for (attribute, (name, path)) in links.chain(specialisations) {
        if name.is_empty() || name == "." || name == ".." || name.contains('/') {
            bail!("attribute {attribute}: {name:?} cannot be the name of a file");
        }
        present(&format!("attribute {attribute}.{name}"), path)?;
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
            specialisations: BTreeMap::from([(specialisation.into(), file.clone())]),
            links: BTreeMap::from([("prepare-root".into(), file)]),
            bootspec: None,
            installation: Some(serde_json::json!({ "version": 1 })),
            switch: None,
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
        assert_eq!(read("touchstone/install.json"), "{\n  \"version\": 1\n}\n");
        for name in [
            "kernel",
            "initrd",
            "init",
            "prepare-root",
            "specialisation/debug",
        ] {
            assert_eq!(
                fs::read_link(out.join(name)).unwrap(),
                folder.path().join("file")
            );
        }
    }

    #[test]
    fn its_document_has_those_of_the_specialisations_whole() {
        let folder = tempfile::tempdir().unwrap();
        let bootspec = || {
            let attributes = serde_json::json!({ "initrdSecrets": "/secrets", "extensions": { "org.a": { "z": 1, "a": 2 } } });
            serde_json::from_value(attributes).unwrap()
        };
        let inner = folder.path().join("inner");
        let mut attributes = attributes(folder.path(), "debug");
        attributes.bootspec = Some(bootspec());
        attributes.specialisations.clear();
        build(&attributes, &inner).unwrap();
        let out = folder.path().join("out");
        attributes.specialisations = BTreeMap::from([("debug".to_owned(), inner.clone())]);
        build(&attributes, &out).unwrap();
        let read = |folder: &Path| -> serde_json::Value {
            serde_json::from_slice(&fs::read(folder.join("boot.json")).unwrap()).unwrap()
        };
        let (inner, out) = (read(&inner), read(&out));
        assert_eq!(out["org.nixos.specialisation.v1"]["debug"], inner);
        assert_eq!(inner["org.nixos.specialisation.v1"], serde_json::json!({}));
        assert_eq!(out["org.a"].to_string(), r#"{"z":1,"a":2}"#);
        let init = out["org.nixos.bootspec.v1"]["init"].as_str().unwrap();
        assert!(init.ends_with("out/init"), "{init}");
    }

    #[test]
    fn its_switch_to_configuration_has_its_own_path_baked_in() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let mut attributes = attributes(folder.path(), "debug");
        attributes.init = "/usr/bin/env".into();
        attributes.switch = Some(BTreeMap::from([("SYSTEMD".to_owned(), "/s d".to_owned())]));
        build(&attributes, &out).unwrap();
        let mut command = std::process::Command::new(out.join("bin/switch-to-configuration"));
        let printed = command.env("TOPLEVEL", "/another").output().unwrap();
        let printed = String::from_utf8(printed.stdout).unwrap();
        for line in [
            format!("TOPLEVEL={}", out.display()),
            format!("OUT={}", out.display()),
            "SYSTEMD=/s d".to_owned(),
        ] {
            assert!(printed.lines().any(|printed| printed == line), "{printed}");
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
