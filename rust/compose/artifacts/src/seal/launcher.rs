//! How the sealed generation is switched to.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::inner::{Inner, refused};
use super::{SealError, Sealing, Switch, Variable};
use crate::source::{about, open};
use crate::{Error, Files};

/// What `bin/switch-to-configuration` is made of.
#[derive(Debug)]
pub(super) struct Launcher {
    /// The program that is copied.
    pub(super) program: PathBuf,
    /// `touchstone/switch.json`.
    pub(super) document: Value,
}

/// The launcher of a generation; none where the inner generation cannot be switched to.
///
/// # Errors
/// [`Error::Seal`] when the request does not fit the inner generation, [`Error::Open`].
pub(super) fn of(
    files: &dyn Files,
    sealing: &Sealing,
    inner: &Inner,
    system: &str,
) -> Result<Option<Launcher>, Error> {
    let Some(switch) = &sealing.switch else {
        return match inner.switches() {
            true => Err(refused(&inner.path, SealError::NoSwitch)),
            false => Ok(None),
        };
    };
    if !inner.switches() {
        return Err(refused(&inner.path, SealError::NothingToSwitch));
    }
    let Some(program) = &sealing.launcher else {
        return Err(refused(&inner.path, SealError::NoLauncher));
    };
    is_for(files, program, system)?;
    starts(files, &switch.program, sealing)?;
    let environment = environment(switch, sealing)?;
    let document = json!({ "program": switch.program, "environment": environment });
    Ok(Some(Launcher {
        program: program.clone(),
        document,
    }))
}

/// Sees that the program that is switched by can be started, and is not the launcher itself.
fn starts(files: &dyn Files, program: &Path, sealing: &Sealing) -> Result<(), Error> {
    let not_usable = |fact: &str| Err(refused(program, SealError::Program(fact.to_owned())));
    if !program.is_absolute() || program.to_str().is_none() {
        return not_usable("this is no absolute path");
    }
    if program.starts_with(&sealing.path) {
        return not_usable("the launcher would start itself");
    }
    let metadata = about(files, program).map_err(|source| Error::Open {
        role: "program of `switch`",
        file: program.to_owned(),
        source,
    })?;
    if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
        return not_usable("it is no executable file");
    }
    Ok(())
}

/// The variables as the launcher sets them.
fn environment<'a>(
    switch: &'a Switch,
    sealing: &'a Sealing,
) -> Result<BTreeMap<&'a str, &'a str>, Error> {
    let not_usable = |fact: String| {
        let source = Box::new(SealError::Environment(fact));
        Err(Error::Seal { file: None, source })
    };
    let mut environment = BTreeMap::new();
    let mut told = false;
    for (name, value) in &switch.environment {
        if name.is_empty() || name.contains(['=', '\0']) {
            return not_usable(format!("{name:?} cannot be the name of a variable"));
        }
        let text = match value {
            Variable::Text(text) if text.contains('\0') => {
                return not_usable(format!("the value of {name} holds a NUL"));
            }
            Variable::Text(text) => text.as_str(),
            Variable::Sealed(path) if !path.sealed => {
                return not_usable(format!("`$sealed` of {name} is not true"));
            }
            Variable::Sealed(_) => {
                told = true;
                sealing.path.as_str()
            }
        };
        environment.insert(name.as_str(), text);
    }
    if !told {
        return not_usable("no variable is the sealed generation's path".to_owned());
    }
    Ok(environment)
}

/// `e_machine` of ELF by system.
const MACHINES: [(&str, u16); 6] = [
    ("x86_64-linux", 62),
    ("aarch64-linux", 183),
    ("i686-linux", 3),
    ("armv7l-linux", 40),
    ("riscv64-linux", 243),
    ("loongarch64-linux", 258),
];

/// Sees that a program is one for `system`.
fn is_for(files: &dyn Files, program: &Path, system: &str) -> Result<(), Error> {
    let role = "launcher";
    let not_usable = |fact: String| Err(refused(program, SealError::Launcher(fact)));
    let mut header = [0; 20];
    let mut file = open(files, role, program)?;
    if file.read_exact(&mut header).is_err() || !header.starts_with(b"\x7fELF") {
        return not_usable("it is no program (ELF)".to_owned());
    }
    // All of these systems are little-endian.
    let [.., low, high] = header;
    let machine = u16::from_le_bytes([low, high]);
    match MACHINES.iter().find(|(known, _)| *known == system) {
        Some((_, wanted)) if *wanted != machine => {
            let there = MACHINES.iter().find(|(_, known)| *known == machine);
            let there = there.map_or("another system", |(name, _)| name);
            not_usable(format!(
                "it is for {there}, and the generation for {system}"
            ))
        }
        _ => Ok(()),
    }
}
