//! `cargo xtask boot`: the claims that only a boot on real firmware can show.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::ValueEnum;
use touchstone_harness::boot::{Firmware, Machine};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Flavour, Generations, Inputs};

use crate::compare;
use crate::{demo, toolchain};

mod appliance;
mod bashless;
mod counting;
mod each;
mod enrolment;
mod keys;
mod matrix;
mod profiles;
mod sbat;
mod sealing;
mod table;
mod verdicts;
mod verify;

use keys::Keys;
use verdicts::Release;

/// How many claims held, and what went wrong with the others.
#[derive(Default)]
pub struct Outcome {
    /// Claims that held.
    pub passed: usize,
    /// Sentences about those that did not.
    pub failed: Vec<String>,
}

impl Outcome {
    fn add(&mut self, claim: &str, verdict: Result<()>) {
        match verdict {
            Ok(()) => {
                println!("  held: {claim}");
                self.passed += 1;
            }
            Err(error) => {
                println!("  FAILED: {claim}: {error:#}");
                self.failed.push(format!("{claim}: {error:#}"));
            }
        }
    }
}

/// What is claimed of boots.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// What `pe verify` says of an image, the firmware says as well
    Verdicts,
    /// What it says of an image under an SBAT level, shim says as well
    Sbat,
    /// A machine enrols our keys and enforces them
    Enrolment,
    /// Generations measure what was predicted, and changed ones are refused
    Generations,
    /// Profiles measure what was predicted, those that are specialisations as well
    Profiles,
    /// Every way to boot measures what was predicted
    Matrix,
    /// Secrets open for the generations that a policy names, and for no other
    Sealing,
    /// A generation that never comes up loses its tries, and the one before it boots
    Counting,
    /// A machine without a shell receives a generation, boots it, and falls back
    Bashless,
    /// Stage 1 stops what was changed before anything of the root runs
    Verify,
}

/// Which boots are wanted.
#[derive(Clone, Default, clap::Args)]
pub struct Wish {
    /// Every stub, boot loader and Secure Boot setting whose behaviour is known, and the whole matrix
    #[arg(long)]
    pub all: bool,
    /// One part alone
    #[arg(long)]
    pub only: Option<Part>,
    /// Of the matrix and of the attacks on stage 1, only machines whose names contain this
    #[arg(long, value_name = "WORDS")]
    pub like: Option<String>,
    /// An index of inputs that is taken as it is: nothing is fetched or built
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// Write the tables of the matrix, which must be whole, and of the attacks into docs/
    #[arg(long, requires = "all")]
    pub write: bool,
}

/// Boots what the firmware must start and what it must refuse, or a part of that.
pub fn run(inputs: &Inputs, wish: &Wish) -> Outcome {
    let all = wish.all;
    let mut outcome = Outcome::default();
    for part in Part::value_variants() {
        if wish.only.is_some_and(|only| only != *part) {
            continue;
        }
        let (what, done) = match part {
            Part::Verdicts => ("verdicts", verdicts(inputs, all, &mut outcome)),
            Part::Sbat => ("verdicts of shim", sbat(inputs, &mut outcome)),
            Part::Enrolment => ("enrolment", enrolment::claims(inputs, &mut outcome)),
            Part::Generations => ("generations", generations(inputs, all, &mut outcome)),
            Part::Profiles => ("profiles", profiles::claims(inputs, &mut outcome)),
            Part::Matrix => ("matrix", matrix::claims(inputs, wish, &mut outcome)),
            Part::Sealing => ("sealing", sealing::claims(inputs, all, &mut outcome)),
            Part::Counting => ("counting", counting::claims(inputs, all, &mut outcome)),
            Part::Bashless => ("bashless", bashless::claims(inputs, all, &mut outcome)),
            Part::Verify => ("verify", verify::claims(inputs, wish, &mut outcome)),
        };
        // What comes after it is looked at all the same.
        if let Err(error) = done {
            outcome.add(what, Err(error));
        }
    }
    outcome
}

fn sbat(inputs: &Inputs, outcome: &mut Outcome) -> Result<()> {
    sbat::judge(inputs)?.add_to(outcome);
    Ok(())
}

/// The firmware of Debian 13; with `all`, the newest as well.
fn verdicts(inputs: &Inputs, all: bool, outcome: &mut Outcome) -> Result<()> {
    let releases = [Release::Stable, Release::Newest];
    for release in releases.into_iter().take(if all { 2 } else { 1 }) {
        if let Some(table) = verdicts::judge(inputs, release)? {
            table.add_to(outcome);
        }
    }
    Ok(())
}

