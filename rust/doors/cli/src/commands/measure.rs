//! `touchstone measure`.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::Value;
use touchstone_artifacts::Context;
use touchstone_artifacts::inspect::MeasureUki;
use touchstone_artifacts::measure_parts::MeasuredParts;
use touchstone_artifacts::predict::Prediction;
use touchstone_artifacts::reference::ComparePredictions;
use touchstone_operations::{Failure, dispatch, perform};

use super::{Verdict, print, request};
use crate::arguments::Measure;

/// Prints PCR values.
///
/// # Errors
/// [`Failure`].
pub fn run(measure: Measure, context: &Context<'_>) -> Result<Verdict, Failure> {
    match measure {
        Measure::Compare {
            expected,
            actual,
            output,
            json,
        } => {
            let request = ComparePredictions {
                expected,
                actual,
                required: false,
                pinned: None,
                output,
            };
            return compare(&request, json, context);
        }
        Measure::Uki {
            file,
            phase,
            bank,
            json,
        } => {
            let answer = perform(
                &MeasureUki {
                    file,
                    phases: phase,
                    banks: bank,
                },
                context,
            )?;
            if json {
                print::json(&answer)?;
            } else {
                print::pcrs(&answer)?;
            }
        }
        Measure::Parts { request, json } => {
            let answer: MeasuredParts = answer_of("measure.parts", &request, context)?;
            if json {
                print::json(&answer)?;
            } else {
                print_parts(&answer)?;
            }
        }
        Measure::Predict { request, json } => {
            let answer: Prediction = answer_of("measure.predict", &request, context)?;
            if json {
                print::json(&answer)?;
            } else {
                print_prediction(&answer)?;
            }
        }
    }
    Ok(Verdict::Done)
}

fn compare(
    request: &ComparePredictions,
    json: bool,
    context: &Context<'_>,
) -> Result<Verdict, Failure> {
    let answer = perform(request, context)?;
    if json {
        print::json(&answer)?;
    } else if answer.unchanged {
        print::line("unchanged")?;
    } else {
        let lines = answer.lines();
        lines.iter().try_for_each(|line| print::line(line))?;
    }
    Ok(match answer.unchanged {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

/// The answer to the request in a file, which need not name its operation.
fn answer_of<A: DeserializeOwned>(
    operation: &'static str,
    file: &Path,
    context: &Context<'_>,
) -> Result<A, Failure> {
    let mut asked = request::document(file)?;
    if let Value::Object(fields) = &mut asked {
        fields.entry("operation").or_insert(operation.into());
    }
    serde_json::from_value(dispatch(asked, context)?)
        .map_err(|error| Failure::malformed(format!("{operation}: {error}")))
}

fn print_parts(parts: &MeasuredParts) -> Result<(), Failure> {
    for (name, profiles) in &parts.ukis {
        for (number, values) in profiles.iter().enumerate() {
            print::line(&format!("{name}, profile {number}"))?;
            print::pcrs(values)?;
        }
    }
    Ok(())
}

fn print_prediction(prediction: &Prediction) -> Result<(), Failure> {
    for leaf in &prediction.leaves {
        print::line(&leaf.path.join(" → "))?;
        for (pcr, banks) in &leaf.pcrs {
            for (bank, digest) in banks {
                print::line(&format!("  {pcr}:{bank}={digest}"))?;
            }
        }
    }
    prediction
        .assumptions
        .iter()
        .try_for_each(|text| print::line(&format!("assumed: {text}")))
}
