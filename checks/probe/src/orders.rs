//! What the host has the guest do with its TPM and its disk, after the report of what the machine measured (the README has the format).

use std::fmt::Display;
use std::io::{Read, Write};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::programs::{List, Run};
use crate::tpm::{Session, Tpm, TpmError};

/// What the SMBIOS strings with orders begin with; a number and `:` follow.
pub const PREFIX: &str = "touchstone.orders=";

/// One order.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Extend a register with a word, as systemd's phases do.
    Extend(Extend),
    /// Unseal an object under a policy.
    Unseal(Unseal),
    /// Run a program of the system on the disk.
    Run(Run),
    /// Say what lies in a folder.
    List(List),
}

/// A word for a register.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extend {
    /// The register.
    pub pcr: u32,
    /// The word.
    pub word: String,
}

/// An object, and ways to fulfil its policy.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unseal {
    /// The object's persistent handle.
    pub handle: u32,
    /// `TPM_ALG_ID` of the bank.
    bank: u16,
    /// The registers of `PolicyPCR`.
    pcrs: Vec<u32>,
    /// Lists of digests for `PolicyOR`.
    #[serde(default)]
    nodes: Vec<Vec<Hex>>,
    /// Ways to try, one after another: the nodes to go through behind `PolicyPCR`. None is the way without a node.
    #[serde(default)]
    paths: Vec<Vec<usize>>,
    /// What approves of the digest behind the nodes.
    signed: Option<Signed>,
}

/// An approval for `PolicyAuthorize`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// The key: a `TPMT_PUBLIC`.
    public: Hex,
    /// The approved policy digest.
    policy: Hex,
    /// What the signature says beside it.
    #[serde(default)]
    reference: Hex,
    /// RSA PKCS#1 v1.5 over the SHA-256 digest of both.
    signature: Hex,
}

/// Bytes in hexadecimal digits.
#[derive(Debug, Default, Clone)]
struct Hex(Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes());
        bytes.map(Hex).map_err(serde::de::Error::custom)
    }
}

/// Reads the orders among SMBIOS strings: the parts, in their order, are one JSON list.
pub fn read(strings: &[String]) -> Result<Vec<Order>> {
    let parts = strings.iter().filter_map(|text| text.strip_prefix(PREFIX));
    let mut text = String::new();
    for (number, part) in parts.enumerate() {
        match part.split_once(':') {
            Some((said, part)) if said.parse() == Ok(number) => text.push_str(part),
            _ => bail!("part {number} is not where it belongs"),
        }
    }
    if text.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&text).context("they are not as the README says")
}

/// Tries every way until one opens the object; each refusal is told. The answer is the secret, when there is one.
pub fn unseal<T: Read + Write>(
    tpm: &mut Tpm<T>,
    order: &Unseal,
    mut refused: impl FnMut(&dyn Display),
) -> Result<Option<Vec<u8>>, TpmError> {
    let direct = [Vec::new()];
    let paths = if order.paths.is_empty() {
        direct.as_slice()
    } else {
        &order.paths
    };
    for path in paths {
        let session = tpm.start_policy()?;
        let outcome = attempt(tpm, order, path, session);
        match outcome {
            Ok(secret) => return Ok(Some(secret)),
            Err(refusal @ TpmError::Refused { .. }) => {
                refused(&refusal);
                tpm.end(session)?;
            }
            Err(other) => return Err(other),
        }
    }
    Ok(None)
}

fn attempt<T: Read + Write>(
    tpm: &mut Tpm<T>,
    order: &Unseal,
    path: &[usize],
    session: Session,
) -> Result<Vec<u8>, TpmError> {
    tpm.policy_pcr(session, order.bank, &order.pcrs)?;
    for node in path {
        let branches = order.nodes.get(*node).cloned().unwrap_or_default();
        let branches: Vec<Vec<u8>> = branches.into_iter().map(|Hex(bytes)| bytes).collect();
        tpm.policy_or(session, &branches)?;
    }
    if let Some(signed) = &order.signed {
        authorize(tpm, signed, session)?;
    }
    tpm.unseal(order.handle, session)
}

fn authorize<T: Read + Write>(
    tpm: &mut Tpm<T>,
    signed: &Signed,
    session: Session,
) -> Result<(), TpmError> {
    let Hex(approved) = &signed.policy;
    let Hex(reference) = &signed.reference;
    let key = tpm.load_public(&signed.public.0)?;
    // Part 3, section 23.16.1: what is signed is the digest of both.
    let digest = Sha256::new()
        .chain_update(approved)
        .chain_update(reference)
        .finalize();
    let outcome = tpm
        .verify(&key, &digest, &signed.signature.0)
        .and_then(|ticket| tpm.policy_authorize(session, approved, reference, &key, &ticket));
    tpm.unload(key)?;
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn parts_are_put_together_among_other_strings() {
        let orders = read(&strings(&[
            "io.systemd.stub.kernel-cmdline-extra=x",
            r#"touchstone.orders=0:[{"extend":{"pcr":11,"#,
            r#"touchstone.orders=1:"word":"enter-initrd"}}]"#,
        ]));
        let orders = orders.unwrap();
        assert!(matches!(&orders[..], [Order::Extend(extend)] if extend.word == "enter-initrd"));
        assert!(read(&strings(&["other"])).unwrap().is_empty());
    }

    #[test]
    fn a_lost_part_and_an_unknown_order_are_errors() {
        for wrong in [
            r#"touchstone.orders=1:[]"#,
            r#"touchstone.orders=[]"#,
            r#"touchstone.orders=0:[{"erase":{}}]"#,
            r#"touchstone.orders=0:[{"unseal":{"handle":1,"bank":11,"pcrs":[7],"nodes":[["0"]]}}]"#,
        ] {
            assert!(read(&strings(&[wrong])).is_err(), "{wrong}");
        }
    }
}
