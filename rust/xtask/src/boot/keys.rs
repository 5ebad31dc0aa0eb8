//! The keys of a machine, and the program under test that signs with them.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use touchstone_harness::Inputs;
use touchstone_harness::boot::{Firmware, Judge};
use touchstone_harness::nix::output;

/// A folder made by `touchstone keys generate`.
pub struct Keys {
    touchstone: PathBuf,
    folder: PathBuf,
}

impl Keys {
    /// Makes test keys in a new folder; `words` are further arguments of `keys generate`.
    pub fn make(inputs: &Inputs, folder: &Path, words: &[&str]) -> Result<Keys> {
        let touchstone = touchstone(inputs)?;
        let mut command = Command::new(&touchstone);
        command.args(["keys", "generate", "--test"]).args(words);
        command.arg(folder);
        output(command)?;
        Ok(Keys {
            touchstone,
            folder: folder.to_owned(),
        })
    }

    /// A file of the folder, such as `db.esl`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The bytes of a file of the folder.
    pub fn read(&self, name: &str) -> Result<Vec<u8>> {
        read(&self.path(name))
    }

    /// Signs `image` with the key of db, into `output`; `words` are further arguments of `pe sign`.
    pub fn sign(&self, image: &Path, signed: &Path, words: &[&str]) -> Result<()> {
        let mut command = self.with_key(&["pe", "sign"], "db");
        command.args(words).arg("--output").arg(signed).arg(image);
        output(command).map(drop)
    }

    /// A command of the program under test that signs with one of the keys.
    pub fn with_key(&self, words: &[&str], key: &str) -> Command {
        let mut command = self.command(words);
        command.arg("--key").arg(self.path(&format!("{key}.key")));
        command
            .arg("--certificate")
            .arg(self.path(&format!("{key}.pem")));
        command
    }

    /// A command of the program under test.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.touchstone);
        command.args(words);
        command
    }

    /// The firmware of Debian 13, and Debian's UEFI Shell signed by db's key.
    pub fn judge<'a>(
        &self,
        inputs: &Inputs,
        root: &'a touchstone_harness::Root,
    ) -> Result<Judge<'a>> {
        let shell = self.path("shell.efi");
        self.sign(efi(inputs, "/shellx64.efi")?, &shell, &[])?;
        Ok(Judge {
            programs: root,
            firmware: Firmware::of_debian(root.path()),
            shell: read(&shell)?,
            shell_signer: self.read("db.esl")?,
        })
    }
}

/// What `touchstone pe verify` says.
pub struct Said {
    /// Whether the image would start.
    pub boots: bool,
    /// The rules that decide.
    pub rules: String,
}

/// Runs `pe verify --json` with these arguments.
pub fn verify(mut command: Command) -> Result<Said> {
    let output = command.output().context("starting touchstone")?;
    let boots = match output.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => bail!(
            "pe verify ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        ),
    };
    let answer: Value = serde_json::from_slice(&output.stdout).context("reading its answer")?;
    ensure!(
        answer.get("boots") == Some(&Value::Bool(boots)),
        "pe verify says one thing and exits with another"
    );
    let reasons = answer.get("reasons").and_then(Value::as_array);
    let rules = reasons.into_iter().flatten();
    let mut rules: Vec<&str> = rules
        .filter_map(|reason| reason.get("rule")?.as_str())
        .collect();
    rules.dedup();
    Ok(Said {
        boots,
        rules: rules.join(", "),
    })
}

/// The static binary.
pub fn touchstone(inputs: &Inputs) -> Result<PathBuf> {
    let program = inputs.touchstone.clone();
    program.context("the static binary is not built: run `cargo xtask setup`")
}

/// The EFI program of Debian 13 whose path ends so.
pub fn efi<'a>(inputs: &'a Inputs, end: &str) -> Result<&'a Path> {
    let mut files = inputs.efi.get("trixie").into_iter().flatten();
    let found = files.find(|file| file.to_string_lossy().ends_with(end));
    let found = found.with_context(|| format!("no package has {end}: run `cargo xtask setup`"))?;
    Ok(found)
}

/// A file's bytes; an error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("reading {}", path.display()))
}
