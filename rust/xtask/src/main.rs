//! Developer automation: `cargo xtask setup` prepares what the checks need, `cargo xtask test` runs them all.
#![forbid(unsafe_code)]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use touchstone_harness::Inputs;

mod bench;
mod boot;
mod compare;
mod demo;
mod format;
mod fuzz;
mod header;
mod libfuzzer;
mod linked;
mod model;
mod modules;
mod options;
mod order;
mod plugin;
mod setup;
mod stages;
mod test;
mod toolchain;

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    about = "Touchstone's developer automation",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Fetch and unpack what the checks need, and build the static binaries
    Setup {
        /// Ask the mirror for newer packages even where the cache is complete
        #[arg(long)]
        refresh: bool,
        /// Remove from the cache what this checkout no longer wants
        #[arg(long)]
        prune: bool,
    },
    /// The main job: build generations with Nix, boot them, compare predicted with measured PCRs
    Demo,
    /// Boot what real firmware must start and what it must refuse
    Boot(boot::Wish),
    /// Time UKI assembly with PCR 11 beside ukify, and beside a copy with two SHA-256 passes
    Bench(bench::Wish),
    /// Run every check: form, lints, documentation, licences, tests, fuzzing
    Test {
        /// Leave out licences, fuzzing and whole-machine boots
        #[arg(long)]
        quick: bool,
        /// Instead: evaluate what is claimed of the NixOS modules with this checkout of nixpkgs
        #[arg(long, value_name = "PATH", conflicts_with = "quick")]
        nixpkgs: Option<PathBuf>,
    },
    /// Run cargo as the checks do: with tpm2-tss to link with, and with what tests must know
    #[command(disable_help_flag = true)]
    Cargo {
        /// For instance: test -p touchstone-tpm
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Build the Nix that loads plugins, where it is missing, and run cargo in its root, where the plugin is compiled
    #[command(disable_help_flag = true)]
    Plugin {
        /// For instance: clippy -p touchstone-nix
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Lose power on the model of an EFI system partition, after every operation of installers and boot loaders
    Model {
        /// How many distinct losses are looked at: state, operation and what survived of what was not on the disk
        #[arg(long, default_value_t = 400_000)]
        triples: usize,
    },
    /// Fuzz the parsers and keep what is found in the cache
    Fuzz {
        /// Targets of checks/fuzz (else all)
        targets: Vec<String>,
        /// How long each target runs
        #[arg(long, default_value_t = 60)]
        seconds: u32,
        /// How many inputs each target is given, instead of a time
        #[arg(long, conflicts_with = "seconds")]
        runs: Option<u32>,
    },
    /// Bring every Nix file into nixpkgs-fmt's form
    FmtNix,
    /// Write docs/options.md, the option reference, from the NixOS modules
    Options {
        /// Write nothing; fail when the page is not what the modules say
        #[arg(long)]
        check: bool,
    },
    /// Write rust/doors/capi/include/touchstone.h, the header of the C ABI, from the crate
    Header {
        /// Write nothing; fail when the header is not what the crate says
        #[arg(long)]
        check: bool,
    },
    /// Run a program inside an unpacked root (used by the harness, through `unshare`)
    #[command(hide = true)]
    Enter {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<ExitCode> {
    touchstone_harness::enter::this_binary_enters()?;
    match task {
        Task::Setup { refresh, prune } => {
            setup::run(setup::Wish { refresh, prune }).map(|_| ExitCode::SUCCESS)
        }
        Task::Bench(wish) => {
            let inputs = inputs_of(wish.inputs.as_deref())?;
            bench::run(&inputs, &wish).map(|()| ExitCode::SUCCESS)
        }
        Task::Demo => demo::run(),
        Task::Boot(wish) => boot_checks(&wish),
        Task::Test {
            nixpkgs: Some(path),
            ..
        } => modules::run(&path).map(|()| ExitCode::SUCCESS),
        Task::Test { quick, .. } => test::test(quick).map(|()| ExitCode::SUCCESS),
        Task::Cargo { arguments } => linked::run(arguments),
        Task::Plugin { arguments } => plugin::run(arguments),
        Task::Model { triples } => model::run(triples).map(|()| ExitCode::SUCCESS),
        Task::Fuzz {
            targets,
            seconds,
            runs,
        } => {
            let length = runs.map_or(fuzz::Length::Seconds(seconds), fuzz::Length::Runs);
            fuzz::long(&targets, length).map(|()| ExitCode::SUCCESS)
        }
        Task::FmtNix => format::write_nix().map(|()| ExitCode::SUCCESS),
        Task::Header { check } => header::run(check).map(|()| ExitCode::SUCCESS),
        Task::Options { check } => options::run(check).map(|()| ExitCode::SUCCESS),
        Task::Enter { arguments } => {
            let code = touchstone_harness::enter_and_wait(arguments)?;
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
        }
    }
}

/// The inputs of this index, or those of a set-up.
fn inputs_of(index: Option<&Path>) -> Result<Inputs> {
    match index {
        Some(index) => Inputs::read(index),
        None => setup::run(setup::Wish::default()),
    }
}

fn boot_checks(wish: &boot::Wish) -> Result<ExitCode> {
    let inputs = inputs_of(wish.inputs.as_deref())?;
    let outcome = boot::run(&inputs, wish);
    println!("{} passed, {} failed", outcome.passed, outcome.failed.len());
    Ok(ExitCode::from(u8::from(!outcome.failed.is_empty())))
}
