//! The answer of `pe.verify`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_sign::firmware::{ImageDigests, Reason, SignatureVerdict, Verdict};

use crate::hex;

/// The answer of `pe.verify`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeVerdict {
    /// Whether the image would be started.
    pub boots: bool,
    /// Who would start it.
    pub under: Under,
    /// What decided: when it boots, all that speaks for it; when not, all that speaks against it.
    pub reasons: Vec<VerdictReason>,
    /// The entries of the certificate table, in their order.
    pub signatures: Vec<JudgedSignature>,
    /// The image's Authenticode digests as firmware computes them, in hex, by name: SHA-256, and those that signatures or lists name.
    pub digests: BTreeMap<String, String>,
    /// What whoever relies on the verdict should know besides.
    pub notes: Vec<String>,
}

/// Whose rules a verdict follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Under {
    /// The firmware starts the image itself. SBAT levels do not act.
    Firmware,
    /// shim, which the firmware started, starts the image.
    FirmwareAndShim,
}

/// A rule that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VerdictReason {
    /// The rule's name, as in the documentation of `touchstone pe verify`.
    pub rule: String,
    /// A sentence.
    pub why: String,
}

/// An entry of the certificate table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JudgedSignature {
    /// Subject of the signer's certificate, when it can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Issuer of the signer's certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Subject of the certificate in `db` to which the signature leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trusted_by: Option<String>,
    /// The entry of `dbx` that forbids the image on account of this signature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forbidden_by: Option<String>,
    /// The digest that firmware compares it with: `sha1`, `sha256`, `sha384` or `sha512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Whether it would let the image start, were it the only one.
    pub ok: bool,
    /// The rule that decided.
    pub rule: String,
    /// A sentence.
    pub why: String,
}

pub(super) fn of(verdict: Verdict, digests: &ImageDigests, under: Under) -> PeVerdict {
    let signatures = verdict.signatures.into_iter();
    PeVerdict {
        boots: verdict.boots,
        under,
        reasons: verdict
            .reasons
            .into_iter()
            .map(VerdictReason::from)
            .collect(),
        signatures: signatures.map(JudgedSignature::from).collect(),
        digests: digests
            .iter()
            .map(|(kind, digest)| (kind.word().to_owned(), hex(digest)))
            .collect(),
        notes: verdict.notes,
    }
}

impl From<Reason> for VerdictReason {
    fn from(Reason { rule, why }: Reason) -> Self {
        Self {
            rule: rule.word().to_owned(),
            why,
        }
    }
}

impl From<SignatureVerdict> for JudgedSignature {
    fn from(signature: SignatureVerdict) -> Self {
        let VerdictReason { rule, why } = signature.reason.into();
        Self {
            signer: signature.signer,
            issuer: signature.issuer,
            trusted_by: signature.trusted_by,
            forbidden_by: signature.forbidden_by,
            hash: signature.hash.map(|kind| kind.word().to_owned()),
            ok: signature.ok,
            rule,
            why,
        }
    }
}
