//! `touchstone pe verify`.

use std::path::Path;

use touchstone_artifacts::Context;
use touchstone_artifacts::verify::{JudgedSignature, PeVerdict, Under, VerifyPe};
use touchstone_operations::{Failure, perform};

use super::{Verdict, print};
use crate::arguments::VerifyArguments;

/// Says whether the image would boot, and why.
///
/// # Errors
/// [`Failure`] when there is no verdict.
pub fn run(arguments: VerifyArguments, context: &Context<'_>) -> Result<Verdict, Failure> {
    let json = arguments.json;
    let request = VerifyPe::from(arguments);
    let verdict = perform(&request, context)?;
    if json {
        print::json(&verdict)?;
    } else {
        for line in lines(&request.file, &verdict) {
            print::line(&line)?;
        }
    }
    Ok(match verdict.boots {
        true => Verdict::Done,
        false => Verdict::Negative,
    })
}

fn lines(file: &Path, verdict: &PeVerdict) -> Vec<String> {
    let under = match verdict.under {
        Under::Firmware => "under the firmware alone",
        Under::FirmwareAndShim => "under firmware and shim",
    };
    let would = match verdict.boots {
        true => "would boot",
        false => "would not boot",
    };
    let mut lines = vec![format!("{}: {would} {under}", file.display())];
    let reasons = verdict.reasons.iter();
    lines.extend(reasons.map(|reason| format!("  {} ({})", reason.why, reason.rule)));
    for (number, signature) in (1..).zip(&verdict.signatures) {
        lines.push(format!("signature {number}: {}", signer(signature)));
        if !verdict
            .reasons
            .iter()
            .any(|reason| reason.why == signature.why)
        {
            lines.push(format!("  {} ({})", signature.why, signature.rule));
        }
    }
    lines.extend(verdict.notes.iter().map(|note| format!("note: {note}")));
    lines
}

fn signer(signature: &JudgedSignature) -> String {
    let hash = signature.hash.as_deref().unwrap_or("no known digest");
    match (&signature.signer, &signature.issuer) {
        (Some(signer), Some(issuer)) => format!("{signer}, issued by {issuer}, {hash}"),
        _ => "nobody's whose certificate can be read".to_owned(),
    }
}
