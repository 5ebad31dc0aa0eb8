//! What is written down: one event an entry.

use serde::{Deserialize, Serialize};

use super::text::Digest;
use crate::identity::{Derivation, Identity};
use crate::protocol::{KeyKind, KeyName};

/// The longest text of an event, in bytes. A longer one is cut and ends with `…`: texts quote what clients send.
pub const TEXT_LIMIT: usize = 2048;

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "event",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Event {
    /// The log began: its first entry.
    Created {
        /// The form of its entries: 1.
        version: u32,
        /// Its name: 128 random bits, as 32 hexadecimal digits.
        log: String,
    },
    /// The first entry of each later segment.
    Rotated {
        /// The form of its entries: 1.
        version: u32,
        /// The name of the log that it belongs to.
        log: String,
        /// The segment's number, from 2 on.
        segment: u64,
    },
    /// The agent began to serve.
    Started {
        /// Its version.
        agent: String,
        /// SHA-256 of the policy file.
        policy: Digest,
        /// The keys that it holds.
        keys: Vec<Key>,
        /// The key that signs checkpoints, as its public text.
        checkpoint_key: String,
    },
    /// The agent ended in order.
    Stopped,
    /// The agent had been killed, or the machine lost power, while it wrote: what it had not finished was cut off.
    Recovered {
        /// How many bytes.
        bytes: u64,
        /// SHA-256 of them.
        sha256: Digest,
    },
    /// A derivation was given a socket.
    Offered {
        /// Its path.
        derivation: Derivation,
        /// The rules of the policy that it may use.
        rules: Vec<String>,
    },
    /// A derivation asked for a socket, or somebody for a grant, and was refused.
    Declined {
        /// Its path.
        derivation: Derivation,
        /// The kind of refusal.
        code: String,
        /// Why, in words.
        what: String,
    },
    /// Somebody vouched for a derivation.
    Granted {
        /// Its path.
        derivation: Derivation,
        /// Who.
        by: Identity,
    },
    /// A grant was taken back.
    Revoked {
        /// The derivation's path.
        derivation: Derivation,
        /// Who ended it.
        by: Identity,
    },
    /// Something was signed.
    Signed(Signed),
    /// Something was not signed.
    Refused {
        /// Who asked.
        client: Identity,
        /// What for; nothing when the request was not understood.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        operation: Option<Operation>,
        /// By which key.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        key: Option<KeyName>,
        /// The kind of refusal.
        code: String,
        /// Why, in words.
        what: String,
    },
    /// Refusals that have no entry of their own, since the disk is full and the reserve nearly used up.
    Counted {
        /// How many since the last such entry.
        refusals: u64,
    },
    /// The head that this entry makes was signed and exported.
    Checkpoint,
    /// A checkpoint could not be written to a folder.
    ExportFailed {
        /// The folder.
        folder: String,
        /// Why, in words.
        what: String,
    },
    /// No checkpoint could be signed or kept.
    CheckpointFailed {
        /// Why, in words.
        what: String,
    },
    /// The disk is full: nothing is signed from here on.
    Full,
    /// There is room again.
    Room,
}

/// A key that the agent holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Its name in the policy.
    pub name: KeyName,
    /// What it signs.
    pub kind: KeyKind,
    /// SHA-256 of its certificate (DER), or of its public key (DER for PCR policies, the 32 bytes for Nix).
    pub sha256: Digest,
}

/// An operation, by its name in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operation {
    /// Who the agent is.
    Hello,
    /// A key's public half.
    Key,
    /// A signature of an image.
    Authenticode,
    /// Signatures of values of PCR 11.
    PcrPolicy,
    /// Signatures of store paths.
    Manifest,
    /// A socket for a build.
    Offer,
    /// A grant.
    Grant,
    /// A grant's end.
    Revoke,
    /// What the agent has open.
    Status,
    /// A checkpoint.
    Checkpoint,
}

/// What was signed, and by whose wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Who asked.
    pub client: Identity,
    /// The key's name in the policy.
    pub key: KeyName,
    /// What for.
    pub operation: Operation,
    /// The rule of the policy that allowed it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rule: Option<String>,
    /// What the signatures are of.
    pub subjects: Vec<Subject>,
    /// SHA-256 of what is given out.
    pub signatures: Vec<Digest>,
}

/// Something that was signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// What it is: `image`, `policy sha256`, a store path, `7 fingerprints` …
    pub what: String,
    /// Its digest: the Authenticode digest, the policy's, the path's NAR hash, SHA-256 of the fingerprints.
    pub digest: String,
}

impl Event {
    /// The event with every text cut to [`TEXT_LIMIT`] that may quote what a client sent.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        match &mut self {
            Self::Declined { code, what, .. } | Self::Refused { code, what, .. } => {
                cut(code);
                cut(what);
            }
            Self::ExportFailed { folder, what } => {
                cut(folder);
                cut(what);
            }
            Self::CheckpointFailed { what } => cut(what),
            _ => {}
        }
        self
    }

    /// Whether the last half of the reserve is for events of this kind: those of the log and of the agent itself, which are few.
    pub(super) const fn is_of_the_agent(&self) -> bool {
        matches!(
            self,
            Self::Created { .. }
                | Self::Rotated { .. }
                | Self::Started { .. }
                | Self::Stopped
                | Self::Recovered { .. }
                | Self::Counted { .. }
                | Self::Checkpoint
                | Self::ExportFailed { .. }
                | Self::CheckpointFailed { .. }
                | Self::Full
                | Self::Room
        )
    }
}

fn cut(text: &mut String) {
    if text.len() > TEXT_LIMIT {
        text.truncate(text.floor_char_boundary(TEXT_LIMIT - '…'.len_utf8()));
        text.push('…');
    }
}
