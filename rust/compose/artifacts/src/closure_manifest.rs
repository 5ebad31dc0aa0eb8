//! `closure.manifest` and `closure.sign`: the manifest of a closure as it is in a store, hashed, and signed if asked.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::closure::{self, Refused, Registry, Settings, Store, Trusted};
use touchstone_store::manifest::Class;
use touchstone_store::{Manifest, PublicKey, SecretKey, StorePath, Trust};

pub use crate::closure_known::add_known_signatures;

use crate::closure_known::Known;
use crate::manifest::{ManifestSummary, NixKey, publish};
use crate::progress::in_a_thread;
use crate::{Context, Error, Files, Progress};

/// The request of `closure.manifest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ListClosure {
    /// The toplevel whose closure is listed.
    pub toplevel: StorePath,
    /// The folder below which `nix/store` lies; the running system when none is named.
    pub root: Option<PathBuf>,
    /// Nix' database, where hashes, references and signatures are found. Without it, `signatures` and `manifest`: the database of the
    /// store's own Nix, or the registry of a machine without Nix.
    pub nix_database: Option<PathBuf>,
    /// A folder of `.narinfo` files that says them.
    pub signatures: Option<PathBuf>,
    /// A manifest that says them.
    pub manifest: Option<PathBuf>,
    /// The machines that the manifest is for: it is of version 2 then, and signed as a whole, too.
    pub class: Option<Class>,
    /// Where the manifest is written.
    pub output: PathBuf,
}

/// The request of `closure.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignClosure {
    /// The toplevel whose closure is signed.
    pub toplevel: StorePath,
    /// The file of a Nix secret key, as `nix-store --generate-binary-cache-key` writes it, or `agent:…`. Never a store path.
    pub key: PathBuf,
    /// The folder below which `nix/store` lies; the running system when none is named.
    pub root: Option<PathBuf>,
    /// Nix' database, where hashes, references and signatures are found. Without it, `signatures` and `manifest`: the database of the
    /// store's own Nix, or the registry of a machine without Nix.
    pub nix_database: Option<PathBuf>,
    /// A folder of `.narinfo` files that says them.
    pub signatures: Option<PathBuf>,
    /// A manifest that says them.
    pub manifest: Option<PathBuf>,
    /// The machines that the manifest is for: it is of version 2 then, and signed as a whole, too.
    pub class: Option<Class>,
    /// Where the signed manifest is written.
    pub output: PathBuf,
}

impl ListClosure {
    /// Performs the operation. Signatures that are known are listed as they are; they are not judged.
    ///
    /// # Errors
    /// [`Error::Refused`] when something is unknown, or not in the store as it is known; [`Error::NixDatabase`], [`Error::Request`],
    /// [`Error::Open`], [`Error::Manifest`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<ManifestSummary, Error> {
        let known = Known {
            root: self.root.as_deref(),
            nix_database: self.nix_database.as_deref(),
            signatures: self.signatures.as_deref(),
            manifest: self.manifest.as_deref(),
        };
        let manifest = listed(
            context.files,
            &known,
            &self.toplevel,
            self.class.as_ref(),
            context.progress,
        )?;
        // What is compared must be signed. Nobody ever sees this signature.
        let nobody =
            SecretKey::from_seed("nobody", &[0; 32].into()).map_err(|error| Error::Key {
                key: "nobody".to_owned(),
                fact: error.to_string(),
                help: "",
            })?;
        let mut compared = manifest.clone();
        compared.sign(&nobody);
        compare(
            &known.store()?,
            &compared,
            nobody.public_key(),
            context.progress,
        )?;
        publish(context.files, &manifest, &self.output)
    }
}

impl SignClosure {
    /// Performs the operation: every path is hashed, and nothing is signed that is not what it is known as.
    ///
    /// # Errors
    /// Those of [`ListClosure::run`], and [`Error::Key`].
    pub fn run(&self, context: &Context<'_>) -> Result<ManifestSummary, Error> {
        let key = NixKey::open(&self.key, context)?;
        let known = Known {
            root: self.root.as_deref(),
            nix_database: self.nix_database.as_deref(),
            signatures: self.signatures.as_deref(),
            manifest: self.manifest.as_deref(),
        };
        let manifest = listed(
            context.files,
            &known,
            &self.toplevel,
            self.class.as_ref(),
            context.progress,
        )?;
        let manifest = key.sign(manifest)?;
        compare(
            &known.store()?,
            &manifest,
            key.public_key(),
            context.progress,
        )?;
        publish(context.files, &manifest, &self.output)
    }
}

/// What is known of a closure, as a manifest.
fn listed(
    files: &dyn Files,
    known: &Known<'_>,
    toplevel: &StorePath,
    class: Option<&Class>,
    progress: &dyn Progress,
) -> Result<Manifest, Error> {
    progress.phase("reading what is known of the closure");
    let registry = known.of(files, toplevel)?;
    let manifest = reached(toplevel, &registry).map_err(Error::refused)?;
    Ok(match class {
        Some(class) => manifest.for_class(class.clone()),
        None => manifest,
    })
}

fn reached(toplevel: &StorePath, registry: &Registry) -> Result<Manifest, Refused> {
    let mut entries = Vec::new();
    closure::walk([toplevel.clone()], |path, referrer| {
        let entry = registry.reached(path, referrer)?.entry;
        let references = entry.references.clone();
        entries.push(entry);
        Ok::<_, Refused>(references)
    })?;
    Ok(Manifest::new(toplevel.clone(), entries)?)
}

/// Whether a store holds what a manifest lists, all of which this key has signed.
fn compare(
    store: &Store,
    manifest: &Manifest,
    key: PublicKey,
    progress: &dyn Progress,
) -> Result<(), Error> {
    progress.phase("hashing the closure");
    let check = |progress: &(dyn Progress + Sync)| {
        let trust = Trust::new(vec![key.clone()], 1)?;
        let registry = Registry::manifest(manifest);
        let trusted = Trusted::from_registry(manifest.toplevel(), &registry, &trust)?;
        closure::check(store, &trusted, &Settings::default(), &|done| {
            progress.bytes(done.bytes, done.of_bytes);
        })
    };
    let checked = in_a_thread(progress, check);
    checked.map(drop).map_err(Error::refused)
}
