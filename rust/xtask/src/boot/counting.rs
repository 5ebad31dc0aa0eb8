//! Boot counting: what systemd-boot makes of the names that the installer writes.

use anyhow::Result;
use touchstone_harness::Inputs;

use super::Outcome;

mod cut;
mod fallback;
mod menu;
#[cfg(test)]
mod page;

use menu::Suite;

/// The systemd-boots that count is taken of: the second one knows `preferred`.
const SUITES: [Suite; 2] = [
    Suite {
        name: "trixie",
        version: "257",
        column: 0,
    },
    Suite {
        name: "sid",
        version: "262",
        column: 1,
    },
];

/// Boots what is counted with systemd-boot 257; with `all`, with the newest one too, and all of the menu.
pub fn claims(inputs: &Inputs, all: bool, outcome: &mut Outcome) -> Result<()> {
    for suite in SUITES.into_iter().take(if all { SUITES.len() } else { 1 }) {
        if !inputs.boot.contains_key(suite.name) {
            println!("  left out: {} does not answer", suite.name);
            continue;
        }
        if all {
            menu::claims(inputs, suite, outcome)?;
        }
        fallback::claims(inputs, suite, outcome)?;
        if all && suite.column == 0 {
            cut::claims(inputs, suite, outcome)?;
        }
    }
    Ok(())
}
