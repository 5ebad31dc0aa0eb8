//! `policy.create`, `policy.sign` and `policy.show`: what a secret is sealed to, made of predictions.

mod agent;
mod create;
mod elsewhere;
mod key;
mod machine;
mod passed;
mod pcrsig;
mod show;
mod sign;

use std::path::Path;

pub use create::{CreatePolicy, Running, Variant};
pub(crate) use elsewhere::{PCR_DATA, PCR_DATA_LENGTHS, PCR_SIGNATURE, named, public_section};
pub use key::PolicyKey;
pub use machine::MachineState;
pub(crate) use pcrsig::{PcrKeys, PcrSigner};
pub use pcrsig::{PcrSign, PcrSigningKey};
pub use show::{PolicyKind, ShowPolicy, ShownPolicy, ShownSignature};
pub(crate) use sign::AskSignatures;
pub use sign::{SignPolicy, SignedPolicy};
pub use touchstone_measure::policy::{PcrPolicy, PolicyError};

use touchstone_measure::Digest;

use crate::source::read_small;
use crate::{Error, Files};

/// The largest policy, prediction or set of signatures that is read, in bytes. A policy of a thousand outcomes has 3 MiB.
const LIMIT: u64 = 64 << 20;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum NoPolicy {
    /// It cannot be made, or is not what it says.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// Nothing was said of the running generation.
    #[error(
        "nothing says which outcome is the machine as it runs, and a policy that does not admit it locks its secret away from the next boot: name the running generation (`running`), or say that the policy is made without it (`withoutRunning`)"
    )]
    NoRunning,
    /// Both were said.
    #[error(
        "`running` names the running generation, and `withoutRunning` says that it is left out: say one"
    )]
    RunningAndWithout,
    /// A generation that must be admitted is not among the variants.
    #[error("the {role} generation `{name}` is none of the variants: there are {variants}")]
    NotAVariant {
        /// Running, next or kept.
        role: &'static str,
        /// What was asked for.
        name: String,
        /// What there is.
        variants: String,
    },
    /// The machine runs something that was not predicted.
    #[error(
        "the running machine is none of the variants, so the policy would lock it out. The nearest is `{name}`: {differences}"
    )]
    RunsSomethingElse {
        /// The nearest outcome.
        name: String,
        /// Where it differs, in words.
        differences: String,
    },
    /// The prediction has no leaf.
    #[error("the prediction of `{0}` has no outcome: predict anew")]
    NoLeaf(String),
}

/// Reads a JSON file.
fn read_json<T: serde::de::DeserializeOwned>(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<T, Error> {
    let bytes = read_small(files, role, path, LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Text {
        role,
        file: path.to_owned(),
        fact: error.to_string(),
    })
}

/// A refusal that is about a file, where it is about one.
fn refused(file: Option<&Path>, source: impl Into<NoPolicy>) -> Error {
    Error::Policy {
        file: file.map(Path::to_owned),
        source: source.into(),
    }
}

/// A value, or that it is not known.
fn shown(value: Option<Digest>) -> String {
    value.map_or_else(|| "something unknown".to_owned(), |value| value.to_string())
}