fn generations(inputs: &Inputs, all: bool, outcome: &mut Outcome) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let generations = built(inputs, folder.path(), &Flavour::default())?;
    compare(inputs, &generations, &Flavour::default(), outcome)?;
    refusals(inputs, &generations, folder.path(), outcome)?;
    if all {
        for flavour in matrix(inputs) {
            let folder = tempfile::tempdir()?;
            let generations = built(inputs, folder.path(), &flavour)?;
            compare(inputs, &generations, &flavour, outcome)?;
        }
    }
    Ok(())
}

fn built(inputs: &Inputs, folder: &Path, flavour: &Flavour) -> Result<Generations> {
    let stage = Stage::begin(format!(
        "Building generations with systemd of {}",
        flavour.suite
    ));
    let generations = Generations::build(inputs, &toolchain::checkout()?, folder, flavour)?;
    stage.done("built");
    Ok(generations)
}

/// The flavours beyond the default one; a suite that could not be had is named.
fn matrix(inputs: &Inputs) -> Vec<Flavour> {
    let mut flavours = vec![Flavour {
        suite: "trixie",
        secure_boot: false,
    }];
    for suite in ["bookworm", "sid"] {
        if inputs.stub.contains_key(suite) {
            flavours.extend([true, false].map(|secure_boot| Flavour { suite, secure_boot }));
        } else {
            println!("  left out: {suite} does not answer");
        }
    }
    flavours
}

fn compare(
    inputs: &Inputs,
    generations: &Generations,
    flavour: &Flavour,
    outcome: &mut Outcome,
) -> Result<()> {
    let setting = if flavour.secure_boot {
        "under Secure Boot"
    } else {
        "without Secure Boot"
    };
    let comparisons = demo::boots(inputs, generations, flavour.secure_boot)?;
    for comparison in &comparisons {
        let claim = format!(
            "{} with systemd of {} {setting} measures what was predicted, by a build and while Nix evaluated",
            comparison.name(),
            flavour.suite
        );
        let verdict = match comparison.differences() {
            0 => Ok(()),
            _ => {
                comparison.print();
                Err(anyhow::anyhow!("{} PCRs differ", comparison.differences()))
            }
        };
        outcome.add(&claim, verdict);
    }
    Ok(())
}

/// A UKI that was changed, signed by a stranger, or not signed: the firmware must refuse each.
fn refusals(
    inputs: &Inputs,
    generations: &Generations,
    folder: &Path,
    outcome: &mut Outcome,
) -> Result<()> {
    let generation = generations.generation1()?;
    let signed = std::fs::read(&generation.uki)?;
    let changed = folder.join("changed.efi");
    std::fs::write(&changed, with_changed_byte(signed)?)?;
    let (unsigned, foreign) = resigned(inputs, folder)?;
    for (claim, uki) in [
        (
            "the firmware refuses a UKI changed by one byte after signing",
            changed,
        ),
        (
            "the firmware refuses a UKI signed with another key",
            foreign,
        ),
        ("the firmware refuses an unsigned UKI", unsigned),
    ] {
        let stage = Stage::begin(format!("Booting: {claim}"));
        let root = inputs.trixie();
        let machine = Machine::new(&root, Firmware::of_debian(root.path())).refusal_expected();
        let variables = generations.variables(true)?;
        let boot = compare::machine(machine, &generation.loader, &uki, variables).boot()?;
        let verdict = boot.refused().map(|refusal| stage.done(&refusal.line));
        outcome.add(claim, verdict);
    }
    Ok(())
}

/// Changes a byte of the kernel: the image stays a good PE file.
fn with_changed_byte(mut image: Vec<u8>) -> Result<Vec<u8>> {
    let middle = image.len() / 2;
    let byte = image.get_mut(middle).context("an empty image")?;
    *byte ^= 1;
    Ok(image)
}

/// The same UKI without a signature, and with the signature of a key that is not enrolled.
fn resigned(inputs: &Inputs, folder: &Path) -> Result<(PathBuf, PathBuf)> {
    let (unsigned, foreign) = (folder.join("unsigned.efi"), folder.join("foreign.efi"));
    let stranger = Keys::make(inputs, &folder.join("stranger"), &[])?;
    let kernel = inputs.kernel.get("amd64").context("no amd64 kernel")?;
    let by_architecture = inputs.stub.get("trixie").context("no stub")?;
    let stub = by_architecture.get("x64").context("no stub")?;
    let mut build = stranger.command(&["uki", "build", "--cmdline", "console=ttyS0"]);
    build
        .args(["--os-release", "ID=unsigned", "--stub"])
        .arg(stub);
    build.arg("--linux").arg(&kernel.vmlinuz);
    build.arg("--output").arg(&unsigned);
    output(build)?;
    stranger.sign(&unsigned, &foreign, &[])?;
    Ok((unsigned, foreign))
}
