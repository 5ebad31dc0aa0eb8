//! How a boot ended.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use super::{Report, guard};

/// How a boot ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The guest came up, and its report arrived whole; or the last line came that was waited for in its place.
    Reached,
    /// Nothing came up, and somebody had refused something: the first refusal.
    Refused(Refusal),
    /// The guest came up, but could not read all that it reports, or lines of its report were lost.
    Incomplete {
        /// What is missing.
        why: Vec<String>,
    },
    /// Firmware found nothing to start, without a refusal.
    NothingToStart,
    /// The guest's kernel panicked.
    Panicked {
        /// The kernel's line.
        line: String,
    },
    /// QEMU ended before the guest's report did.
    Crashed {
        /// QEMU's exit status and last words.
        how: String,
    },
    /// The time was over, without a refusal.
    TimedOut,
}

/// One refusal to start something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Who refused.
    pub by: RefusedBy,
    /// The line on the console that says so.
    pub line: String,
}

/// Who refused, by the words on the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedBy {
    /// The firmware, when it was to start the first program.
    Firmware,
    /// The boot loader, whose own start of the next program the firmware refused.
    Loader,
    /// shim, by its certificates.
    Shim,
    /// shim, by the SBAT level.
    SbatLevel,
}

/// The kernel's last words when a busy machine gave its emulated processor no time between two ticks (seen once in sixty boots).
const STARVED: &str = "IO-APIC + timer doesn't work";

impl Outcome {
    /// Whether the machine under the emulated one may be the cause: a crash, a time-out, or a kernel that got no time.
    pub(super) fn may_be_chance(&self) -> bool {
        match self {
            Outcome::Crashed { .. } | Outcome::TimedOut => true,
            Outcome::Panicked { line } => line.contains(STARVED),
            _ => false,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Reached => write!(out, "it came up"),
            Outcome::Refused(refusal) => {
                write!(out, "it was refused ({:?}): {}", refusal.by, refusal.line)
            }
            Outcome::Incomplete { why } => write!(
                out,
                "it came up, but its report is incomplete: {}",
                why.join("; ")
            ),
            Outcome::NothingToStart => write!(out, "the firmware found nothing to start"),
            Outcome::Panicked { line } => write!(out, "its kernel panicked: {line}"),
            Outcome::Crashed { how } => write!(out, "QEMU ended early: {how}"),
            Outcome::TimedOut => write!(out, "it did not come up in time"),
        }
    }
}

/// One boot: how it ended, and what was seen on the way.
#[derive(Debug, Clone)]
pub struct Boot {
    /// How it ended.
    pub outcome: Outcome,
    /// All refusals on the way, also when something else came up after them.
    pub refusals: Vec<Refusal>,
    /// The console's text, without escape sequences and empty lines.
    pub serial: String,
    /// What the guest reported; empty when it did not come up.
    pub report: Report,
    /// From the start of QEMU to the end.
    pub duration: Duration,
    /// How a first attempt ended, when this is the second.
    pub first_attempt: Option<Outcome>,
}

impl Boot {
    /// Passes when the guest came up.
    ///
    /// # Errors
    /// Otherwise; the sentence says how the boot ended, with the console's last lines.
    pub fn reached(&self) -> Result<()> {
        match self.outcome {
            Outcome::Reached => Ok(()),
            _ => bail!(
                "the machine was to come up, but {}; last on its console: {}",
                self.outcome,
                self.last_words()
            ),
        }
    }

    /// The refusal, when the boot was refused.
    ///
    /// # Errors
    /// Otherwise; the sentence says how the boot ended, with the console's last lines.
    pub fn refused(&self) -> Result<&Refusal> {
        match &self.outcome {
            Outcome::Refused(refusal) => Ok(refusal),
            other => bail!(
                "the machine was to be refused, but {other}; last on its console: {}",
                self.last_words()
            ),
        }
    }

    fn last_words(&self) -> String {
        guard::tail(&self.serial, 12)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_starved_kernel_gets_another_chance_and_another_panic_does_not() {
        let panic = |words: &str| Outcome::Panicked {
            line: format!("Kernel panic - not syncing: {words}"),
        };
        assert!(panic("IO-APIC + timer doesn't work!  Boot with apic=debug").may_be_chance());
        assert!(!panic("VFS: Unable to mount root fs").may_be_chance());
        assert!(Outcome::TimedOut.may_be_chance());
        assert!(!Outcome::NothingToStart.may_be_chance());
    }
}
