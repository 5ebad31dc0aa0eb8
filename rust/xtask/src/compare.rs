//! Predicted and measured PCR values of one boot, side by side.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;
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
    /// What the plugin predicted while Nix evaluated, where it was asked.
    evaluated: Option<String>,
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
            evaluated: None,
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

    /// Sets a prediction that was made while Nix evaluated beside the one in the file `path`, of which it must say the same throughout.
    pub fn with_evaluated(mut self, path: &Path, evaluated: &Value) -> Result<Comparison> {
        let file: Value = serde_json::from_slice(&fs::read(path)?)?;
        if let Some(place) = difference(&file, evaluated) {
            bail!(
                "what was predicted while Nix evaluated is not what {} says: {place}",
                path.display()
            );
        }
        let prediction = Prediction::deserialize(evaluated)?;
        let leaf = prediction.leaves.first();
        let leaf = leaf.context("the evaluated prediction has no leaf")?;
        for row in &mut self.rows {
            row.evaluated = Some(predicted(leaf, row.pcr));
        }
        Ok(self)
    }

    /// What was booted.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many registers differ.
    pub fn differences(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_equal()).count()
    }

    /// How many registers were predicted while Nix evaluated.
    pub fn evaluated(&self) -> usize {
        let evaluated = |row: &&Row| row.evaluated.is_some();
        self.rows.iter().filter(evaluated).count()
    }

    /// How many registers were compared.
    pub fn compared(&self) -> usize {
        self.rows.len()
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("\n{} (booted in {:.1} s)", self.name, self.seconds);
        for row in &self.rows {
            let verdict = if row.is_equal() { "equal" } else { "DIFFERENT" };
            println!("  PCR {:<2}  predicted {}", row.pcr, row.predicted);
            if let Some(evaluated) = &row.evaluated {
                println!("         evaluated {evaluated}");
            }
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

/// The first place at which two values differ, and what stands there.
fn difference(file: &Value, evaluated: &Value) -> Option<String> {
    let inner = |name: &str, file: Option<&Value>, evaluated: Option<&Value>| {
        let null = Value::Null;
        let found = difference(file.unwrap_or(&null), evaluated.unwrap_or(&null))?;
        Some(format!("/{name}{found}"))
    };
    match (file, evaluated) {
        (Value::Object(a), Value::Object(b)) => {
            let mut names = a.keys().chain(b.keys());
            names.find_map(|name| inner(name, a.get(name), b.get(name)))
        }
        (Value::Array(a), Value::Array(b)) => {
            (0..a.len().max(b.len())).find_map(|at| inner(&at.to_string(), a.get(at), b.get(at)))
        }
        _ if file == evaluated => None,
        _ => Some(format!(": {file} in the file, {evaluated} evaluated")),
    }
}

impl Row {
    /// What was evaluated is what was predicted ([`Comparison::with_evaluated`]).
    fn is_equal(&self) -> bool {
        self.predicted == self.measured
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::difference;

    #[test]
    fn the_first_difference_is_named() {
        let (file, evaluated) = (
            json!({ "a": [1, { "b": 2 }] }),
            json!({ "a": [1, { "b": 3, "c": 4 }] }),
        );
        assert_eq!(difference(&file, &file), None);
        assert_eq!(
            difference(&file, &evaluated).unwrap(),
            "/a/1/b: 2 in the file, 3 evaluated"
        );
        assert!(difference(&json!([1]), &json!([1, 2])).is_some());
    }
}
