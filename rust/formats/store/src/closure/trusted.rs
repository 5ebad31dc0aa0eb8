//! What is to be hashed: paths of which every one is known to be what somebody trusted wanted.

use std::io::BufRead;

use super::graph::Graph;
use super::{Refused, Registry, Trust, judge, walk};
use crate::manifest::stream::{Head, Reader, StreamError};
use crate::manifest::{Class, VerifyError, Whole};
use crate::{Entry, NarHash, Proof, StorePath};

/// References and signatures of the entries that are in memory at the same time, one entry more or less.
const BATCH: usize = 1024;

/// A closure that is authentic: the toplevel and all that it reaches, each path with what it must hash to. Nothing is kept that hashing
/// does not need, so that the list of 5 000 paths takes about a megabyte.
///
/// There is no way to one but through signatures, see [`Trusted::from_manifest`] and
/// [`Trusted::from_registry`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    toplevel: StorePath,
    paths: Vec<Expected>,
}

/// What a path must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// The path.
    pub path: StorePath,
    /// SHA-256 of its NAR.
    pub nar_hash: NarHash,
    /// Length of its NAR in bytes.
    pub nar_size: u64,
    /// What must hold beside hash and size of the NAR.
    pub proof: Proof,
}

impl Trusted {
    /// The closure by a manifest, which is read as a stream and need not be trusted itself. No disk is looked at.
    ///
    /// Signatures must be as [`Trusted::from_registry`] says. With a class of machines the manifest as a whole must be signed for that class, by
    /// as many keys; without one it does not matter whether it is for a class.
    ///
    /// # Errors
    /// [`Refused`] when it is malformed, of another toplevel, for other machines, no complete closure, or not authentic.
    pub fn from_manifest(
        input: impl BufRead,
        trust: &Trust,
        toplevel: &StorePath,
        class: Option<&Class>,
    ) -> Result<Self, Refused> {
        let mut reader = Reader::new(input)?;
        wanted(reader.head(), toplevel, class)?;
        let (mut graph, mut paths) = (Graph::default(), Vec::new());
        loop {
            let entries = batch(&mut reader)?;
            if entries.is_empty() {
                break;
            }
            paths.extend(judge::all(&entries, toplevel, trust)?);
            for entry in &entries {
                graph.add(entry)?;
            }
        }
        let tail = reader.finish()?;
        if let Some(class) = class {
            let (class, signatures) = (class.clone(), tail.signatures);
            trust.check_whole(toplevel, &Whole { class, signatures }, tail.digest)?;
        }
        graph.is_closure_of(toplevel)?;
        let toplevel = toplevel.clone();
        Ok(Self { toplevel, paths })
    }

    /// The closure by what a registry says: the walk begins at the toplevel and follows authentic references only. No disk is looked at.
    ///
    /// The toplevel must be signed. What is reached must be signed, or have a content address that makes its name together with its references:
    /// then its content is all that is left to check, and its own references are as authentic as itself.
    ///
    /// # Errors
    /// [`Refused`] when something that is reached is unknown, or neither signed by enough trusted keys nor addressed by its content.
    pub fn from_registry(
        toplevel: &StorePath,
        registry: &Registry,
        trust: &Trust,
    ) -> Result<Self, Refused> {
        let mut paths = Vec::new();
        walk([toplevel.clone()], |path, referrer| {
            let entry = registry.reached(path, referrer)?.entry;
            paths.push(judge::one(&entry, toplevel, trust)?);
            Ok::<_, Refused>(entry.references)
        })?;
        paths.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        let toplevel = toplevel.clone();
        Ok(Self { toplevel, paths })
    }

    /// The toplevel.
    pub fn toplevel(&self) -> &StorePath {
        &self.toplevel
    }

    /// The toplevel and all that it reaches, in the order of the paths, each once.
    pub fn paths(&self) -> &[Expected] {
        &self.paths
    }

    /// The sum of the NAR sizes in bytes. Sizes that nobody has are no reason to fail: it ends at the largest number.
    pub fn nar_size(&self) -> u64 {
        self.paths
            .iter()
            .fold(0, |sum, path| sum.saturating_add(path.nar_size))
    }
}

/// Whether a manifest is the one that is wanted, by what its first line says.
fn wanted(head: &Head, toplevel: &StorePath, class: Option<&Class>) -> Result<(), Refused> {
    if head.toplevel != *toplevel {
        return Err(Refused::OtherToplevel {
            wanted: toplevel.clone(),
            found: head.toplevel.clone(),
        });
    }
    match class {
        Some(class) if head.class.as_ref() != Some(class) => Err(VerifyError::OtherClass {
            wanted: class.clone(),
            found: head.class.clone(),
        }
        .into()),
        _ => Ok(()),
    }
}

/// Some of the entries that follow; none at the end.
fn batch(reader: &mut Reader<impl BufRead>) -> Result<Vec<Entry>, StreamError> {
    let (mut entries, mut weight) = (Vec::new(), 0);
    while weight < BATCH {
        let Some(entry) = reader.entry()? else { break };
        weight += 1 + entry.references.len() + entry.signatures.len();
        entries.push(entry);
    }
    Ok(entries)
}
