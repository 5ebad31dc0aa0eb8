//! What may be signed: made by the judge alone.

use touchstone_measure::Bank;
use touchstone_measure::policy::PolicyDigest;
use touchstone_sign::authenticode::ImageDigest;
use touchstone_store::{Manifest, StorePath};

use super::PcrRequest;
use crate::log::{Digest, Subject};
use crate::protocol::KeyName;

/// What all have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Approval {
    key: KeyName,
    rule: String,
}

/// An image that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedImage {
    approval: Approval,
    digest: ImageDigest,
    boots: Vec<StorePath>,
}

/// Values of PCR 11 that may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedPolicies {
    approval: Approval,
    reference: Option<String>,
    profiles: Vec<Vec<(Bank, PolicyDigest)>>,
    boots: Vec<StorePath>,
}

/// A manifest whose paths may be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedManifest {
    approval: Approval,
    manifest: Manifest,
}

pub(super) fn image(
    key: &KeyName,
    rule: &str,
    digest: ImageDigest,
    boots: Vec<StorePath>,
) -> ApprovedImage {
    ApprovedImage {
        approval: Approval::new(key, rule),
        digest,
        boots,
    }
}

pub(super) fn policies(
    request: &PcrRequest<'_>,
    rule: &str,
    profiles: Vec<Vec<(Bank, PolicyDigest)>>,
    boots: Vec<StorePath>,
) -> ApprovedPolicies {
    ApprovedPolicies {
        approval: Approval::new(request.key, rule),
        reference: request.reference.map(str::to_owned),
        profiles,
        boots,
    }
}

pub(super) fn manifest(key: &KeyName, rule: &str, manifest: Manifest) -> ApprovedManifest {
    ApprovedManifest {
        approval: Approval::new(key, rule),
        manifest,
    }
}

impl Approval {
    fn new(key: &KeyName, rule: &str) -> Self {
        Self {
            key: key.clone(),
            rule: rule.to_owned(),
        }
    }
}

impl ApprovedImage {
    /// The key that signs.
    pub fn key(&self) -> &KeyName {
        &self.approval.key
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.approval.rule
    }

    /// The digest, which the judge computed.
    pub fn digest(&self) -> &ImageDigest {
        &self.digest
    }

    /// For the log: the image, and the systems that it boots.
    pub fn subjects(&self) -> Vec<Subject> {
        let digest = data_encoding::HEXLOWER.encode(self.digest.as_bytes());
        let image = Subject {
            what: "image".to_owned(),
            digest,
        };
        std::iter::once(image).chain(booted(&self.boots)).collect()
    }
}

impl ApprovedPolicies {
    /// The key that signs.
    pub fn key(&self) -> &KeyName {
        &self.approval.key
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.approval.rule
    }

    /// The policy reference that is signed with them.
    pub fn reference(&self) -> Option<&str> {
        self.reference.as_deref()
    }

    /// The policies of each profile, in the order of the image, each in the order of systemd-measure: banks by size, phase paths by their text.
    pub fn profiles(&self) -> &[Vec<(Bank, PolicyDigest)>] {
        &self.profiles
    }

    /// For the log: each policy once, and the systems whose values they are of.
    pub fn subjects(&self) -> Vec<Subject> {
        let mut subjects: Vec<Subject> = Vec::new();
        for (bank, policy) in self.profiles.iter().flatten() {
            let policy = Subject {
                what: format!("policy {}", bank.name()),
                digest: policy.digest().to_string(),
            };
            if !subjects.contains(&policy) {
                subjects.push(policy);
            }
        }
        subjects.extend(booted(&self.boots));
        subjects
    }
}

impl ApprovedManifest {
    /// The key that signs.
    pub fn key(&self) -> &KeyName {
        &self.approval.key
    }

    /// The rule that allows it.
    pub fn rule(&self) -> &str {
        &self.approval.rule
    }

    /// The manifest, every path of which was hashed anew.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// For the log: the toplevel with its NAR hash, and SHA-256 of all fingerprints, one a line.
    pub fn subjects(&self) -> Vec<Subject> {
        let toplevel = self.manifest.entry(self.manifest.toplevel());
        let toplevel = toplevel.map(|entry| Subject {
            what: entry.path.to_string(),
            digest: entry.nar_hash.to_string(),
        });
        let fingerprints = self
            .manifest
            .entries()
            .map(|entry| entry.fingerprint() + "\n");
        let fingerprints = Subject {
            what: format!("{} fingerprints", self.manifest.entries().len()),
            digest: Digest::of(fingerprints.collect::<String>().as_bytes()).to_string(),
        };
        toplevel.into_iter().chain([fingerprints]).collect()
    }
}

/// The systems that are booted: their names were made of what they are.
fn booted(systems: &[StorePath]) -> impl Iterator<Item = Subject> {
    systems.iter().map(|system| Subject {
        what: format!("boots {system}"),
        digest: system.hash_part().to_owned(),
    })
}
