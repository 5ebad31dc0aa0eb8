//! What is answered.

use serde::{Deserialize, Serialize};
use touchstone_measure::policy::PcrSignatures;

use super::{KeyName, TEXT_LIMIT};
use crate::identity::Derivation;

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", deny_unknown_fields, rename_all = "camelCase")]
pub enum Answer {
    /// It is done.
    Done {
        /// What.
        done: Done,
        /// The entry of the log that says so, where it is worth one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        entry: Option<u64>,
    },
    /// It is not done, and nothing is signed.
    Refused(Refusal),
}

/// What was done, by the request's operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "operation",
    deny_unknown_fields,
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Done {
    /// The agent, and the keys that this client may ask for.
    Hello {
        /// The protocol's version.
        version: u32,
        /// The agent's own.
        agent: String,
        /// The keys.
        keys: Vec<KeyFacts>,
    },
    /// The payload is the public half.
    Key {
        /// What the key signs.
        kind: KeyKind,
    },
    /// The payload is the signature.
    Authenticode {},
    /// The payload is the signatures of each profile.
    PcrPolicy {},
    /// The payload is the signed manifest.
    Manifest {},
    /// Nothing is: a file of `fromStore` is none that the agent reads for this client. The client sends the whole image.
    SendWhole {},
    /// The socket that was made.
    Offer {
        /// Its path.
        socket: String,
    },
    /// The grant is there.
    Grant {},
    /// The grant is gone.
    Revoke {},
    /// The payload is the status.
    Status {},
}

/// A key, as whoever may ask for it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct KeyFacts {
    /// Its name.
    pub name: KeyName,
    /// What it signs.
    pub kind: KeyKind,
}

/// What a key signs: one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum KeyKind {
    /// Images, by Authenticode.
    Image,
    /// Values of PCR 11.
    Pcr,
    /// Store paths.
    Nix,
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Refusal {
    /// A stable name, for programs: `policy.kernel`, `protocol.malformed`.
    pub code: String,
    /// What is wrong, and of what.
    pub what: String,
    /// What to do.
    pub help: String,
    /// The entry of the log that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
}

impl Refusal {
    /// A refusal that is not in the log yet. Texts are cut at [`TEXT_LIMIT`], so that each refusal has room in a header.
    pub fn new(code: &str, what: &str, help: &str) -> Self {
        let short = |text: &str| text[..text.floor_char_boundary(TEXT_LIMIT)].to_owned();
        Self {
            code: short(code),
            what: short(what),
            help: short(help),
            entry: None,
        }
    }
}

/// The signatures of a UKI's profile: what its `.pcrsig` holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ProfileSignatures {
    /// Bank → signed policies, for the first phase path first.
    pub signatures: PcrSignatures,
}

/// What the agent has open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AgentStatus {
    /// The agent's version.
    pub agent: String,
    /// When it was started, in seconds since 1970-01-01 UTC.
    pub since: u64,
    /// Every key.
    pub keys: Vec<KeyFacts>,
    /// The sockets of builds.
    pub sockets: Vec<OpenSocket>,
    /// The grants that are not used up.
    pub grants: Vec<PendingGrant>,
    /// How many connections are open.
    pub connections: u64,
    /// The newest entry of the log.
    pub entry: u64,
    /// How the log fares.
    pub log: LogStatus,
}

/// How the log fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LogStatus {
    /// Its name: 32 hexadecimal digits.
    pub name: String,
    /// The number of the segment that is written.
    pub segment: u64,
    /// How many entries no checkpoint covers yet.
    pub without_checkpoint: u64,
    /// The disk is full: nothing is signed.
    pub full: bool,
    /// Why nothing more is written, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Why the last checkpoint could not be signed or kept, if so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint_failure: Option<String>,
    /// The folders of exports that did not take the last checkpoint.
    pub failing_exports: Vec<String>,
}

/// The socket of a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct OpenSocket {
    /// What is built.
    pub derivation: Derivation,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub since: u64,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PendingGrant {
    /// To what.
    pub derivation: Derivation,
    /// By whom.
    pub by: String,
    /// Until when, in seconds since 1970-01-01 UTC.
    pub until: u64,
}
