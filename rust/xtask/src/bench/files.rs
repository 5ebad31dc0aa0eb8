//! The files that the contestants work on, and whether they made the same of them.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use touchstone_harness::nix::output;
use touchstone_harness::nix_inputs::make_keys;
use touchstone_harness::{Inputs, Root, Usage};

use super::contest::Contestant;

/// A folder with programs and inputs, in memory where the machine allows it: the disk is not what is measured.
pub struct Files {
    root: Root,
    folder: tempfile::TempDir,
}

impl Files {
    /// Fills a folder below `wanted` with inputs of which a UKI of `mib` MiB is made.
    ///
    /// # Errors
    /// When an input or a program is missing.
    pub fn prepare(inputs: &Inputs, wanted: Option<&Path>, mib: u64) -> Result<Files> {
        let folder = working_folder(wanted)?;
        let path = |name: &str| folder.path().join(name);
        let stub = inputs
            .stub
            .get("trixie")
            .and_then(|by_arch| by_arch.get("x64"))
            .context("no stub of trixie")?;
        let kernel = inputs.kernel.get("amd64").context("no amd64 kernel")?;
        let touchstone = inputs
            .touchstone
            .as_ref()
            .context("the static binary is not built")?;
        fs::copy(stub, path("stub"))?;
        fs::copy(touchstone, path("touchstone"))?;
        let reference = touchstone.with_file_name("copy-and-hash");
        fs::copy(reference, path("copy-and-hash")).context("copy-and-hash is not built")?;
        make_keys(touchstone, &path("keys"))?;
        let filled = fs::copy(&kernel.vmlinuz, path("linux"))?;
        // Bytes that nothing can shortcut: holes and repetition would flatter the copy.
        let random = File::open("/dev/urandom")?.take((mib << 20).saturating_sub(filled));
        std::io::copy(
            &mut BufReader::new(random),
            &mut File::create(path("initrd"))?,
        )?;
        File::create(path("os-release"))?.write_all(b"ID=bench\n")?;
        Ok(Files {
            root: inputs.trixie(),
            folder,
        })
    }

    /// The folder in which the working folder is.
    pub fn place(&self) -> &Path {
        self.folder.path().parent().unwrap_or(Path::new("/"))
    }

    /// Runs a contestant inside the root; what it takes to get inside is not counted.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, contestant: &Contestant) -> Result<Usage> {
        let (mut printed, mut whole) = (String::new(), Usage::default());
        for run in 0..contestant.times {
            let arguments = contestant.arguments.iter();
            let arguments: Vec<String> = arguments
                .map(|argument| argument.replace("{}", &run.to_string()))
                .collect();
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            printed.push_str(&self.inside(contestant.program, &arguments)?);
            let usage = fs::read(self.path("usage"))?;
            let usage: Usage = serde_json::from_slice(&usage).context("the usage of a program")?;
            whole.seconds += usage.seconds;
            whole.processor_seconds += usage.processor_seconds;
            whole.peak_memory = whole.peak_memory.max(usage.peak_memory);
        }
        fs::write(self.path(contestant.prints_to), printed)?;
        Ok(whole)
    }

    /// Runs a program inside the root; the answer is what it printed. One of the folder's own is named `./program`.
    ///
    /// # Errors
    /// When it fails.
    pub fn inside(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let folder = self.folder.path();
        let visit = self
            .root
            .visit()
            .bind(folder)
            .folder(folder)
            .usage(self.path("usage"));
        let program = match program.strip_prefix("./") {
            Some(own) => self.path(own),
            None => PathBuf::from(program),
        };
        let mut command = visit.command(program)?;
        command.args(arguments);
        output(command)
    }

    /// Are the files the same?
    ///
    /// # Errors
    /// When they differ.
    pub fn same(&self, ours: &str, theirs: &str) -> Result<()> {
        let open = |name: &str| File::open(self.path(name)).map(BufReader::new);
        if !same_bytes(open(ours)?, open(theirs)?)? {
            bail!("{ours} and {theirs} differ: their times mean nothing");
        }
        Ok(())
    }

    /// Are the PCR 11 values that were printed the same?
    ///
    /// # Errors
    /// When they differ.
    pub fn same_pcrs(&self, ours: &str, theirs: &str) -> Result<()> {
        let values = |name: &str| -> Result<Vec<String>> {
            let said = fs::read_to_string(self.path(name))?;
            let values = said.lines().filter(|line| line.starts_with("11:sha256="));
            let value = |line: &str| line.split_whitespace().next().map(str::to_owned);
            Ok(values.filter_map(value).collect())
        };
        let (ours, theirs) = (values(ours)?, values(theirs)?);
        // Ours begin with the value before the first phase.
        if theirs.is_empty() || ours.get(1..) != Some(&theirs) {
            bail!("the PCR 11 values differ: {ours:?}, {theirs:?}");
        }
        Ok(())
    }

    /// Do both carry a signature of the same image that sbverify accepts?
    ///
    /// # Errors
    /// When one does not.
    pub fn same_image_signed(&self, ours: &str, theirs: &str) -> Result<()> {
        let digest = |file| self.inside("./touchstone", &["pe", "digest", "--json", file]);
        if digest(ours)? != digest(theirs)? {
            bail!("{ours} and {theirs} are signatures of two images: their times mean nothing");
        }
        for file in [ours, theirs] {
            self.inside("sbverify", &["--cert", "keys/db.pem", file])?;
        }
        Ok(())
    }

    /// A file of the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A new folder below `wanted`, or in memory where the machine allows it.
///
/// # Errors
/// When it cannot be made.
pub fn working_folder(wanted: Option<&Path>) -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(match wanted {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None if memory.is_dir() => tempfile::tempdir_in(memory)?,
        None => tempfile::tempdir()?,
    })
}

/// Compares without holding either.
fn same_bytes(mut ours: impl Read, mut theirs: impl Read) -> Result<bool> {
    let (mut mine, mut yours) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let got = ours.read(&mut mine)?;
        let (mine, yours) = (mine.get(..got), yours.get_mut(..got));
        let (Some(mine), Some(yours)) = (mine, yours) else {
            return Ok(false);
        };
        if mine.is_empty() {
            return Ok(theirs.read(&mut [0])? == 0);
        }
        if theirs.read_exact(yours).is_err() || mine != yours {
            return Ok(false);
        }
    }
}
