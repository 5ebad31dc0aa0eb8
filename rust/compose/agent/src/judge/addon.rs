//! Addons: a command line for a UKI that somebody else chooses.

use touchstone_store::StorePath;

use super::facts::Facts;
use super::known::KnownAddon;
use super::{command_line, sbat, sections, structure};
use crate::protocol::Refusal;

/// Sections that are judged here.
const JUDGED: [&str; 2] = [".cmdline", ".sbat"];

/// Sees that an image is an addon that the policy allows.
///
/// # Errors
/// [`Refusal`].
pub(super) fn judge(known: &KnownAddon, facts: &Facts<'_>) -> Result<Vec<StorePath>, Refusal> {
    structure::sections(facts)?;
    sections::stub_of(facts, &known.stubs)?;
    sections::check(facts, &JUDGED, &known.sections)?;
    sections::profiles(facts, &[(0..facts.sections().len()).collect()])?;
    for text in facts.texts(".cmdline") {
        let line = command_line::read(text)?;
        if line.init.is_some() {
            return Err(command_line::wrong(
                "an addon names no `init=`: the UKI that it is added to does",
            ));
        }
        line.is_allowed(&known.wanted.cmdline.allowed)?;
    }
    // An addon's stub is never run, and ukify leaves its entries out.
    sbat::check(facts, None, &known.wanted.sbat)?;
    structure::padding(facts)?;
    Ok(Vec::new())
}
