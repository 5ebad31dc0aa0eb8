//! One policy for a set of predicted outcomes.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::HEXLOWER;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{PcrSelection, PcrValues, PolicyDigest, PolicyError, PolicyTree};
use crate::bank::{Bank, Digest};
use crate::measurement::replay;
use crate::predict::Leaf;

/// What a machine's registers will hold in one of the ways in which its boot may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What it is called.
    pub name: String,
    /// The registers' values, all of one bank.
    pub values: BTreeMap<u32, Digest>,
}

impl Outcome {
    /// The outcome that a leaf of a prediction stands for, in these registers of this bank.
    ///
    /// # Errors
    /// [`PolicyError::NotPredicted`] when the leaf lacks one, [`PolicyError::Contradiction`] when its measurements do not
    /// make its values.
    pub fn of_leaf(
        name: &str,
        leaf: &Leaf,
        bank: Bank,
        pcrs: &BTreeSet<u32>,
    ) -> Result<Outcome, PolicyError> {
        let replayed = replay(bank, &leaf.measurements);
        let value = |pcr: &u32| {
            let banks = leaf.pcrs.get(pcr);
            let value = banks.and_then(|banks| banks.get(&bank)).copied();
            let value = value.ok_or_else(|| PolicyError::NotPredicted {
                name: name.to_owned(),
                pcr: *pcr,
                bank,
            })?;
            // PCR 0 begins with the locality from which the machine was started, which is no measurement.
            let checked = replayed.get(pcr).filter(|_| *pcr != 0);
            match checked.is_none_or(|replayed| *replayed == value) {
                true => Ok((*pcr, value)),
                false => Err(PolicyError::Contradiction {
                    name: name.to_owned(),
                    pcr: *pcr,
                }),
            }
        };
        Ok(Outcome {
            name: name.to_owned(),
            values: pcrs.iter().map(value).collect::<Result<_, _>>()?,
        })
    }
}

/// A policy that admits a set of outcomes and nothing else: PolicyPCR of each, and PolicyORs above them ([`PolicyTree`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct PcrPolicy {
    /// The policy: the `authPolicy` of what is sealed.
    pub policy: PolicyDigest,
    /// The hash of the policy session, and the `nameAlg` of what is sealed.
    pub hash: Bank,
    /// The registers' bank.
    pub bank: Bank,
    /// The registers.
    pub pcrs: Vec<u32>,
    /// `TPML_PCR_SELECTION` of bank and registers, in hex: what `TPM2_PolicyPCR` is given.
    pub selection: String,
    /// The names of the outcomes that are the machine as it runs; none when the policy was made without it.
    pub running: Vec<String>,
    /// The distinct outcomes, in the order of their `policyPcr`.
    pub branches: Vec<Branch>,
    /// The digests of the tree, level by level: first `policyPcr` of each branch, last the policy alone.
    pub tree: Vec<Vec<PolicyDigest>>,
}

/// An outcome that the policy admits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Branch {
    /// All that lead here, in the order in which they were given: outcomes with the same values are one branch.
    pub names: Vec<String>,
    /// The registers' values.
    pub values: BTreeMap<u32, Digest>,
    /// The session's digest after `TPM2_PolicyPCR` on a machine with these values.
    pub policy_pcr: PolicyDigest,
    /// The PolicyORs from there to the policy, in their order: for each, the digests that `TPM2_PolicyOR` is given.
    pub path: Vec<Vec<PolicyDigest>>,
}

