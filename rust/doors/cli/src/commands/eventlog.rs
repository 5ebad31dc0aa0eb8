//! `touchstone eventlog`.

use touchstone_artifacts::Context;
use touchstone_artifacts::eventlog::{ReplayEventLog, ReplayedPcrs, ShowEventLog, ShownEvent};
use touchstone_operations::{Failure, perform};

use super::print;
use crate::arguments::EventLog;

/// Prints the events of a log, or the values that they add up to.
///
/// # Errors
/// [`Failure`].
pub fn run(words: EventLog, context: &Context<'_>) -> Result<(), Failure> {
    match words {
        EventLog::Show(words) => {
            let json = words.json;
            let answer = perform(&ShowEventLog::from(words), context)?;
            if json {
                return print::json(&answer);
            }
            answer.events.iter().try_for_each(print_event)
        }
        EventLog::Replay(words) => {
            let json = words.json;
            let answer = perform(&ReplayEventLog::from(words), context)?;
            if json {
                return print::json(&answer);
            }
            print_values(&answer)
        }
    }
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
    event
        .digests
        .iter()
        .try_for_each(|(algorithm, digest)| print::line(&format!("  {algorithm}={digest}")))
}

fn print_values(answer: &ReplayedPcrs) -> Result<(), Failure> {
    for (pcr, banks) in &answer.pcrs {
        for (bank, value) in banks {
            print::line(&format!("{pcr}:{bank}={value}"))?;
        }
    }
    answer
        .not_replayed
        .iter()
        .try_for_each(|algorithm| print::line(&format!("not replayed: algorithm {algorithm}")))
}
