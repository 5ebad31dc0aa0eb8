//! `touchstone reference` and `touchstone pcrlock`.

use std::collections::BTreeMap;

use touchstone_artifacts::Context;
use touchstone_artifacts::reference::{CheckReference, CreateReference, Verdict as Judgement};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::{Pcrlock, Reference};

/// Makes a document, or judges by one.
///
/// # Errors
/// [`Failure`].
pub fn run(words: Reference, context: &Context<'_>) -> Result<Verdict, Failure> {
    match words {
        Reference::Create(words) => {
            let json = words.json;
            let answer = perform(&CreateReference::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                print::line(&format!(
                    "{} generations, {} outcomes; {}",
                    answer.generations.len(),
                    answer.leaves,
                    counted(&answer.values)
                ))?;
            }
            Ok(Verdict::Done)
        }
        Reference::Check(words) => {
            let json = words.json;
            let answer = perform(&CheckReference::from(words), context)?;
            if json {
                print::json(&answer)?;
            } else {
                print_judgement(&answer)?;
            }
            Ok(match answer.admitted {
                true => Verdict::Done,
                false => Verdict::Negative,
            })
        }
    }
}

/// Writes component files of systemd-pcrlock.
///
/// # Errors
/// [`Failure`].
pub fn pcrlock(words: Pcrlock, context: &Context<'_>) -> Result<(), Failure> {
    let Pcrlock::Create {
        generations,
        output,
        json,
    } = words;
    let answer = perform(&generations.pcrlock(output), context)?;
    if json {
        return print::json(&answer);
    }
    for file in &answer.files {
        let of = match file.generations.as_slice() {
            [] => "all generations".to_owned(),
            some => some.join(", "),
        };
        print::line(&format!("{}: {of}", file.name))?;
    }
    print::line(&counted(&answer.values))?;
    for pcr in &answer.left_out {
        print::line(&format!(
            "PCR {pcr}: left to systemd-pcrlock's own lock commands"
        ))?;
    }
    answer
        .notes
        .iter()
        .try_for_each(|note| print::line(&format!("note: {note}")))
}

fn counted(values: &BTreeMap<u32, usize>) -> String {
    let counted = values
        .iter()
        .map(|(pcr, count)| format!("PCR {pcr}: {count}"));
    format!("values: {}", counted.collect::<Vec<_>>().join(", "))
}

fn print_judgement(answer: &Judgement) -> Result<(), Failure> {
    for leaf in &answer.by {
        print::line(&format!(
            "admitted by {}: {}",
            leaf.generation,
            leaf.path.join(" → ")
        ))?;
    }
    let Some(nearest) = &answer.nearest else {
        return Ok(());
    };
    print::line(&format!(
        "not admitted; nearest is {}: {}",
        nearest.generation,
        nearest.path.join(" → ")
    ))?;
    for differs in &nearest.differs {
        let others = match differs.found_in.as_slice() {
            [] => String::new(),
            some => format!(", which is that of {}", some.join(", ")),
        };
        print::line(&format!(
            "  {}:{}: expected {}, found {}{others}",
            differs.pcr, differs.bank, differs.expected, differs.found
        ))?;
    }
    Ok(())
}
