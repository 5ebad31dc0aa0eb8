//! `policy.show`: what a policy or a set of signatures admits.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::Bank;
use touchstone_measure::policy::{PcrPolicy, PcrSignatures, PolicyDigest, SignedDigest};
use touchstone_sign::PublicKey;

use super::key::read_public;
use super::{LIMIT, MachineState, refused};
use crate::source::read_small;
use crate::{Context, Error, Files};

/// The request of `policy.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShowPolicy {
    /// The answer of `policy.create`, or signatures (`.pcrsig`).
    pub file: PathBuf,
    /// With signatures: the key whose they are to be, in PEM or DER, or a certificate of it.
    pub public_key: Option<PathBuf>,
    /// With a policy: a machine that it is to admit, at the moment that its predictions are about.
    pub machine: Option<MachineState>,
}

/// What the file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PolicyKind {
    /// The answer of `policy.create`.
    Policy,
    /// `.pcrsig`.
    Signatures,
}

/// The answer of `policy.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownPolicy {
    /// What the file is.
    pub kind: PolicyKind,
    /// What it admits, in words.
    pub says: Vec<String>,
    /// With `machine`: the outcomes that it is; none when the policy does not admit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<Vec<String>>,
    /// The signatures.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<ShownSignature>,
    /// No when a machine is not admitted, or a signature is not the key's; absent when neither was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holds: Option<bool>,
}

/// A signed policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownSignature {
    /// The registers' bank.
    pub bank: Bank,
    /// The registers.
    pub pcrs: Vec<u32>,
    /// The policy.
    pub policy: PolicyDigest,
    /// The policy reference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_ref: Option<String>,
    /// The fingerprint of the key.
    pub fingerprint: String,
    /// Whether the signature is by the given key; absent when none was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
}

impl ShowPolicy {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Text`] when it is neither, [`Error::Policy`] when a policy contradicts itself, [`Error::Request`].
    pub fn run(&self, context: &Context<'_>) -> Result<ShownPolicy, Error> {
        let bytes = read_small(context.files, "policy", &self.file, LIMIT)?;
        let is_policy = serde_json::from_slice::<serde_json::Value>(&bytes)
            .is_ok_and(|json| json.get("branches").is_some());
        match is_policy {
            true => self.show_policy(context.files, &bytes),
            false => self.show_signatures(context.files, &bytes),
        }
    }

    fn show_policy(&self, files: &dyn Files, bytes: &[u8]) -> Result<ShownPolicy, Error> {
        if self.public_key.is_some() {
            return Err(misplaced(
                "a policy has no signature: `publicKey` is for `.pcrsig`",
            ));
        }
        let policy: PcrPolicy = serde_json::from_slice(bytes).map_err(|error| Error::Text {
            role: "policy",
            file: self.file.clone(),
            fact: error.to_string(),
        })?;
        policy
            .check()
            .map_err(|source| refused(Some(&self.file), source))?;
        let machine = self.machine.as_ref().map(|state| {
            let machine = state.read(files, policy.bank)?;
            let branch = policy.admits(&machine.values);
            Ok(branch
                .map(|branch| branch.names.clone())
                .unwrap_or_default())
        });
        let machine: Option<Vec<String>> = machine.transpose()?;
        Ok(ShownPolicy {
            kind: PolicyKind::Policy,
            says: policy_in_words(&policy),
            holds: machine.as_ref().map(|names| !names.is_empty()),
            machine,
            signatures: Vec::new(),
        })
    }

    fn show_signatures(&self, files: &dyn Files, bytes: &[u8]) -> Result<ShownPolicy, Error> {
        if self.machine.is_some() {
            return Err(misplaced(
                "signatures have no values: `machine` is for a policy",
            ));
        }
        let signatures =
            PcrSignatures::parse(bytes).map_err(|source| refused(Some(&self.file), source))?;
        let key = self
            .public_key
            .as_deref()
            .map(|file| read_public(files, file))
            .transpose()?;
        let shown = shown_signatures(&signatures, key.as_ref());
        Ok(ShownPolicy {
            kind: PolicyKind::Signatures,
            says: shown.iter().map(signature_in_words).collect(),
            machine: None,
            holds: key.map(|_| {
                !shown.is_empty() && shown.iter().all(|signature| signature.valid == Some(true))
            }),
            signatures: shown,
        })
    }
}

fn shown_signatures(signatures: &PcrSignatures, key: Option<&PublicKey>) -> Vec<ShownSignature> {
    let show = |(bank, signed): (Bank, &SignedDigest)| ShownSignature {
        bank,
        pcrs: signed.pcrs.clone(),
        policy: signed.pol,
        policy_ref: signed.reference.clone(),
        fingerprint: signed.pkfp.clone(),
        valid: key.map(|key| signed.is_by(key)),
    };
    signatures.iter().map(show).collect()
}

fn numbers(pcrs: &[u32]) -> String {
    let numbers: Vec<String> = pcrs.iter().map(u32::to_string).collect();
    numbers.join(", ")
}

fn policy_in_words(policy: &PcrPolicy) -> Vec<String> {
    let count = policy.branches.len();
    let mut says = vec![format!(
        "The policy {} admits {count} different state(s) of the PCRs {} in the bank {}, and no other.",
        policy.policy,
        numbers(&policy.pcrs),
        policy.bank
    )];
    says.push(match policy.running.is_empty() {
        true => "It was made without the running generation.".to_owned(),
        false => format!("The running machine was: {}.", policy.running.join("; ")),
    });
    for branch in &policy.branches {
        let values: Vec<String> = branch
            .values
            .iter()
            .map(|(pcr, value)| format!("{pcr}={value}"))
            .collect();
        says.push(format!(
            "Admitted: {} ({}), by {} PolicyOR(s).",
            branch.names.join("; "),
            values.join(" "),
            branch.path.len()
        ));
    }
    says
}

fn signature_in_words(signature: &ShownSignature) -> String {
    let verdict = match signature.valid {
        None => "not verified",
        Some(true) => "signed by the given key",
        Some(false) => "NOT signed by the given key",
    };
    let reference = signature.policy_ref.as_ref();
    let reference = reference.map_or_else(String::new, |text| format!(", reference {text:?}"));
    format!(
        "PCRs {} in the bank {}: policy {}{reference}, key {}, {verdict}.",
        numbers(&signature.pcrs),
        signature.bank,
        signature.policy,
        signature.fingerprint
    )
}

fn misplaced(fact: &str) -> Error {
    Error::Request {
        fact: fact.to_owned(),
        help: "compare the request with `touchstone schema policy.show`",
    }
}
