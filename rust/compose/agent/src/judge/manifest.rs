//! Manifests: path fingerprints of paths of this machine's own store, hashed anew.

use std::io::Read;
use std::panic::resume_unwind;
use std::thread;

use touchstone_nix_database::Known;
use touchstone_store::manifest::DOCUMENT_LIMIT;
use touchstone_store::{Entry, Manifest};

use super::Store;
use super::inputs::Inputs;
use super::refuse::refuse;
use super::store::comes_from;
use crate::payload::{Payload, Reader};
use crate::policy::ManifestOperation;
use crate::protocol::Refusal;

/// Most threads that hash: with more of them the disk is the limit.
const THREADS_MAX: usize = 8;

/// Reads a manifest.
///
/// # Errors
/// [`Refusal`].
pub(super) fn read(document: &dyn Payload) -> Result<Manifest, Refusal> {
    let help = "make the manifest with touchstone, and hand it in as it was made";
    let mut bytes = Vec::new();
    let document = Reader::new(document).take(DOCUMENT_LIMIT as u64 + 1);
    let read = { document }.read_to_end(&mut bytes);
    read.map_err(|error| refuse("manifest.malformed", error.to_string(), help))?;
    Manifest::read(&bytes).map_err(|error| refuse("manifest.malformed", error.to_string(), help))
}

/// Sees that a manifest says of each path what Nix' database says, and that all of them come from where they may.
///
/// # Errors
/// [`Refusal`].
pub(super) fn judge(
    manifest: &Manifest,
    operation: &ManifestOperation,
    inputs: &Inputs,
) -> Result<(), Refusal> {
    if let Some(class) = manifest
        .class()
        .filter(|class| !operation.classes.contains(class))
    {
        return Err(refuse(
            "manifest.class",
            format!("the rule signs no manifest for the class {class}"),
            "add it to `classes` of the rule, or ask for a manifest of another class",
        ));
    }
    manifest.entries().try_for_each(|entry| {
        let known = inputs.get(&entry.path).ok_or_else(|| {
            refuse(
                "manifest.path",
                format!(
                    "{} is none of the inputs of the build that asks (or no valid path)",
                    entry.path
                ),
                "make the toplevel an input of the derivation that asks",
            )
        })?;
        same(entry, &known.info.entry)?;
        authentic(known, manifest, operation)
    })
}

/// Sees that a manifest and the database say the same of a path.
fn same(entry: &Entry, known: &Entry) -> Result<(), Refusal> {
    let differs = [
        ("hash", entry.nar_hash != known.nar_hash),
        ("size", entry.nar_size != known.nar_size),
        ("references", entry.references != known.references),
        ("content address", entry.ca != known.ca),
    ];
    match differs.into_iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((what, _)) => Err(refuse(
            "manifest.differs",
            format!(
                "the manifest says another {what} of {} than Nix' database does",
                entry.path
            ),
            "make the manifest anew on this machine",
        )),
    }
}

/// A path comes from where it may, or its name was made of its content and something authentic refers to it.
fn authentic(
    known: &Known,
    manifest: &Manifest,
    operation: &ManifestOperation,
) -> Result<(), Refusal> {
    let entry = &known.info.entry;
    let refused = match comes_from(known, &operation.origin) {
        Ok(()) => return Ok(()),
        Err(refusal) => refusal,
    };
    match entry.path != *manifest.toplevel() && matches!(entry.addressed(), Some(Ok(_))) {
        true => Ok(()),
        false => Err(refused),
    }
}

/// Hashes every path anew, in several threads.
///
/// # Errors
/// [`Refusal`], of several changed paths one of the first.
pub(super) fn rehash(manifest: &Manifest, store: &Store) -> Result<(), Refusal> {
    let entries: Vec<&Entry> = manifest.entries().collect();
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(THREADS_MAX);
    thread::scope(|scope| {
        let share = |number: usize| {
            let entries = &entries;
            move || {
                entries
                    .iter()
                    .skip(number)
                    .step_by(threads)
                    .try_for_each(|entry| store.rehash(entry))
            }
        };
        let running: Vec<_> = (1..threads)
            .map(|number| scope.spawn(share(number)))
            .collect();
        let own = share(0)();
        let others = running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        std::iter::once(own).chain(others).collect()
    })
}
