//! Policies that a key vouches for: what is sealed once opens for generations to come.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use touchstone_harness::boot::{Bytes, Signed, Unseal};
use touchstone_harness::nix::output;
use touchstone_measure::policy::{PcrPolicy, PcrSignatures, PolicyDigest};

use super::vault::Policy;
use crate::boot::keys::Keys;

/// Approvals of policies, by one key.
pub struct Approvals {
    policy: PolicyDigest,
    ways: Vec<Unseal>,
}

impl Approvals {
    /// Has the key (db's of a folder made for this) sign each policy; each is a way of its own.
    pub fn sign(keys: &Keys, folder: &Path, policies: &[&PcrPolicy]) -> Result<Approvals> {
        let file = folder.join("policy.json");
        let mut approvals: Option<Approvals> = None;
        for policy in policies {
            fs::write(&file, serde_json::to_vec(policy)?)?;
            let mut sign = keys.command(&["policy", "sign", "--json", "--policy-ref", "check"]);
            sign.arg("--policy").arg(&file);
            sign.arg("--key").arg(keys.path("db.key"));
            let answer: Value = serde_json::from_str(&output(sign)?)?;
            let approvals = approvals.get_or_insert(Approvals {
                policy: serde_json::from_value(part(&answer, "policy")?)?,
                ways: Vec::new(),
            });
            approvals.ways.extend(ways(&answer, policy)?);
        }
        approvals.context("no policy")
    }
}

impl Policy for Approvals {
    fn digest(&self) -> PolicyDigest {
        self.policy
    }

    fn ways(&self) -> Vec<Unseal> {
        self.ways.clone()
    }
}

/// The ways that the answer of `policy sign` opens.
fn ways(answer: &Value, policy: &PcrPolicy) -> Result<Vec<Unseal>> {
    let PcrSignatures(banks) = serde_json::from_value(part(answer, "signatures")?)?;
    let public = bytes(answer, "publicArea")?;
    let reference = bytes(answer, "policyRef")?;
    let (Some(signatures), 1) = (banks.get(&policy.bank), banks.len()) else {
        bail!("there are signatures of other banks")
    };
    let ways = signatures.iter().map(|signature| {
        let bytes = signature.sig.as_ref().context("no signature")?;
        Ok(Unseal {
            bank: policy.bank.algorithm(),
            pcrs: signature.pcrs.clone(),
            paths: vec![Vec::new()],
            signed: Some(Signed {
                public: public.clone(),
                policy: Bytes(signature.pol.digest().as_bytes().to_vec()),
                reference: reference.clone(),
                signature: Bytes::of_base64(bytes)?,
            }),
            ..Unseal::default()
        })
    });
    ways.collect()
}

fn part(answer: &Value, name: &str) -> Result<Value> {
    let part = answer.get(name).cloned();
    part.with_context(|| format!("policy sign answers without {name}"))
}

fn bytes(answer: &Value, name: &str) -> Result<Bytes> {
    let text: String = serde_json::from_value(part(answer, name)?)?;
    Bytes::of_hex(&text)
}
