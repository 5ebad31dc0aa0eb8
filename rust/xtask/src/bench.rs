//! `cargo xtask bench`: speed beside the peer, in one run, as ratios.
//!
//! Every contestant runs the same way (a program inside the trixie root, with the same files on the same file system), in turns, so that
//! whatever else the machine does falls on all alike; the median counts.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Root};

/// Rounds that count.
const ROUNDS: usize = 9;
/// The UKI's size, to which the initrd is filled up.
const MIB: u64 = 60;

/// Assembles a UKI of 60 MiB beside ukify and beside a plain copy of the same bytes.
pub fn run(inputs: &Inputs) -> Result<()> {
    let folder = working_folder()?;
    let files = Files::prepare(inputs, folder.path())?;
    let contestants = [
        ("touchstone uki build", Program::Touchstone),
        ("ukify build", Program::Ukify),
        ("cp (the UKI)", Program::Copy),
    ];
    let mut times = vec![Vec::new(); contestants.len()];
    let stage = Stage::of_steps("Assembling", (ROUNDS * contestants.len()) as u64);
    // The first round fills caches, makes what `cp` copies, and does not count.
    for round in 0..=ROUNDS {
        for ((_, program), times) in contestants.iter().zip(&mut times) {
            let seconds = files.time(program)?;
            if round > 0 {
                times.push(seconds);
                stage.step();
            }
        }
    }
    files.compare()?;
    stage.done(&format!("{ROUNDS} rounds, outputs identical"));
    let medians: Vec<f64> = times.iter_mut().map(|times| median(times)).collect();
    let ours = medians.first().copied().context("nothing was timed")?;
    println!(
        "UKI assembly, {MIB} MiB, in {} (median of {ROUNDS}):",
        folder.path().parent().unwrap_or(Path::new("/")).display()
    );
    for ((name, _), median) in contestants.iter().zip(&medians) {
        println!(
            "  {name:<22} {:>8.1} ms   touchstone takes {:.2} of it",
            median * 1000.0,
            ours / median
        );
    }
    Ok(())
}

/// In memory where the machine allows it: the disk is not what is measured.
fn working_folder() -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(if memory.is_dir() {
        tempfile::tempdir_in(memory)?
    } else {
        tempfile::tempdir()?
    })
}

enum Program {
    Touchstone,
    Ukify,
    Copy,
}

struct Files {
    root: Root,
    folder: PathBuf,
}

impl Files {
    fn prepare(inputs: &Inputs, folder: &Path) -> Result<Files> {
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
        fs::copy(stub, folder.join("stub"))?;
        fs::copy(touchstone, folder.join("touchstone"))?;
        let filled = fs::copy(&kernel.vmlinuz, folder.join("linux"))?;
        // Bytes that nothing can shortcut: holes and repetition would flatter the copy.
        let random = fs::File::open("/dev/urandom")?.take((MIB << 20).saturating_sub(filled));
        std::io::copy(
            &mut std::io::BufReader::new(random),
            &mut fs::File::create(folder.join("initrd"))?,
        )?;
        fs::File::create(folder.join("os-release"))?.write_all(b"ID=bench\n")?;
        Ok(Files {
            root: inputs.trixie(),
            folder: folder.to_owned(),
        })
    }

    fn time(&self, program: &Program) -> Result<f64> {
        let command = self.command(program)?;
        let begun = Instant::now();
        output(command)?;
        Ok(begun.elapsed().as_secs_f64())
    }

    fn command(&self, program: &Program) -> Result<Command> {
        let visit = self.root.visit().bind(&self.folder).folder(&self.folder);
        let parts = [
            "--stub",
            "stub",
            "--linux",
            "linux",
            "--initrd",
            "initrd",
            "--cmdline",
            "quiet",
            "--os-release",
            "@os-release",
            "--output",
        ];
        Ok(match program {
            Program::Touchstone => {
                let mut command = visit.command(self.folder.join("touchstone"))?;
                command
                    .args(["uki", "build", "--compat", "257"])
                    .args(parts)
                    .arg("ours.efi");
                command
            }
            Program::Ukify => {
                let mut command = visit.command("ukify")?;
                command.arg("build").args(parts).arg("theirs.efi");
                command
            }
            Program::Copy => {
                let mut command = visit.command("cp")?;
                command.args(["ours.efi", "copy.efi"]);
                command
            }
        })
    }

    fn compare(&self) -> Result<()> {
        if fs::read(self.folder.join("ours.efi"))? != fs::read(self.folder.join("theirs.efi"))? {
            bail!("the two UKIs differ: their times mean nothing");
        }
        Ok(())
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
