//! `cargo xtask bench`: speed beside the peer, in one run, as ratios.
//!
//! The work: a UKI with its PCR 11 values, and, which ukify leaves out, its Authenticode digest. Every contestant runs the same way (a
//! program inside the trixie root, with the same files on the same file system; what it takes to get inside is not counted), in turns,
//! so that whatever else the machine does falls on all alike; the median counts.

use std::fs::{self, File};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Inputs, Root, Usage};

/// One size of image, and what is to be reached with it.
struct Size {
    /// The image's size, to which the initrd is filled up.
    mib: u64,
    /// How many times faster than ukify.
    times_ukify: f64,
    /// The peak of memory, in MiB, where it is bounded.
    peak_mib: Option<f64>,
}

const SIZES: [Size; 2] = [
    Size {
        mib: 60,
        times_ukify: 8.0,
        peak_mib: None,
    },
    Size {
        mib: 500,
        times_ukify: 4.0,
        peak_mib: Some(32.0),
    },
];

/// At most this much of what a copy with two SHA-256 passes over the same bytes takes, in a single static program too.
const OF_COPY_AND_PASSES: f64 = 2.0;

#[derive(Clone, Copy)]
enum Program {
    Touchstone,
    Ukify,
    CopyAndHash,
}

const PROGRAMS: [(Program, &str); 3] = [
    (Program::Touchstone, "touchstone uki build --measure"),
    (Program::Ukify, "ukify build --measure"),
    (Program::CopyAndHash, "copy, SHA-256 twice"),
];

/// Assembles UKIs of both sizes, `rounds` times the smaller, half as often the larger.
pub fn run(inputs: &Inputs, folder: Option<&Path>, rounds: usize) -> Result<()> {
    let mut missed = Vec::new();
    for (size, rounds) in SIZES.iter().zip([rounds, rounds.div_ceil(2)]) {
        missed.extend(contest(inputs, folder, size, rounds)?);
    }
    match missed.is_empty() {
        true => Ok(()),
        false => bail!("not reached: {}", missed.join("; ")),
    }
}

/// Runs all programs in turns and prints the table; the answer is what was not reached.
fn contest(
    inputs: &Inputs,
    folder: Option<&Path>,
    size: &Size,
    rounds: usize,
) -> Result<Vec<String>> {
    let folder = working_folder(folder)?;
    let files = Files::prepare(inputs, folder.path(), size.mib)?;
    let mut usages = vec![Vec::new(); PROGRAMS.len()];
    let stage = Stage::of_steps(
        format!("Assembling {} MiB", size.mib),
        (rounds * PROGRAMS.len()) as u64,
    );
    // The first round fills caches, makes what is copied, and does not count.
    for round in 0..=rounds {
        for ((program, _), usages) in PROGRAMS.iter().zip(&mut usages) {
            let usage = files.run(*program)?;
            if round > 0 {
                usages.push(usage);
                stage.step();
            }
        }
    }
    files.compare()?;
    stage.done(&format!(
        "{rounds} rounds, images and PCR 11 values identical"
    ));
    println!(
        "UKI of {} MiB, in {}, median of {rounds}:",
        size.mib,
        folder.path().parent().unwrap_or(Path::new("/")).display()
    );
    let medians: Vec<Usage> = usages.iter().map(|usages| median(usages)).collect();
    report(size, &medians)
}

fn report(size: &Size, medians: &[Usage]) -> Result<Vec<String>> {
    let [ours, ukify, copy] = medians else {
        bail!("not everything was timed");
    };
    for ((_, name), usage) in PROGRAMS.iter().zip(medians) {
        println!(
            "  {name:<31} {:>8.1} ms {:>8.1} ms of processor {:>7.1} MiB",
            usage.seconds * 1000.0,
            usage.processor_seconds * 1000.0,
            usage.peak_memory as f64 / f64::from(1 << 20),
        );
    }
    let times_ukify = ukify.seconds / ours.seconds;
    let of_copy = ours.seconds / copy.seconds;
    let peak = ours.peak_memory as f64 / f64::from(1 << 20);
    println!(
        "  touchstone is {times_ukify:.1} times as fast as ukify (wanted: {:.0}), takes {of_copy:.2} of copy and passes (at most {OF_COPY_AND_PASSES:.0})",
        size.times_ukify
    );
    let mut missed = Vec::new();
    let mut want = |reached: bool, what: String| {
        if !reached {
            missed.push(format!("{} MiB: {what}", size.mib));
        }
    };
    want(
        times_ukify >= size.times_ukify,
        format!("{times_ukify:.1} times as fast as ukify"),
    );
    want(
        of_copy <= OF_COPY_AND_PASSES,
        format!("{of_copy:.2} of copy and passes"),
    );
    want(
        size.peak_mib.is_none_or(|most| peak < most),
        format!("a peak of {peak:.1} MiB"),
    );
    Ok(missed)
}

