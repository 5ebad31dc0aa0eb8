//! `cargo xtask bench`: speed beside the peers, in one run, as ratios.
//!
//! Every contestant runs the same way: a program inside the trixie root, with the same files on the same file system.

mod agent;
mod bootspec;
mod contest;
mod evaluation;
mod files;
mod install;
mod measure;
mod plugin;
mod secrets;
mod stage1;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use touchstone_harness::Inputs;

use crate::toolchain::checkout;
use contest::{Contest, Contestant, Wanted};
use files::Files;

/// One size of image, and what is to be reached with it.
struct Size {
    /// The image's size, to which the initrd is filled up.
    mib: u64,
    /// How many times faster than ukify, sbsign and systemd-measure.
    times_the_peer: f64,
    /// The peak of memory, in MiB, where it is bounded.
    peak_mib: Option<f64>,
}

const SIZES: [Size; 2] = [
    Size {
        mib: 60,
        times_the_peer: 8.0,
        peak_mib: None,
    },
    Size {
        mib: 500,
        times_the_peer: 4.0,
        peak_mib: Some(32.0),
    },
];

/// At most this much of what a copy with two SHA-256 passes over the same bytes takes, in a single static program too.
const OF_COPY_AND_PASSES: f64 = 2.0;

/// What a UKI is made of, in the words of touchstone and ukify alike.
const PARTS: [&str; 11] = [
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
];

/// What a bench is asked for.
#[derive(clap::Args)]
pub struct Wish {
    /// Where files are written (else in memory, where there is /dev/shm)
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Rounds that count, for the smaller image; the larger has half of them
    #[arg(long, default_value_t = 9)]
    rounds: usize,
    /// Time the installer alone
    #[arg(long)]
    installer: bool,
    /// Time stage 1's verification of a closure alone, cold and warm: as root, and in /var/tmp where no folder is named
    #[arg(long, conflicts_with = "installer")]
    stage1: bool,
    /// Time calls of the plugin's functions alone, beside builtins.fromJSON
    #[arg(long, conflicts_with_all = ["installer", "stage1"])]
    plugin: bool,
    /// Time the signing agent alone, beside the keys that it holds and beside builds without it: as root
    #[arg(long, conflicts_with_all = ["installer", "stage1", "plugin"])]
    agent: bool,
    /// Time nixpkgs' systemd-boot-builder.py beside the installer: this file, its @placeholders@ not filled in
    #[arg(long, value_name = "PATH")]
    peer: Option<PathBuf>,
    /// An index of inputs that is taken as it is: nothing is fetched or built
    #[arg(long, hide = true)]
    pub inputs: Option<PathBuf>,
}

/// Runs all contests.
///
/// # Errors
/// When a contestant fails or a target is missed.
pub fn run(inputs: &Inputs, wish: &Wish) -> Result<()> {
    let folder = wish.folder.as_deref();
    if wish.stage1 {
        return verdict(&stage1::run(inputs, folder, wish.rounds)?);
    }
    if wish.plugin {
        return verdict(&plugin::run(inputs, wish.rounds)?);
    }
    if wish.agent {
        return verdict(&agent::run(inputs, folder, wish.rounds)?);
    }
    let mut missed = install::run(inputs, folder, wish.rounds, wish.peer.as_deref())?;
    if !wish.installer {
        missed.extend(images(inputs, folder, wish.rounds)?);
        evaluation::run(inputs, &checkout()?, wish.rounds)?;
        missed.extend(plugin::run(inputs, wish.rounds)?);
    }
    verdict(&missed)
}

/// The one in the middle.
fn median(numbers: Vec<f64>) -> Result<f64> {
    quartiles(numbers).map(|[_, middle, _]| middle)
}

/// A quarter of the numbers is below the first, half below the second, three quarters below the third.
fn quartiles(mut numbers: Vec<f64>) -> Result<[f64; 3]> {
    numbers.sort_by(f64::total_cmp);
    let [first, middle, last] = [1, 2, 3].map(|quarter| numbers.get(numbers.len() * quarter / 4));
    let quartiles = first.zip(middle).zip(last);
    let quartiles = quartiles.map(|((first, middle), last)| [*first, *middle, *last]);
    quartiles.context("nothing was timed")
}

fn verdict(missed: &[String]) -> Result<()> {
    match missed.is_empty() {
        true => Ok(()),
        false => bail!("not reached: {}", missed.join("; ")),
    }
}

