//! `touchstone eventlog`.

use std::collections::BTreeMap;

use touchstone_artifacts::Context;
use touchstone_artifacts::eventlog::{
    CompareEventLog, Comparison, ReplayEventLog, ReplayedPcrs, ShowEventLog, ShownEvent,
    ShownRecord,
};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::EventLog;

/// Prints the events of a log, the values that they add up to, or which prediction it is.
///
/// # Errors
/// [`Failure`].
pub fn run(words: EventLog, context: &Context<'_>) -> Result<Verdict, Failure> {
    match words {
        EventLog::Show(words) => {
            let json = words.json;
            let answer = perform(&ShowEventLog::from(words), context)?;
            if json {
                print::json(&answer)?;
                return Ok(Verdict::Done);
            }
            answer.events.iter().try_for_each(print_event)?;
            answer.userspace.iter().try_for_each(print_record)?;
        }
        EventLog::Replay(words) => {
            let json = words.json;
            let answer = perform(&ReplayEventLog::from(words), context)?;
            match json {
                true => print::json(&answer)?,
                false => print_values(&answer)?,
            }
        }
        EventLog::Compare(words) => {
            let json = words.json;
            let answer = perform(&CompareEventLog::from(words), context)?;
            match json {
                true => print::json(&answer)?,
                false => print_comparison(&answer)?,
            }
            if !answer.fits {
                return Ok(Verdict::Negative);
            }
        }
    }
    Ok(Verdict::Done)
}

fn print_event(event: &ShownEvent) -> Result<(), Failure> {
    let ShownEvent {
        number,
        pcr,
        event_type,
        says,
        ..
    } = event;
    let register = match event.extends {
        true => format!("PCR {pcr}"),
        false => "extends nothing".to_owned(),
    };
    print::line(&format!("{number}: {register}, {event_type}: {says}"))?;
    print_details(&event.digests, &event.contradictions)
}

fn print_record(record: &ShownRecord) -> Result<(), Failure> {
    let target = match (record.pcr, record.nv_index) {
        (Some(pcr), _) => format!("PCR {pcr}"),
        (None, Some(index)) => format!("NV index {index:#x}"),
        (None, None) => "extends nothing".to_owned(),
    };
    let (number, says) = (record.number, &record.says);
    print::line(&format!("systemd {number}: {target}: {says}"))?;
    print_details(&record.digests, &record.contradictions)
}

fn print_details(
    digests: &BTreeMap<String, String>,
    contradictions: &[String],
) -> Result<(), Failure> {
    for (algorithm, digest) in digests {
        print::line(&format!("  {algorithm}={digest}"))?;
    }
    contradictions
        .iter()
        .try_for_each(|found| print::line(&format!("  contradiction: {found}")))
}

fn print_values(answer: &ReplayedPcrs) -> Result<(), Failure> {
    for (pcr, banks) in &answer.pcrs {
        for (bank, value) in banks {
            print::line(&format!("{pcr}:{bank}={value}"))?;
        }
    }
    for algorithm in &answer.not_replayed {
        print::line(&format!("not replayed: algorithm {algorithm}"))?;
    }
    answer
        .contradictions
        .iter()
        .try_for_each(|found| print::line(&format!("contradiction: {found}")))
}

fn print_comparison(answer: &Comparison) -> Result<(), Failure> {
    let outcome = format!("{} ({})", answer.path.join(", "), answer.prediction);
    let differs = answer.registers.values().any(|found| !found.is_empty());
    print::line(&match differs {
        false => format!("fits: {outcome}"),
        true => format!("does not fit; the nearest is: {outcome}"),
    })?;
    for (pcr, differences) in &answer.registers {
        if differences.is_empty() {
            print::line(&format!("PCR {pcr}: as predicted"))?;
        }
        for difference in differences {
            print::line(&format!("PCR {pcr}: {}", difference.says))?;
        }
    }
    for (pcr, says) in &answer.not_replayed {
        print::line(&format!("PCR {pcr}: {says}"))?;
    }
    Ok(())
}
