//! The verdict on a closure.

use std::path::Path;

use super::check::{Progress, Settings, Store, lies};
use super::{Refused, Registry, Trusted};
use crate::StorePath;
use crate::manifest::Trust;

/// The verdict on a closure in a store: authentic as [`Trusted::from_registry`] says, and each path's content and rights as they must be.
///
/// `store` is the folder that holds the paths (`/nix/store` of the running system). `progress` is told, from several threads, how many
/// bytes of how many are hashed. What is read here can be exchanged before it is read again, by whoever can write to the disk.
///
/// # Errors
/// [`Refused`]; of several bad paths the first by name.
pub fn verify(
    toplevel: &StorePath,
    registry: &Registry,
    trust: &Trust,
    store: &Path,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<Trusted, Refused> {
    let trusted = Trusted::from_registry(toplevel, registry, trust)?;
    let store = Store::open(store)?;
    let told = |progress_now: Progress| progress(progress_now.bytes, progress_now.of_bytes);
    let lies = lies(&store, &trusted, &Settings::default(), &told);
    match lies.into_iter().next() {
        Some((_, refused)) => Err(refused),
        None => Ok(trusted),
    }
}
