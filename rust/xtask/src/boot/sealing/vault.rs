//! Secrets in a TPM, sealed by tpm2-tools.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
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

/// One secret, and every way to it.
pub struct Sealed(Unseal);

impl Vault {
    /// Seals the secret once under each policy, in a new TPM.
    pub fn seal(root: &Root, policies: &[&PcrPolicy]) -> Result<Vault> {
        // Not below TMPDIR: the path of the TPM's socket has to stay short.
        let folder = tempfile::tempdir_in("/tmp")?;
        let state = folder.path().join("state");
        fs::create_dir(&state)?;
        let tpm = SoftTpm::start(root, folder.path(), &state)?;
        let mut sealed = Vec::new();
        for (policy, handle) in policies.iter().zip(FIRST..) {
            seal(&tpm, folder.path(), policy.policy, handle)?;
            sealed.push(Sealed::of(policy, handle));
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

impl Sealed {
    /// Every way through the policy's tree, each once: an outcome's way begins with the node that it is in.
    fn of(policy: &PcrPolicy, handle: u32) -> Sealed {
        let mut numbers: BTreeMap<&[PolicyDigest], usize> = BTreeMap::new();
        let mut nodes = Vec::new();
        let mut paths: Vec<Vec<usize>> = Vec::new();
        for branch in &policy.branches {
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
        Sealed(Unseal {
            handle,
            bank: policy.bank.algorithm(),
            pcrs: policy.pcrs.clone(),
            nodes,
            paths,
            signed: None,
        })
    }

    /// The order to unseal it on any way.
    pub fn order(&self) -> Order {
        Order::Unseal(self.0.clone())
    }

    /// How many ways there are.
    pub fn ways(&self) -> usize {
        self.0.paths.len()
    }

    /// How many ways an order has.
    pub fn ways_of(order: &Order) -> usize {
        match order {
            Order::Unseal(unseal) => unseal.paths.len(),
            Order::Extend { .. } => 0,
        }
    }
}

fn bytes(digest: &PolicyDigest) -> Bytes {
    Bytes(digest.digest().as_bytes().to_vec())
}
