//! The closure manifest: which store paths a system is made of, each with its hash, references and signatures.
//!
//! The format is specified in `docs/manifest.md`.

mod class;
#[cfg(feature = "json")]
mod document;
mod line;
mod places;
#[cfg(feature = "json")]
mod sources;
pub mod stream;
mod verify;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;

pub use class::{Class, ClassError, Whole, whole_text};
#[cfg(feature = "json")]
pub use document::ReadError;
pub use line::Flaw;
pub use places::{CREDENTIAL, IN_IMAGE, ON_ROOT};
#[cfg(feature = "json")]
pub use sources::SourceError;
pub use verify::{Trust, VerifyError};

use crate::closure::walk;
use crate::{ContentAddress, NarHash, SecretKey, Signature, StorePath, fingerprint};

/// The versions of the format: without a class of machines, and with one.
pub const VERSIONS: [u64; 2] = [1, 2];
/// Longest line of a document in bytes, line feed included: some 15 000 references and as many signatures.
pub const LINE_LIMIT: usize = 1 << 21;
/// Longest document in bytes: some 60 000 paths.
pub const DOCUMENT_LIMIT: usize = 1 << 26;
/// Most paths of a closure.
pub const PATHS_LIMIT: usize = 1 << 17;
/// Most bytes of references of one path, so that its line is not too long.
const REFERENCES_LIMIT: usize = LINE_LIMIT / 2;

/// One store path of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path.
    pub path: StorePath,
    /// SHA-256 of its NAR.
    pub nar_hash: NarHash,
    /// Length of its NAR in bytes.
    pub nar_size: u64,
    /// The paths that it refers to, itself among them where it does.
    pub references: BTreeSet<StorePath>,
    /// Its content address, where Nix gave one.
    pub ca: Option<ContentAddress>,
    /// Signatures over its fingerprint, sorted by name; not yet verified.
    pub signatures: BTreeSet<Signature>,
}

impl Entry {
    /// The text that its signatures sign.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.path, &self.nar_hash, self.nar_size, &self.references)
    }

    /// Checks what every path of a store has.
    pub(crate) fn plausible(&self) -> Result<(), ClosureError> {
        if self.nar_size == 0 {
            return Err(ClosureError::NoSize(self.path.clone()));
        }
        let references = self.references.iter();
        let written: usize = references.map(|path| path.as_str().len() + 3).sum();
        match written > REFERENCES_LIMIT {
            true => Err(ClosureError::TooManyReferences(self.path.clone())),
            false => Ok(()),
        }
    }
}

/// A toplevel and its whole closure: complete, without repetition, nothing beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    toplevel: StorePath,
    entries: BTreeMap<StorePath, Entry>,
    whole: Option<Whole>,
}

/// Why a list of paths is not a toplevel's closure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClosureError {
    /// The toplevel is not in the list.
    #[error("the toplevel {0} is not among the paths")]
    ToplevelMissing(StorePath),
    /// A path comes twice.
    #[error("{0} comes twice: each path has one entry")]
    Twice(StorePath),
    /// A path is referred to and not in the list.
    #[error(
        "{path} refers to {missing}, which is not among the paths: the closure is not complete"
    )]
    Incomplete {
        /// The path that refers.
        path: StorePath,
        /// The path that is missing.
        missing: StorePath,
    },
    /// A path that the toplevel does not reach.
    #[error("{0} is among the paths but the toplevel does not refer to it, directly or indirectly")]
    Unreachable(StorePath),
    /// A NAR of no bytes does not exist, and Nix refuses to sign one.
    #[error("{0} has a NAR size of 0: no NAR is that short")]
    NoSize(StorePath),
    /// More references than a line of a manifest can have.
    #[error(
        "{0} refers to more paths than a manifest can list for one: at most {REFERENCES_LIMIT} bytes of them"
    )]
    TooManyReferences(StorePath),
    /// More than [`PATHS_LIMIT`] paths.
    #[error("there are more than {PATHS_LIMIT} paths, which no system has")]
    TooMany,
}

