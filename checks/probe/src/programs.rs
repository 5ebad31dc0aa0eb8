//! Orders about the system on the disk: programs to run, and what lies there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result};
use serde::Deserialize;

/// A program to run to its end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The program.
    program: PathBuf,
    /// Its arguments.
    #[serde(default)]
    arguments: Vec<String>,
    /// Its environment: nothing else is in it.
    #[serde(default)]
    environment: BTreeMap<String, String>,
}

/// A folder to list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    /// The folder.
    folder: PathBuf,
}

/// How a program ended, and what it said.
pub struct Ran {
    /// `exit N` or `signal N`.
    pub how: String,
    /// What it wrote on standard output.
    pub output: Vec<u8>,
    /// What it wrote on standard error.
    pub errors: Vec<u8>,
}

impl Run {
    /// Runs it.
    pub fn run(&self) -> Result<Ran> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command.env_clear().envs(&self.environment);
        let done = command.output();
        let Output {
            status,
            stdout,
            stderr,
        } = done.with_context(|| self.program.display().to_string())?;
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        Ok(Ran {
            how,
            output: stdout,
            errors: stderr,
        })
    }
}

impl List {
    /// Every file that could be started, by its bits, with what it is, and every other one as such; other file systems are left out.
    pub fn list(&self) -> Result<Vec<(&'static str, String)>> {
        let device = fs::metadata(&self.folder)
            .with_context(|| self.folder.display().to_string())?
            .dev();
        let mut found = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
                let path = entry?.path();
                let metadata = fs::symlink_metadata(&path)?;
                if metadata.is_dir() {
                    if metadata.dev() == device {
                        folders.push(path);
                    }
                    continue;
                }
                let kind = kind(&path, &metadata)?;
                found.push((kind, path.display().to_string()));
            }
        }
        found.sort();
        Ok(found)
    }
}

fn kind(path: &Path, metadata: &fs::Metadata) -> Result<&'static str> {
    if metadata.is_symlink() {
        return Ok("link");
    }
    if !metadata.is_file() {
        return Ok("special");
    }
    let mut start = Vec::new();
    let file = File::open(path).with_context(|| path.display().to_string())?;
    file.take(4).read_to_end(&mut start)?;
    Ok(match start.as_slice() {
        b"\x7fELF" => "program",
        [b'#', b'!', ..] => "script",
        _ if metadata.permissions().mode() & 0o111 != 0 => "executable",
        _ => "file",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_tells_how_it_ended_and_what_it_said() {
        let run = |program: &str, arguments: &[&str]| {
            let arguments = arguments.iter().map(|text| (*text).to_owned()).collect();
            Run {
                program: program.into(),
                arguments,
                environment: BTreeMap::new(),
            }
            .run()
        };
        let ran = run("/usr/bin/env", &["echo", "a"]).unwrap();
        assert_eq!(
            (ran.how.as_str(), ran.output.as_slice()),
            ("exit 0", &b"a\n"[..])
        );
        let ran = run("/usr/bin/env", &["ls", "/no/such/file"]).unwrap();
        assert!(ran.how != "exit 0" && !ran.errors.is_empty(), "{}", ran.how);
        assert!(run("/no/such/program", &[]).is_err());
    }

    #[test]
    fn a_listing_knows_scripts_whatever_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("bin")).unwrap();
        fs::write(at("bin/innocent"), "#!/bin/sh\n").unwrap();
        fs::write(at("text"), "text").unwrap();
        std::os::unix::fs::symlink("text", at("link")).unwrap();
        let list = List {
            folder: folder.path().to_owned(),
        };
        let found = list.list().unwrap();
        let kinds: Vec<&str> = found.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, ["file", "link", "script"]);
    }
}
