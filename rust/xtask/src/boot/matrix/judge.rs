//! One machine of the matrix: predicted, booted, compared; and its event log, replayed by us and by tpm2_eventlog.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use touchstone_harness::Root;
use touchstone_harness::boot::Report;
use touchstone_harness::nix::output;
use touchstone_measure::eventlog::{self, EventLog};
use touchstone_measure::{Bank, Digest, Leaf, Prediction};

use super::cases::Case;
use super::refusals;
use super::scene::{self, BANKS};
use super::workshop::Workshop;

/// What came of one register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// The value is as predicted in every bank.
    Equal,
    /// It was refused, and that was written down before.
    Refused,
    /// Something else: how the values differ, or what nobody expected.
    Wrong(String),
}

/// What came of one machine.
pub struct Judged {
    /// The machine.
    pub case: Case,
    /// By register.
    pub pcrs: BTreeMap<u32, Verdict>,
    /// What is wrong with the log; empty when it replays to the machine's registers, by us and by tpm2_eventlog.
    pub log: Vec<String>,
}

impl Judged {
    /// What is not as it must be, a sentence each.
    pub fn wrong(&self) -> Vec<String> {
        let registers = self.pcrs.iter().filter_map(|(pcr, verdict)| match verdict {
            Verdict::Wrong(why) => Some(format!("PCR {pcr}: {why}")),
            _ => None,
        });
        registers.chain(self.log.iter().cloned()).collect()
    }
}

/// What is predicted of one register: its leaf, or why there is none.
type Predicted = BTreeMap<u32, Result<Leaf, String>>;

/// Predicts, then boots, then compares.
///
/// # Errors
/// When something cannot be made or started, or the machine does not come up.
pub fn judge(workshop: &Workshop<'_>, root: &Root, case: &Case, folder: &Path) -> Result<Judged> {
    let scene = workshop.make(case, folder)?;
    let mut machine = scene::machine(workshop, root, case, &scene)?.prepare()?;
    let mut predicted = Predicted::new();
    for pcr in case.pcrs() {
        let request = scene::request(workshop, case, &scene, &machine.disk(), pcr);
        predicted.insert(pcr, predict(workshop, &request, folder, pcr)?);
    }
    let boot = machine.boot()?;
    boot.reached()?;
    ensure!(
        boot.report.secure_boot == Some(case.secure_boot),
        "the guest says of Secure Boot: {:?}",
        boot.report.secure_boot
    );
    let log = eventlog::parse(&boot.report.event_log).context("reading the machine's log")?;
    let verdict = |(pcr, predicted): (u32, Result<Leaf, String>)| {
        (pcr, compare(case, pcr, predicted, &boot.report, &log))
    };
    Ok(Judged {
        case: *case,
        pcrs: predicted.into_iter().map(verdict).collect(),
        log: replay(root, folder, &boot.report, &log)?,
    })
}

fn predict(
    workshop: &Workshop<'_>,
    request: &Value,
    folder: &Path,
    pcr: u32,
) -> Result<Result<Leaf, String>> {
    let file = folder.join(format!("request-{pcr}.json"));
    fs::write(&file, serde_json::to_vec(request)?)?;
    let mut command = workshop.keys.command(&["measure", "predict", "--json"]);
    command.arg(&file);
    let answer = command.output().context("starting touchstone")?;
    if !answer.status.success() {
        let said = String::from_utf8_lossy(&answer.stderr);
        return Ok(Err(error_line(&said)));
    }
    let prediction: Prediction = serde_json::from_slice(&answer.stdout)?;
    let [leaf] = prediction.leaves.as_slice() else {
        return Ok(Err(format!("{} leaves, not one", prediction.leaves.len())));
    };
    Ok(Ok(leaf.clone()))
}

/// The line of the error among what a command said.
fn error_line(said: &str) -> String {
    let line = said.lines().find(|line| line.contains("error"));
    line.unwrap_or(said).trim().to_owned()
}

