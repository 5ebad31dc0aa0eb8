//! Why there is no reference document.

use crate::bank::{Bank, Digest};

/// A reference document cannot be made, or cannot be judged by: here is why, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// There is nothing to refer to.
    #[error("no generation is given: name at least one, with its prediction")]
    NoGeneration,
    /// A generation is called by something that names no file.
    #[error(
        "{0:?} cannot be a generation's name: use 1 to 100 letters, digits, dots, dashes and underscores, and begin with a letter or digit"
    )]
    Name(String),
    /// Two generations have the same name.
    #[error("two generations are called {0}: give each a name of its own")]
    SameName(String),
    /// A prediction without a leaf admits nothing.
    #[error("the prediction of {0} has no leaves: predict again")]
    NoLeaves(String),
    /// A prediction lacks a value that is asked for.
    #[error(
        "the prediction of {generation} has no value of PCR {pcr} in the bank {bank}: predict it, or ask only for what every prediction has"
    )]
    Missing {
        /// The generation.
        generation: String,
        /// The register.
        pcr: u32,
        /// The bank.
        bank: Bank,
    },
    /// A prediction's measurements do not make its values.
    #[error(
        "the prediction of {generation} contradicts itself: it says that PCR {pcr} is {says}, but its measurements add up to {made}; predict again"
    )]
    Contradiction {
        /// The generation.
        generation: String,
        /// The register.
        pcr: u32,
        /// The value it states.
        says: Box<Digest>,
        /// The value that its measurements make.
        made: Box<Digest>,
    },
    /// A value is of another bank than the one it stands under.
    #[error("PCR {pcr} has a value under {bank} that is no {bank} digest")]
    Bank {
        /// The register.
        pcr: u32,
        /// The bank.
        bank: Bank,
    },
    /// No register or no bank is left.
    #[error("no PCR or no bank is asked for: name at least one of each")]
    NothingAsked,
    /// The document is of another form.
    #[error(
        "the document is of version {0}, and this program knows version 1: use the program that made it"
    )]
    Version(u32),
    /// The document's list of values is not that of its leaves.
    #[error(
        "the document contradicts itself: its list of values for PCR {0} is not that of its leaves; make it again"
    )]
    Values(u32),
    /// A value that the document judges by is not among the machine's.
    #[error(
        "the machine's values lack PCR {pcr} in the bank {bank}, by which the document judges: read it too, or make a document without it"
    )]
    NotGiven {
        /// The register.
        pcr: u32,
        /// The bank.
        bank: Bank,
    },
    /// Keylime uses this register for itself.
    #[error(
        "Keylime does not let a tpm_policy speak of PCR {0}: it uses the register itself; leave it out"
    )]
    KeylimeUses(u32),
    /// Keylime's policy would admit more than the predictions do.
    #[error(
        "Keylime compares each PCR by itself, so that this policy would admit {admitted} combinations of values where the predictions have {predicted}: make one policy for each generation, or accept the mixtures expressly"
    )]
    Mixtures {
        /// How many combinations the policy admits.
        admitted: u128,
        /// How many of them a generation has.
        predicted: usize,
    },
}
