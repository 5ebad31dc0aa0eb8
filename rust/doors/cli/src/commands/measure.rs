//! `touchstone measure`.

use serde_json::Value;
use touchstone_artifacts::Context;
use touchstone_artifacts::inspect::MeasureUki;
use touchstone_artifacts::predict::Prediction;
use touchstone_operations::{Failure, dispatch, perform};

use super::{print, read_request};
use crate::arguments::Measure;

/// Prints PCR values.
///
/// # Errors
/// [`Failure`].
pub fn run(measure: Measure, context: &Context<'_>) -> Result<(), Failure> {
    match measure {
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
                return print::json(&answer);
            }
            print::pcrs(&answer)
        }
        Measure::Predict { request, json } => {
            let mut request = read_request(&request)?;
            if let Value::Object(fields) = &mut request {
                fields
                    .entry("operation")
                    .or_insert("measure.predict".into());
            }
            let answer = dispatch(request, context)?;
            let answer: Prediction = serde_json::from_value(answer)
                .map_err(|error| Failure::malformed(format!("measure.predict: {error}")))?;
            if json {
                print::json(&answer)
            } else {
                print_prediction(&answer)
            }
        }
    }
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
