//! `cargo xtask model`: the model test of `touchstone-esp`, for as long as it is worth a report.

use anyhow::{Result, bail};

use crate::toolchain::cargo;

/// Looks at so many distinct losses of power, and at the transactions that are broken on purpose.
pub fn run(triples: usize) -> Result<()> {
    let mut command = cargo()?;
    command
        .args(["test", "--package", "touchstone-esp", "--test", "model"])
        .args(["--", "--nocapture", "--test-threads", "1"])
        .env("TOUCHSTONE_MODEL_TRIPLES", triples.to_string());
    match command.status()?.success() {
        true => Ok(()),
        false => bail!("the model found something: what happened to the machine is above"),
    }
}
