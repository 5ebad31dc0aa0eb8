//! Secrets in a TPM, sealed by tpm2-tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;
use touchstone_harness::Root;
use touchstone_harness::boot::{Bytes, Order, SoftTpm, Unseal};
use touchstone_measure::policy::{PcrPolicy, PolicyDigest};

/// What is sealed.
pub const SECRET: &[u8] = b"what only predicted machines know";

/// The first of the persistent handles, in the range of the owner (TCG Registry of Reserved TPM 2.0 Handles, section 2.3.1).
const FIRST: u32 = 0x8100_0040;

/// A TPM's state with secrets.
pub struct Vault {
    folder: TempDir,
    sealed: Vec<Sealed>,
}

/// What something is sealed to.
pub trait Policy {
    /// The object's policy digest.
    fn digest(&self) -> PolicyDigest;

    /// The ways by which a session gets there; for one order each.
    fn ways(&self) -> Vec<Unseal>;
}

/// One secret, and the ways to it.
pub struct Sealed {
    handle: u32,
    ways: Vec<Unseal>,
}

impl Vault {
    /// Seals the secret once under each policy, in a new TPM.
    pub fn seal(root: &Root, policies: &[&dyn Policy]) -> Result<Vault> {
        // Not below TMPDIR: the path of the TPM's socket has to stay short.
        let folder = tempfile::tempdir_in("/tmp")?;
        let state = folder.path().join("state");
        fs::create_dir(&state)?;
        let tpm = SoftTpm::start(root, folder.path(), &state)?;
        let mut sealed = Vec::new();
        for (policy, handle) in policies.iter().zip(FIRST..) {
            seal(&tpm, folder.path(), policy.digest(), handle)?;
            sealed.push(Sealed {
                handle,
                ways: policy.ways(),
            });
        }
        drop(tpm);
        Ok(Vault { folder, sealed })
    }

    /// The state, for a machine's TPM.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The secrets, in the order of the policies.
    pub fn sealed(&self) -> &[Sealed] {
        &self.sealed
    }
}

/// An object without an authorization value: its policy alone lets anybody at it.
fn seal(tpm: &SoftTpm<'_>, folder: &Path, policy: PolicyDigest, handle: u32) -> Result<()> {
    let path = |name: &str| folder.join(name).display().to_string();
    let (primary, public, private) = (path("primary"), path("public"), path("private"));
    let (object, digest, secret) = (path("object"), path("policy"), path("secret"));
    fs::write(&digest, policy.digest().as_bytes())?;
    fs::write(&secret, SECRET)?;
    let handle = format!("{handle:#x}");
    let create = ["-C", &primary, "-a", "fixedtpm|fixedparent", "-L", &digest];
    let create = [&create[..], &["-i", &secret, "-u", &public, "-r", &private]].concat();
    let load = ["-C", &primary, "-u", &public, "-r", &private, "-c", &object];
    for (program, arguments) in [
        ("tpm2_createprimary", &["-C", "o", "-c", &primary][..]),
        ("tpm2_create", &create),
        ("tpm2_load", &load),
        ("tpm2_evictcontrol", &["-C", "o", "-c", &object, &handle]),
    ] {
        tpm.run(program, arguments)?;
        // The next one reads from files what it needs: there is room for three objects.
        tpm.run("tpm2_flushcontext", &["--transient-object"])?;
    }
    Ok(())
}

impl Policy for PcrPolicy {
    fn digest(&self) -> PolicyDigest {
        self.policy
    }

    /// One order with every way through the tree, each once: an outcome's way begins with the node that it is in.
    fn ways(&self) -> Vec<Unseal> {
        let mut numbers: BTreeMap<&[PolicyDigest], usize> = BTreeMap::new();
        let mut nodes = Vec::new();
        let mut paths: Vec<Vec<usize>> = Vec::new();
        for branch in &self.branches {
            let path = branch.path.iter().map(|node| {
                *numbers.entry(node).or_insert_with(|| {
                    nodes.push(node.iter().map(bytes).collect());
                    nodes.len() - 1
                })
            });
            let path: Vec<usize> = path.collect();
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        vec![Unseal {
            handle: 0,
            bank: self.bank.algorithm(),
            pcrs: self.pcrs.clone(),
            nodes,
            paths,
            signed: None,
        }]
    }
}

impl Sealed {
    /// The order to unseal it, by its ways of this number.
    pub fn order(&self, number: usize) -> Result<Order> {
        let ways = self.ways.get(number).context("the policy has fewer ways")?;
        Ok(Order::Unseal(Unseal {
            handle: self.handle,
            ..ways.clone()
        }))
    }
}

fn bytes(digest: &PolicyDigest) -> Bytes {
    Bytes(digest.digest().as_bytes().to_vec())
}
