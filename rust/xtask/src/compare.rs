//! Predicted and measured PCR values of one boot, side by side.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use touchstone_harness::boot::{Boot, Machine, Variables};
use touchstone_measure::eventlog::{self, LoggedEvent};
use touchstone_measure::{Bank, Leaf, Prediction};

/// The registers that are compared.
const PCRS: [u32; 6] = [4, 7, 9, 11, 12, 13];

/// One boot of a UKI, with its prediction.
pub struct Comparison {
    name: String,
    rows: Vec<Row>,
    /// How long the machine took, in seconds.
    pub seconds: f64,
}

struct Row {
    pcr: u32,
    predicted: String,
    measured: String,
    events: Vec<String>,
}

/// The machine that boots `uki` through the boot loader `loader`.
pub fn machine<'a>(
    machine: Machine<'a>,
    loader: &Path,
    uki: &Path,
    variables: Variables,
) -> Machine<'a> {
    machine
        .file("EFI/BOOT/BOOTX64.EFI", loader.to_owned())
        .file("EFI/Linux/nixos-check.efi", uki.to_owned())
        // Without it, stub 262 gives the initrd a secret of its own making, and PCR 9 is another at each boot.
        .file("loader/boot-secret-mixin", vec![0])
        .file("loader/loader.conf", b"timeout 0\n".to_vec())
        .variables(variables)
}

impl Comparison {
    /// Sets a boot beside the prediction in the file `path`.
    pub fn of(name: &str, path: &Path, boot: &Boot) -> Result<Comparison> {
        boot.reached()?;
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let prediction: Prediction = serde_json::from_slice(&text)?;
        let leaf = prediction
            .leaves
            .first()
            .context("the prediction has no leaf")?;
        let measured = boot
            .report
            .pcrs
            .get("sha256")
            .context("the guest has no SHA-256 bank")?;
        let log =
            eventlog::parse(&boot.report.event_log).context("reading the guest's event log")?;
        let row = |pcr: &u32| Row {
            pcr: *pcr,
            predicted: predicted(leaf, *pcr),
            measured: measured
                .get(pcr)
                .cloned()
                .unwrap_or_else(|| "not there".to_owned()),
            events: log
                .events
                .iter()
                .filter(|event| event.pcr == *pcr && event.extends())
                .map(|event| explained(event, leaf))
                .collect(),
        };
        let rows = PCRS.iter().map(row).collect();
        Ok(Comparison {
            name: name.to_owned(),
            rows,
            seconds: boot.duration.as_secs_f64(),
        })
    }

    /// What was booted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many registers differ.
    pub fn differences(&self) -> usize {
        self.rows
            .iter()
            .filter(|row| row.predicted != row.measured)
            .count()
    }

    /// How many registers were compared.
    pub fn compared(&self) -> usize {
        self.rows.len()
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("\n{} (booted in {:.1} s)", self.name, self.seconds);
        for row in &self.rows {
            let verdict = if row.predicted == row.measured {
                "equal"
            } else {
                "DIFFERENT"
            };
            println!("  PCR {:<2}  predicted {}", row.pcr, row.predicted);
            println!("          measured {}  {verdict}", row.measured);
            for event in &row.events {
                println!("            {event}");
            }
            if row.events.is_empty() {
                println!("            no event");
            }
        }
    }
}

/// An event of the log: the beginning of its digest, and why it was predicted, or what it is where it was not.
fn explained(event: &LoggedEvent, leaf: &Leaf) -> String {
    let Some(digest) = event.digest(Bank::Sha256) else {
        return event.describe();
    };
    let known = leaf
        .measurements
        .iter()
        .find(|known| known.pcr == event.pcr && known.digest == digest);
    let why = known.map_or_else(
        || format!("NOT PREDICTED: {}", event.describe()),
        |known| known.why.clone(),
    );
    let digest = digest.to_string();
    format!("{} {why}", digest.get(..16).unwrap_or_default())
}

fn predicted(leaf: &Leaf, pcr: u32) -> String {
    let value = leaf
        .pcrs
        .get(&pcr)
        .and_then(|banks| banks.get(&Bank::Sha256));
    value.map_or_else(|| "not predicted".to_owned(), ToString::to_string)
}
