//! Events whose digest is not that of their data although their type says so, or whose data are not what their type says.
//!
//! None of that changes what was extended, and some real firmware does it: it is found and shown, and never refused.
//!
//! Source: TCG PC Client Platform Firmware Profile, table "Events", whose last column says what each digest is of.

use super::describe::{variable_parts, well_formed};
use super::names::event;
use super::{EventLog, LoggedEvent};
use crate::bank::Bank;

/// The separator of a firmware that reports an error; the data may then be its text.
const SEPARATOR_ERROR: [u8; 4] = [1, 0, 0, 0];

/// What is wrong with an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The digest in this bank is not that of the data, which the type demands.
    OtherData(Bank),
    /// The event extends nothing, and has a digest all the same.
    NeedlessDigest,
    /// The data have not the structure that the type demands.
    Malformed,
}

impl Finding {
    /// The finding in words.
    pub fn describe(self) -> String {
        match self {
            Finding::OtherData(bank) => format!("its {bank} digest is not that of its data"),
            Finding::NeedlessDigest => "it has a digest although it extends nothing".to_owned(),
            Finding::Malformed => "its data have not the form of its type".to_owned(),
        }
    }
}

/// An event that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The event's number, from 0.
    pub event: usize,
    /// What is wrong.
    pub finding: Finding,
}

impl EventLog {
    /// Every event that contradicts itself, in order. See `docs/event-log.md` for what is looked at.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let of = |(number, event)| {
            findings(event).map(move |finding| Contradiction {
                event: number,
                finding,
            })
        };
        self.events.iter().enumerate().flat_map(of).collect()
    }
}

fn findings(event: &LoggedEvent) -> impl Iterator<Item = Finding> {
    let needless = !event.extends() && !event.has_zero_digests();
    let malformed = !well_formed(event);
    let others = Bank::ALL
        .into_iter()
        .filter(|bank| is_of_its_data(event, *bank) == Some(false));
    let others: Vec<Finding> = others.map(Finding::OtherData).collect();
    needless
        .then_some(Finding::NeedlessDigest)
        .into_iter()
        .chain(malformed.then_some(Finding::Malformed))
        .chain(others)
}

/// Whether the digest in a bank is that of the data; none where it need not be, or there is none.
fn is_of_its_data(event: &LoggedEvent, bank: Bank) -> Option<bool> {
    let digest = event.digest(bank)?;
    let hashed = may_be_hashed(event)?;
    Some(hashed.into_iter().any(|part| bank.hash(part) == digest))
}

/// What the digest may be of, for types whose digest is of the data.
fn may_be_hashed(logged: &LoggedEvent) -> Option<Vec<&[u8]>> {
    let data = logged.data.as_slice();
    Some(match logged.event_type {
        event::S_CRTM_VERSION
        | event::VARIABLE_DRIVER_CONFIG
        | event::VARIABLE_BOOT2
        | event::VARIABLE_AUTHORITY
        | event::GPT
        | event::GPT2 => vec![data],
        event::SEPARATOR => vec![data, &SEPARATOR_ERROR],
        // EDK II hashes the variable's content alone, other firmware all of it (both seen in logs of machines).
        event::VARIABLE_BOOT => {
            let content = variable_parts(data).map(|variable| variable.content);
            [Some(data), content].into_iter().flatten().collect()
        }
        event::ACTION | event::EFI_ACTION | event::OMIT_BOOT_DEVICE_EVENTS => {
            vec![data, without_nuls(data)]
        }
        event::IPL => {
            let command = grub_command(logged)?;
            vec![command, without_nuls(command)]
        }
        _ => return None,
    })
}

/// The part of its data that GRUB hashes: what stands behind the first of these words, in PCR 8.
fn grub_command(logged: &LoggedEvent) -> Option<&[u8]> {
    let words = ["grub_cmd: ", "kernel_cmdline: ", "module_cmdline: "];
    let mut commands = words
        .iter()
        .filter_map(|word| logged.data.strip_prefix(word.as_bytes()));
    commands.next().filter(|_| logged.pcr == 8)
}

fn without_nuls(data: &[u8]) -> &[u8] {
    let end = data.iter().rposition(|byte| *byte != 0);
    end.and_then(|end| data.get(..=end)).unwrap_or_default()
}