impl Manifest {
    /// A manifest of entries that are the toplevel's closure, exactly.
    pub fn new(
        toplevel: StorePath,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<Self, ClosureError> {
        let manifest = Self {
            entries: keyed(entries)?,
            toplevel,
            whole: None,
        };
        let reached = manifest.reach()?;
        match manifest.entries.keys().find(|path| !reached.contains(path)) {
            Some(path) => Err(ClosureError::Unreachable(path.clone())),
            None => Ok(manifest),
        }
    }

    /// A manifest of the part of the entries that the toplevel reaches.
    pub fn of_closure(
        toplevel: StorePath,
        entries: impl IntoIterator<Item = Entry>,
    ) -> Result<Self, ClosureError> {
        let mut manifest = Self {
            entries: keyed(entries)?,
            toplevel,
            whole: None,
        };
        let reached = manifest.reach()?;
        manifest.entries.retain(|path, _| reached.contains(path));
        Ok(manifest)
    }

    /// The same for a class of machines (version 2 of the format), not yet signed as a whole.
    #[must_use]
    pub fn for_class(self, class: Class) -> Self {
        let signatures = BTreeSet::new();
        let whole = Some(Whole { class, signatures });
        Self { whole, ..self }
    }

    /// Adds a signature over the whole that was made elsewhere; a manifest for no class has none. Whether it is good [`Manifest::verify_whole`]
    /// says.
    pub fn add_signature(&mut self, signature: Signature) {
        if let Some(whole) = &mut self.whole {
            whole.signatures.insert(signature);
        }
    }

    /// The machines that it is for, and signatures over the whole; none in version 1.
    pub fn whole(&self) -> Option<&Whole> {
        self.whole.as_ref()
    }

    /// The machines that it is for; none in version 1.
    pub fn class(&self) -> Option<&Class> {
        self.whole.as_ref().map(|whole| &whole.class)
    }

    /// The system that the manifest is of.
    pub fn toplevel(&self) -> &StorePath {
        &self.toplevel
    }

    /// The entries, in the order of their paths.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.values()
    }

    /// The sum of the NAR sizes in bytes. Sizes that nobody has are no reason to fail: it ends at the largest number.
    pub fn nar_size(&self) -> u64 {
        self.entries()
            .fold(0, |sum, entry| sum.saturating_add(entry.nar_size))
    }

    /// One path's entry.
    pub fn entry(&self, path: &StorePath) -> Option<&Entry> {
        self.entries.get(path)
    }

    /// Adds a key's signature to every entry, and to the whole where it is for a class of machines. The answer is how many entries did not have
    /// it before. Signing twice changes nothing.
    pub fn sign(&mut self, key: &SecretKey) -> usize {
        let signed = self.sign_by(|text| Ok::<_, Infallible>(key.sign(text)));
        signed.unwrap_or_else(|never| match never {})
    }

    /// The same with a key that somebody else holds: `sign` is handed each text that is to be signed.
    ///
    /// # Errors
    /// The first of `sign`; nothing has changed then.
    pub fn sign_by<E>(
        &mut self,
        mut sign: impl FnMut(&str) -> Result<Signature, E>,
    ) -> Result<usize, E> {
        let digest = self.digest();
        let whole = self
            .class()
            .map(|class| whole_text(&self.toplevel, class, digest));
        let whole = whole.map(|text| sign(&text)).transpose()?;
        let texts = self.entries().map(Entry::fingerprint);
        let made: Vec<Signature> = texts.map(|text| sign(&text)).collect::<Result<_, _>>()?;
        if let Some(signature) = whole {
            self.add_signature(signature);
        }
        let entries = self.entries.values_mut().zip(made);
        let added = entries.filter_map(|(entry, made)| entry.signatures.insert(made).then_some(()));
        Ok(added.count())
    }

    /// The paths that the toplevel reaches, all of which must be present.
    fn reach(&self) -> Result<BTreeSet<StorePath>, ClosureError> {
        let mut reached = BTreeSet::new();
        walk([self.toplevel.clone()], |path, referrer| {
            let absent = || match referrer {
                None => ClosureError::ToplevelMissing(path.clone()),
                Some(referrer) => ClosureError::Incomplete {
                    path: referrer.clone(),
                    missing: path.clone(),
                },
            };
            let entry = self.entries.get(path).ok_or_else(absent)?;
            reached.insert(path.clone());
            Ok(entry.references.clone())
        })?;
        Ok(reached)
    }
}

fn keyed(
    entries: impl IntoIterator<Item = Entry>,
) -> Result<BTreeMap<StorePath, Entry>, ClosureError> {
    let mut keyed = BTreeMap::new();
    for entry in entries {
        entry.plausible()?;
        if let Some(twice) = keyed.insert(entry.path.clone(), entry) {
            return Err(ClosureError::Twice(twice.path));
        }
    }
    if keyed.len() > PATHS_LIMIT {
        return Err(ClosureError::TooMany);
    }
    Ok(keyed)
}