impl PcrPolicy {
    /// The policy that admits these outcomes, all of the same registers; `running` are the names of those that are the
    /// machine as it runs.
    ///
    /// # Errors
    /// [`PolicyError`]; see [`check_pcrs`] for the refusals of registers.
    pub fn new(
        hash: Bank,
        bank: Bank,
        outcomes: Vec<Outcome>,
        running: Vec<String>,
    ) -> Result<PcrPolicy, PolicyError> {
        let first = outcomes.first().ok_or(PolicyError::NoAlternative)?;
        let pcrs: BTreeSet<u32> = first.values.keys().copied().collect();
        check_pcrs(bank, &pcrs)?;
        let selection = PcrSelection::new([(bank, pcrs.clone())])?;
        let mut names = BTreeSet::new();
        let mut found: BTreeMap<PolicyDigest, Branch> = BTreeMap::new();
        for Outcome { name, values } in outcomes {
            if !names.insert(name.clone()) {
                return Err(PolicyError::NameTwice(name));
            }
            if !values.keys().eq(&pcrs) {
                return Err(PolicyError::OtherPcrs(name));
            }
            let wanted = PcrValues::new(selection.clone(), |_, pcr| values.get(&pcr).copied())?;
            let policy_pcr = PolicyDigest::start(hash)?.pcr(&wanted);
            let branch = found.entry(policy_pcr).or_insert_with(|| Branch {
                names: Vec::new(),
                values,
                policy_pcr,
                path: Vec::new(),
            });
            branch.names.push(name);
        }
        let tree = PolicyTree::new(found.keys().copied())?;
        let with_path = |mut branch: Branch| {
            branch.path = tree
                .path(&branch.policy_pcr)
                .ok_or(PolicyError::NoAlternative)?;
            Ok(branch)
        };
        let branches: Result<Vec<Branch>, PolicyError> =
            found.into_values().map(with_path).collect();
        Ok(PcrPolicy {
            policy: tree.root().ok_or(PolicyError::NoAlternative)?,
            hash,
            bank,
            pcrs: pcrs.into_iter().collect(),
            selection: HEXLOWER.encode(&selection.to_bytes()),
            running,
            branches: branches?,
            tree: tree.levels().to_vec(),
        })
    }

    /// Whether every digest is what the values make: a policy is read from a file that others may have written.
    ///
    /// # Errors
    /// [`PolicyError::Altered`], or what [`PcrPolicy::new`] refuses.
    pub fn check(&self) -> Result<(), PolicyError> {
        let outcomes = self.branches.iter().flat_map(|branch| {
            branch.names.iter().map(|name| Outcome {
                name: name.clone(),
                values: branch.values.clone(),
            })
        });
        let made = PcrPolicy::new(
            self.hash,
            self.bank,
            outcomes.collect(),
            self.running.clone(),
        )?;
        for (same, what) in [
            (made.pcrs == self.pcrs, "the list of PCRs"),
            (made.selection == self.selection, "the selection"),
            (made.branches == self.branches, "a branch"),
            (made.tree == self.tree, "the tree"),
            (made.policy == self.policy, "the policy"),
        ] {
            if !same {
                return Err(PolicyError::Altered(what));
            }
        }
        Ok(())
    }

    /// The branch that admits a machine with these values, where one does.
    pub fn admits(&self, values: &BTreeMap<u32, Digest>) -> Option<&Branch> {
        let holds = |(pcr, value): (&u32, &Digest)| values.get(pcr) == Some(value);
        self.branches
            .iter()
            .find(|branch| branch.values.iter().all(holds))
    }
}

/// Whether a policy over these registers of this bank protects anything.
///
/// # Errors
/// [`PolicyError::WeakBank`], [`PolicyError::NoPcr`], [`PolicyError::Pcr11Alone`], [`PolicyError::Resettable`].
pub fn check_pcrs(bank: Bank, pcrs: &BTreeSet<u32>) -> Result<(), PolicyError> {
    if bank == Bank::Sha1 {
        return Err(PolicyError::WeakBank);
    }
    if pcrs.is_empty() {
        return Err(PolicyError::NoPcr);
    }
    if pcrs.iter().eq([&11]) {
        return Err(PolicyError::Pcr11Alone);
    }
    match pcrs.iter().find(|pcr| [16, 23].contains(*pcr)) {
        Some(pcr) => Err(PolicyError::Resettable(*pcr)),
        None => Ok(()),
    }
}