/// Images in both sizes, `rounds` times the smaller, half as often the larger, and what else reads many files.
fn images(inputs: &Inputs, folder: Option<&Path>, rounds: usize) -> Result<Vec<String>> {
    let mut missed = Vec::new();
    for (size, rounds) in SIZES.iter().zip([rounds, rounds.div_ceil(2)]) {
        let files = Files::prepare(inputs, folder, size.mib)?;
        measure::prepare(&files)?;
        for contest in [
            assembled(size),
            signed(size),
            signature(size),
            measure::one(size.mib),
        ] {
            missed.extend(contest.run(&files, rounds)?);
        }
        if size.peak_mib.is_none() {
            missed.extend(measure::generations(size.mib).run(&files, 3)?);
            bootspec::prepare(&files)?;
            missed.extend(bootspec::upgraded().run(&files, 9)?);
            missed.extend(secrets::searched().run(&files, rounds)?);
        }
    }
    Ok(missed)
}

/// A UKI with its PCR 11 values (and, which ukify leaves out, its Authenticode digest).
fn assembled(size: &Size) -> Contest {
    Contest {
        work: format!("UKI of {} MiB", size.mib),
        contestants: vec![
            touchstone_build("touchstone uki build --measure", &[], "ours.efi"),
            ukify_build("ukify build --measure", &[], "theirs.efi"),
            Contestant {
                name: "copy, SHA-256 twice",
                program: "./copy-and-hash",
                arguments: vec!["ours.efi", "copy.efi"],
                prints_to: "copy.digests",
                times: 1,
            },
        ],
        wanted: Wanted {
            times_the_peer: Some(size.times_the_peer),
            of_the_least: Some(OF_COPY_AND_PASSES),
            peak_mib: size.peak_mib,
            ..Wanted::default()
        },
        same: |files| {
            files.same("ours.efi", "theirs.efi")?;
            files.same_pcrs("ours.said", "theirs.said")
        },
    }
}

/// The same UKI, signed: ukify calls sbsign for that, and systemd-measure for the PCR 11 values.
fn signed(size: &Size) -> Contest {
    let key = ["--key", "keys/db.key", "--certificate", "keys/db.pem"];
    let secure_boot = [
        "--secureboot-private-key",
        "keys/db.key",
        "--secureboot-certificate",
        "keys/db.pem",
    ];
    Contest {
        work: format!("Signed UKI of {} MiB", size.mib),
        contestants: vec![
            touchstone_build(
                "touchstone uki build --measure --key",
                &key,
                "ours-signed.efi",
            ),
            ukify_build(
                "ukify, with sbsign and systemd-measure",
                &secure_boot,
                "theirs-signed.efi",
            ),
        ],
        wanted: Wanted {
            times_the_peer: Some(size.times_the_peer),
            of_the_least: None,
            peak_mib: size.peak_mib,
            ..Wanted::default()
        },
        same: |files| {
            files.same_image_signed("ours-signed.efi", "theirs-signed.efi")?;
            files.same_pcrs("ours.said", "theirs.said")
        },
    }
}

/// A signature alone, on the UKI that was assembled before.
fn signature(size: &Size) -> Contest {
    let ours =
        "pe sign --key keys/db.key --certificate keys/db.pem --output ours-signed.efi ours.efi";
    let theirs = "--key keys/db.key --cert keys/db.pem --output theirs-signed.efi ours.efi";
    Contest {
        work: format!("Signature of {} MiB", size.mib),
        contestants: vec![
            Contestant {
                name: "touchstone pe sign",
                program: "./touchstone",
                arguments: ours.split(' ').collect(),
                prints_to: "ours.said",
                times: 1,
            },
            Contestant {
                name: "sbsign",
                program: "sbsign",
                arguments: theirs.split(' ').collect(),
                prints_to: "theirs.said",
                times: 1,
            },
        ],
        wanted: Wanted {
            peak_mib: size.peak_mib,
            ..Wanted::default()
        },
        same: |files| files.same_image_signed("ours-signed.efi", "theirs-signed.efi"),
    }
}

fn touchstone_build(name: &'static str, more: &[&'static str], output: &'static str) -> Contestant {
    Contestant {
        name,
        program: "./touchstone",
        arguments: [
            &["uki", "build", "--compat", "257"][..],
            &PARTS,
            more,
            &["--output", output],
        ]
        .concat(),
        prints_to: "ours.said",
        times: 1,
    }
}

/// By default it would measure into four banks.
fn ukify_build(name: &'static str, more: &[&'static str], output: &'static str) -> Contestant {
    Contestant {
        name,
        program: "ukify",
        arguments: [
            &["build", "--pcr-banks", "sha256"][..],
            &PARTS,
            more,
            &["--output", output],
        ]
        .concat(),
        prints_to: "theirs.said",
        times: 1,
    }
}
