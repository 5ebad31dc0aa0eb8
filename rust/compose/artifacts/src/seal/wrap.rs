//! The wrapper: links to everything that the inner generation has, but for what would lead past the sealed one.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::Sealing;
use super::inner::{Inner, PROGRAMS, SPECIALISATIONS, SWITCH};
use super::launcher::Launcher;
use crate::input::Input;
use crate::output::STAGED;
use crate::{Error, Files, output};

/// The folder of what the wrapper adds, and of the inner generation's settings for the installer.
pub(super) const ARTIFACTS: &str = "touchstone";
/// The same as the beginning of a path.
pub(super) const PREFIX: &str = "touchstone/";

/// Makes the links and folders in `folder`.
///
/// # Errors
/// [`Error::Write`].
pub(super) fn links(inner: &Inner, sealing: &Sealing, folder: &Path) -> Result<(), Error> {
    let artifacts = folder.join(ARTIFACTS);
    create(&artifacts)?;
    for name in &inner.settings {
        link(
            &inner.path.join(ARTIFACTS).join(name),
            &artifacts.join(name),
        )?;
    }
    for name in &inner.entries {
        link(&inner.path.join(name), &folder.join(name))?;
    }
    if inner.specialisations.is_some() {
        let specialisations = folder.join(SPECIALISATIONS);
        create(&specialisations)?;
        for (name, sealed) in &sealing.specialisations {
            link(sealed.as_ref(), &specialisations.join(name))?;
        }
    }
    if let Some(programs) = &inner.programs {
        let (from, to) = (inner.path.join(PROGRAMS), folder.join(PROGRAMS));
        create(&to)?;
        for name in programs.iter().filter(|name| *name != SWITCH) {
            link(&from.join(name), &to.join(name))?;
        }
    }
    Ok(())
}

/// Puts the launcher where the inner generation has its `switch-to-configuration`, and what it starts beside the artifacts.
///
/// # Errors
/// [`Error::Open`], [`Error::Write`].
pub(super) fn launcher(files: &dyn Files, launcher: &Launcher, folder: &Path) -> Result<(), Error> {
    let target = folder.join(PROGRAMS).join(SWITCH);
    // A copy: the program finds its generation by where it lies itself.
    output::file(&STAGED, &target, |out| {
        Input::open(files, "launcher", &launcher.program)?.copy_to(out, &target)?;
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let failed = |source| failed(&target, source);
        out.set_permissions(executable).map_err(failed)
    })?;
    let document = format!("{:#}\n", launcher.document);
    output::bytes(
        &STAGED,
        &folder.join(ARTIFACTS).join("switch.json"),
        document.as_bytes(),
    )
}

fn create(folder: &Path) -> Result<(), Error> {
    fs::create_dir(folder).map_err(|source| failed(folder, source))
}

fn link(target: &Path, link: &Path) -> Result<(), Error> {
    symlink(target, link).map_err(|source| failed(link, source))
}

fn failed(file: &Path, source: io::Error) -> Error {
    Error::Write {
        file: file.to_owned(),
        source,
    }
}