/// In memory where the machine allows it: the disk is not what is measured.
fn working_folder(wanted: Option<&Path>) -> Result<tempfile::TempDir> {
    let memory = Path::new("/dev/shm");
    Ok(match wanted {
        Some(folder) => tempfile::tempdir_in(folder)?,
        None if memory.is_dir() => tempfile::tempdir_in(memory)?,
        None => tempfile::tempdir()?,
    })
}

struct Files {
    root: Root,
    folder: PathBuf,
}

impl Files {
    fn prepare(inputs: &Inputs, folder: &Path, mib: u64) -> Result<Files> {
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
        let reference = touchstone.with_file_name("copy-and-hash");
        fs::copy(reference, folder.join("copy-and-hash")).context("copy-and-hash is not built")?;
        let filled = fs::copy(&kernel.vmlinuz, folder.join("linux"))?;
        // Bytes that nothing can shortcut: holes and repetition would flatter the copy.
        let random = File::open("/dev/urandom")?.take((mib << 20).saturating_sub(filled));
        std::io::copy(
            &mut BufReader::new(random),
            &mut File::create(folder.join("initrd"))?,
        )?;
        File::create(folder.join("os-release"))?.write_all(b"ID=bench\n")?;
        Ok(Files {
            root: inputs.trixie(),
            folder: folder.to_owned(),
        })
    }

    fn run(&self, program: Program) -> Result<Usage> {
        let printed = output(self.command(program)?)?;
        let said = match program {
            Program::Touchstone => "ours.pcrs",
            Program::Ukify => "theirs.pcrs",
            Program::CopyAndHash => "copy.digests",
        };
        fs::write(self.folder.join(said), printed)?;
        let usage = fs::read(self.folder.join("usage"))?;
        serde_json::from_slice(&usage).context("the usage of a program")
    }

    fn command(&self, program: Program) -> Result<Command> {
        let visit = self
            .root
            .visit()
            .bind(&self.folder)
            .folder(&self.folder)
            .usage(self.folder.join("usage"));
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
            "--measure",
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
                // By default it would measure into four banks.
                command
                    .args(["build", "--pcr-banks", "sha256"])
                    .args(parts)
                    .arg("theirs.efi");
                command
            }
            Program::CopyAndHash => {
                let mut command = visit.command(self.folder.join("copy-and-hash"))?;
                command.args(["ours.efi", "copy.efi"]);
                command
            }
        })
    }

    fn compare(&self) -> Result<()> {
        let open = |name: &str| File::open(self.folder.join(name)).map(BufReader::new);
        if !same_bytes(open("ours.efi")?, open("theirs.efi")?)? {
            bail!("the two UKIs differ: their times mean nothing");
        }
        let values = |name: &str| -> Result<Vec<String>> {
            let said = fs::read_to_string(self.folder.join(name))?;
            let values = said.lines().filter(|line| line.starts_with("11:sha256="));
            let value = |line: &str| line.split_whitespace().next().map(str::to_owned);
            Ok(values.filter_map(value).collect())
        };
        let (ours, theirs) = (values("ours.pcrs")?, values("theirs.pcrs")?);
        // Ours begin with the value before the first phase.
        if theirs.is_empty() || ours.get(1..) != Some(&theirs) {
            bail!("the PCR 11 values differ: {ours:?}, {theirs:?}");
        }
        Ok(())
    }
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

/// The median of each number by itself; of memory the highest.
fn median(usages: &[Usage]) -> Usage {
    let middle = |number: fn(&Usage) -> f64| {
        let mut numbers: Vec<f64> = usages.iter().map(number).collect();
        numbers.sort_by(f64::total_cmp);
        numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Usage {
        seconds: middle(|usage| usage.seconds),
        processor_seconds: middle(|usage| usage.processor_seconds),
        peak_memory: usages
            .iter()
            .map(|usage| usage.peak_memory)
            .max()
            .unwrap_or(0),
    }
}
