//! What both logs say of one register, in order.

use super::Question;
use crate::bank::{Bank, Digest};
use crate::eventlog::LoggedEvent;
use crate::eventlog::describe::{tag_of, variable_parts};
use crate::eventlog::names::event;
use crate::eventlog::userspace::{Record, Target};
use crate::measurement::{EventKind, Measurement};

/// What two measurements must have in common to stand for one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Class {
    Action,
    Separator,
    Image,
    Variable(String),
    Authority,
    PartitionTable,
    Section(String),
    CommandLine,
    Initrd,
    Options,
    Profile,
    Credentials,
    ConfigurationExtensions,
    SystemExtensions,
    LoaderConfiguration,
    OwnerKeys,
    Identity,
    Phase,
    Other,
}

impl Class {
    /// The class of a predicted measurement.
    pub(super) fn of_predicted(measurement: &Measurement) -> Class {
        match measurement.kind {
            EventKind::BootOption | EventKind::ExitBootServices => Class::Action,
            EventKind::Separator => Class::Separator,
            EventKind::Image => Class::Image,
            EventKind::Variable => {
                Class::Variable(word_behind(&measurement.why, "the variable ").unwrap_or_default())
            }
            EventKind::Authority => Class::Authority,
            EventKind::SectionName | EventKind::SectionContent => {
                Class::Section(word_behind(&measurement.why, "section ").unwrap_or_default())
            }
            EventKind::Phase => Class::Phase,
            EventKind::CommandLine => Class::CommandLine,
            EventKind::Initrd => Class::Initrd,
            EventKind::LoadOptions => Class::Options,
            EventKind::PartitionTable => Class::PartitionTable,
            EventKind::LoaderConfiguration => Class::LoaderConfiguration,
            EventKind::OwnerKeys => Class::OwnerKeys,
            EventKind::Profile => Class::Profile,
            EventKind::Credentials => Class::Credentials,
            EventKind::ConfigurationExtensions => Class::ConfigurationExtensions,
            EventKind::SystemExtensions => Class::SystemExtensions,
            EventKind::Identity => Class::Identity,
            // What has no counterpart of its own stands beside what else is there.
            _ => Class::Other,
        }
    }

    fn of_event(logged: &LoggedEvent, says: &str) -> Class {
        match (logged.event_type, logged.pcr) {
            (event::ACTION | event::EFI_ACTION, _) => Class::Action,
            (event::SEPARATOR, _) => Class::Separator,
            (event::BOOT_SERVICES_APPLICATION..=event::RUNTIME_SERVICES_DRIVER, _) => Class::Image,
            (event::VARIABLE_DRIVER_CONFIG | event::VARIABLE_BOOT | event::VARIABLE_BOOT2, _) => {
                let variable = variable_parts(&logged.data);
                variable.map_or(Class::Other, |variable| Class::Variable(variable.name))
            }
            (event::VARIABLE_AUTHORITY, _) => Class::Authority,
            (event::GPT | event::GPT2, _) => Class::PartitionTable,
            (event::IPL, 11) => Class::Section(says.to_owned()),
            (event::IPL, 12) if says.contains("redential") => Class::Credentials,
            (event::IPL, 12) if says.contains("xtension") => Class::ConfigurationExtensions,
            (event::IPL, 12) => Class::Options,
            (event::IPL, 13) => Class::SystemExtensions,
            (event::IPL, 14) => Class::OwnerKeys,
            (event::EVENT_TAG, _) => match tag_of(&logged.data) {
                Some(0x8f3b_22ed) => Class::CommandLine,
                Some(0x8f3b_22ec) => Class::Initrd,
                Some(0xf5bc_582a) => Class::LoaderConfiguration,
                Some(0x13ae_d6db) => Class::Profile,
                _ => Class::Other,
            },
            _ => Class::Other,
        }
    }

    fn of_record(record: &Record) -> Class {
        match record.kind.as_deref() {
            Some("phase") => Class::Phase,
            Some("machine-id" | "filesystem") => Class::Identity,
            _ => Class::Other,
        }
    }
}

/// The word behind these words, up to a space, comma or colon.
fn word_behind(text: &str, before: &str) -> Option<String> {
    let (_, rest) = text.split_once(before)?;
    let word = rest.split([' ', ',', ':']).next()?;
    Some(word.to_owned())
}

/// The digests of a register in a bank, the firmware's before systemd's.
pub(super) fn digests(
    question: &Question<'_>,
    pcr: u32,
    bank: Bank,
) -> impl Iterator<Item = Digest> {
    let events = question.log.events.iter();
    let events = events.filter(move |event| event.extends() && event.pcr == pcr);
    let records = question.userspace.into_iter().flat_map(|log| &log.records);
    let records = records.filter(move |record| record.target == Target::Pcr(pcr));
    events
        .filter_map(move |event| event.digest(bank))
        .chain(records.filter_map(move |record| record.digests.get(&bank).copied()))
}

/// One measurement of a log.
#[derive(Debug, Clone)]
pub(super) struct Logged<'a> {
    pub(super) digest: Digest,
    pub(super) class: Class,
    /// Where it stands, in words.
    pub(super) place: String,
    /// What it says of itself.
    pub(super) says: String,
    /// Its data, when the digest is theirs: then what they say was measured.
    pub(super) measured: Option<&'a [u8]>,
}

impl<'a> Logged<'a> {
    /// All measurements of a register in a bank, the firmware's before systemd's.
    pub(super) fn all(question: &Question<'a>, pcr: u32, bank: Bank) -> Vec<Logged<'a>> {
        let events = question.log.events.iter().enumerate();
        let events = events.filter(|(_, event)| event.extends() && event.pcr == pcr);
        let mut all: Vec<Logged<'a>> = events
            .filter_map(|(number, event)| Logged::of_event(number, event, bank))
            .collect();
        let records = question.userspace.map(|log| log.records.iter().enumerate());
        let records = records.into_iter().flatten();
        let records = records.filter(|(_, record)| record.target == Target::Pcr(pcr));
        all.extend(records.filter_map(|(number, record)| Logged::of_record(number, record, bank)));
        all
    }

    fn of_event(number: usize, event: &'a LoggedEvent, bank: Bank) -> Option<Logged<'a>> {
        let digest = event.digest(bank)?;
        let says = event.describe();
        let measured = bank.hash(&event.data) == digest;
        Some(Logged {
            digest,
            class: Class::of_event(event, &says),
            place: format!("event {number}"),
            says,
            measured: measured.then_some(event.data.as_slice()),
        })
    }

    fn of_record(number: usize, record: &'a Record, bank: Bank) -> Option<Logged<'a>> {
        Some(Logged {
            digest: *record.digests.get(&bank)?,
            class: Class::of_record(record),
            place: format!("record {number} of systemd's log"),
            says: record.describe(),
            measured: None,
        })
    }
}
