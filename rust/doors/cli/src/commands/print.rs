//! Answers on standard output.

use std::io::Write;

use serde::Serialize;
use touchstone_artifacts::pcr11::UkiPcrs;
use touchstone_operations::{Failure, to_bytes};

/// One JSON document.
pub fn json(value: &impl Serialize) -> Result<(), Failure> {
    bytes(&to_bytes(value)?)
}

/// Bytes as they are.
pub fn bytes(bytes: &[u8]) -> Result<(), Failure> {
    std::io::stdout().write_all(bytes).map_err(failed)
}

/// A line, or several.
pub fn line(line: &str) -> Result<(), Failure> {
    writeln!(std::io::stdout(), "{line}").map_err(failed)
}

/// Standard output takes no more.
pub fn failed(error: std::io::Error) -> Failure {
    Failure {
        code: "output.failed".to_owned(),
        what: format!("the answer cannot be printed: {error}"),
        file: None,
        help: "check where standard output goes".to_owned(),
    }
}

/// PCR values, a line each.
pub fn pcrs(answer: &UkiPcrs) -> Result<(), Failure> {
    for (pcr, banks) in &answer.pcrs {
        for (bank, phases) in banks {
            for (phase, digest) in phases {
                line(&format!("{pcr}:{bank}={digest}  # {phase}"))?;
            }
        }
    }
    Ok(())
}
