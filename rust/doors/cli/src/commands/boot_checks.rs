//! `touchstone boot verify` and `touchstone boot space`.

use std::path::Path;

use touchstone_artifacts::Context;
use touchstone_artifacts::boot_verify::Finding;
use touchstone_artifacts::firmware::Measure;
use touchstone_artifacts::space::MeasureSpace;
use touchstone_operations::{Failure, perform};

use super::{Verdict, print, request};
use crate::arguments::{SpaceArguments, VerifyArtifactsArguments};

/// Compares a folder of boot artifacts with its documents.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub fn verify(words: VerifyArtifactsArguments, context: &Context<'_>) -> Result<Verdict, Failure> {
    let json = words.json;
    let measure = words.measure.as_deref().map(measure).transpose()?;
    let verdict = perform(&words.request(measure), context)?;
    if json {
        print::json(&verdict)?;
    } else {
        let findings = verdict.findings.iter().map(Finding::lines);
        let compared = verdict
            .compared
            .iter()
            .map(|what| format!("compared: {what}"));
        let notes = verdict.notes.iter().map(|note| format!("note: {note}"));
        for line in findings.chain(compared).chain(notes) {
            print::line(&line)?;
        }
        print::line(match verdict.verified {
            true => "the boot artifacts are what their documents say",
            false => "the boot artifacts are not what their documents say",
        })?;
    }
    Ok(negative_unless(verdict.verified))
}

fn measure(path: &Path) -> Result<Measure, Failure> {
    serde_json::from_value(request::document(path)?).map_err(|error| Failure {
        file: Some(path.to_owned()),
        ..Failure::malformed(format!("the file of --measure: {error}"))
    })
}

/// Counts what generations take.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub fn space(words: SpaceArguments, context: &Context<'_>) -> Result<Verdict, Failure> {
    let json = words.json;
    let verdict = perform(&MeasureSpace::from(words), context)?;
    if json {
        print::json(&verdict)?;
    } else {
        for line in verdict.lines() {
            print::line(&line)?;
        }
    }
    Ok(negative_unless(verdict.fits))
}

fn negative_unless(right: bool) -> Verdict {
    match right {
        true => Verdict::Done,
        false => Verdict::Negative,
    }
}