fn compare(
    case: &Case,
    pcr: u32,
    predicted: Result<Leaf, String>,
    report: &Report,
    log: &EventLog,
) -> Verdict {
    let leaf = match (predicted, refusals::expected(case, pcr)) {
        (Err(_), Some(_)) => return Verdict::Refused,
        (Err(said), None) => return Verdict::Wrong(format!("refused, unexpectedly: {said}")),
        (Ok(_), Some(reason)) => {
            return Verdict::Wrong(format!("predicted, though it was to be refused: {reason}"));
        }
        (Ok(leaf), None) => leaf,
    };
    let measured = |bank: &str| report.pcrs.get(bank)?.get(&pcr);
    let value = |bank: &str| {
        let bank: Bank = bank.parse().ok()?;
        leaf.pcrs.get(&pcr)?.get(&bank)
    };
    let differs = BANKS
        .iter()
        .find(|bank| value(bank).map(Digest::to_string).as_ref() != measured(bank));
    match differs {
        None => Verdict::Equal,
        Some(bank) => Verdict::Wrong(format!(
            "another value in {bank}; {}",
            difference(&leaf, pcr, log)
        )),
    }
}

/// Both lists of events of a register, one under the other.
fn difference(leaf: &Leaf, pcr: u32, log: &EventLog) -> String {
    let short = |digest: Digest| digest.to_string().chars().take(12).collect::<String>();
    let ours = leaf
        .measurements
        .iter()
        .filter(|measurement| measurement.pcr == pcr && measurement.digest.bank() == Bank::Sha256)
        .map(|measurement| {
            format!(
                "\n      predicted {} {}",
                short(measurement.digest),
                measurement.why
            )
        });
    let theirs = log
        .events
        .iter()
        .filter(|event| event.pcr == pcr && event.extends())
        .map(|event| {
            let digest = event.digest(Bank::Sha256).map(short).unwrap_or_default();
            format!(
                "\n      logged    {digest} {} {}",
                event.type_name(),
                event.describe()
            )
        });
    ours.chain(theirs).collect()
}

/// Replays the log, and lets tpm2_eventlog do so: both must come to the machine's registers.
fn replay(root: &Root, folder: &Path, report: &Report, log: &EventLog) -> Result<Vec<String>> {
    let file = folder.join("event.log");
    fs::write(&file, &report.event_log)?;
    let mut command = root.visit().bind(folder).command("tpm2_eventlog")?;
    command.arg(&file);
    let theirs = values(&output(command)?);
    let mut wrong = Vec::new();
    for name in BANKS {
        let ours = log.replay(name.parse()?)?;
        for (pcr, value) in ours {
            let value = value.to_string();
            if report.pcrs.get(name).and_then(|bank| bank.get(&pcr)) != Some(&value) {
                wrong.push(format!(
                    "the log's PCR {pcr} in {name} is not the machine's"
                ));
            }
            if theirs.get(&(name.to_owned(), pcr)) != Some(&value) {
                wrong.push(format!("tpm2_eventlog has another PCR {pcr} in {name}"));
            }
        }
    }
    Ok(wrong)
}

/// The section `pcrs` of tpm2_eventlog's YAML: bank and register → value.
fn values(yaml: &str) -> BTreeMap<(String, u32), String> {
    let mut values = BTreeMap::new();
    let mut bank = String::new();
    for line in yaml.lines().skip_while(|line| *line != "pcrs:").skip(1) {
        match line.trim().split_once(':') {
            Some((name, "")) => bank = name.trim().to_owned(),
            Some((pcr, value)) => {
                if let (Ok(pcr), Some(digits)) =
                    (pcr.trim().parse(), value.trim().strip_prefix("0x"))
                {
                    values.insert((bank.clone(), pcr), digits.to_ascii_lowercase());
                }
            }
            None => {}
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_registers_of_tpm2_eventlog() {
        let yaml = "---\nevents:\n- EventNum: 0\n  PCRIndex: 0\npcrs:\n  sha1:\n    0  : 0xAB\n  sha256:\n    0  : 0x01\n    14 : 0x02\n";
        let values = values(yaml);
        let value = |bank: &str, pcr| values.get(&(bank.to_owned(), pcr)).map(String::as_str);
        assert_eq!(value("sha1", 0), Some("ab"));
        assert_eq!(value("sha256", 14), Some("02"));
        assert_eq!(values.len(), 3);
    }
}
