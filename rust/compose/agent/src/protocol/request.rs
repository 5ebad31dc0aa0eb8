//! What is asked.

use serde::{Deserialize, Serialize};
use touchstone_artifacts::agent::StorePart;
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::{Bank, PhasePath};

use super::KeyName;
use crate::identity::Derivation;

/// What builds, installers and people ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "operation",
    deny_unknown_fields,
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub enum Request {
    /// Who the agent is, and which keys it has for this client. No payload.
    Hello {
        /// [`VERSION`](super::VERSION); another one is refused.
        version: u32,
    },
    /// The public half of a key. No payload. The answer's payload, at most [`SMALL_LIMIT`](super::SMALL_LIMIT): of a key for images its certificate and the
    /// chain behind it in PEM; of a key for PCR values its public key in PEM; of a Nix key `name:base64`.
    Key {
        /// Which.
        key: KeyName,
    },
    /// An Authenticode signature of an image. The payload is the image but for `from_store`, both together at most [`IMAGE_LIMIT`](super::IMAGE_LIMIT). The answer's payload, at most
    /// [`SMALL_LIMIT`](super::SMALL_LIMIT): the PKCS#7 SignedData, as it stands in a `WIN_CERTIFICATE` behind its header.
    Authenticode {
        /// Which key signs.
        key: KeyName,
        /// The digest of image and signature.
        hash: SignatureDigest,
        /// What of the image the payload does not have: [whole files of the store](crate::protocol#files-of-the-store).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        from_store: Vec<StorePart>,
    },
    /// Signatures of the PCR 11 values of each profile of a UKI. The payload is the UKI but for `from_store`, whose `.pcrsig` may hold anything, for it is not
    /// measured. The answer's payload, at most [`SMALL_LIMIT`](super::SMALL_LIMIT): the list of [`ProfileSignatures`](super::ProfileSignatures) in JSON, one for each
    /// profile in the order of the image.
    PcrPolicy {
        /// Which key signs.
        key: KeyName,
        /// The banks, one at least.
        banks: Vec<Bank>,
        /// The phase paths, one at least.
        phases: Vec<PhasePath>,
        /// The policy reference.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy_ref: Option<String>,
        /// As of [`Authenticode`](Self::Authenticode).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        from_store: Vec<StorePart>,
    },
    /// Nix signatures of every path of a manifest. The payload is the manifest, at most [`MANIFEST_LIMIT`](super::MANIFEST_LIMIT); so is the answer's, signed.
    Manifest {
        /// Which key signs.
        key: KeyName,
    },
}

impl Request {
    /// What of an image the payload does not have.
    pub fn from_store(&self) -> &[StorePart] {
        match self {
            Self::Authenticode { from_store, .. } | Self::PcrPolicy { from_store, .. } => {
                from_store
            }
            Self::Hello { .. } | Self::Key { .. } | Self::Manifest { .. } => &[],
        }
    }
}

/// What is asked over the control socket. No payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "operation", deny_unknown_fields, rename_all = "camelCase")]
pub enum ControlRequest {
    /// A socket for the build of this derivation, which is about to begin: the pre-build hook asks.
    Offer {
        /// What is built.
        derivation: Derivation,
    },
    /// Lets this derivation have what rules with `requesters` give: one of these asks, or root.
    Grant {
        /// Which.
        derivation: Derivation,
    },
    /// Takes a grant back, and closes the socket of its build.
    Revoke {
        /// Which.
        derivation: Derivation,
    },
    /// What the agent has open. The answer's payload is an [`AgentStatus`](super::AgentStatus) in JSON.
    Status {},
}
