//! `manifest.create` and `manifest.sign`: the closure's store paths, their NAR hashes, and Nix signatures on them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchstone_store::manifest::{Class, DOCUMENT_LIMIT};
use touchstone_store::{Manifest, PublicKey, SecretKey, StorePath};

use crate::agent::AskedAgent;
use crate::signing_key::{KeyPolicy, refuse_store_path};
use crate::source::read_small;
use crate::{Context, Error, Files, output};

/// The request of `manifest.create`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct CreateManifest {
    /// The toplevel whose closure is listed.
    pub toplevel: String,
    /// The list that Nix' `exportReferencesGraph` gives: path, narHash, narSize and references of each path of the closure.
    pub closure: Value,
    /// The machines that the manifest is for: it is of version 2 then, and can be signed as a whole.
    pub class: Option<Class>,
    /// Where the manifest is written.
    pub output: PathBuf,
}

/// The request of `manifest.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SignManifest {
    /// The manifest.
    pub manifest: PathBuf,
    /// The file of a Nix secret key, as `nix-store --generate-binary-cache-key` writes it, or `agent:…`. Never a store path.
    pub key: PathBuf,
    /// Where the signed manifest is written.
    pub output: PathBuf,
}

/// The answer of `manifest.create` and `manifest.sign`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestSummary {
    /// The toplevel.
    pub toplevel: String,
    /// How many store paths are listed.
    pub paths: usize,
    /// The sum of their NAR sizes in bytes.
    pub nar_size: u64,
    /// The names of the keys by which every path is signed.
    pub signed_by: Vec<String>,
}

impl CreateManifest {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Manifest`] when the list is no complete closure of the toplevel, [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<ManifestSummary, Error> {
        context.progress.phase("listing the closure");
        let mut manifest = of_closure(&self.toplevel, &self.closure)?;
        if let Some(class) = &self.class {
            manifest = manifest.for_class(class.clone());
        }
        publish(context.files, &manifest, &self.output)
    }
}

impl SignManifest {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Manifest`] when the file is no manifest, [`Error::Key`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<ManifestSummary, Error> {
        let manifest = read(context.files, &self.manifest)?;
        let key = NixKey::open(&self.key, context)?;
        context.progress.phase("signing the closure");
        let manifest = key.sign(manifest)?;
        publish(context.files, &manifest, &self.output)
    }
}

/// Why there is no manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The toplevel is no store path.
    #[error("the toplevel: {0}")]
    Toplevel(#[from] touchstone_store::StorePathError),
    /// The list is no closure.
    #[error(transparent)]
    Source(#[from] touchstone_store::manifest::SourceError),
    /// The document is no manifest.
    #[error(transparent)]
    Document(#[from] touchstone_store::manifest::ReadError),
}

/// A manifest has at most this many bytes.
pub(crate) const MANIFEST_LIMIT: u64 = DOCUMENT_LIMIT as u64;
const KEY_LIMIT: u64 = 1 << 12;
/// In a Nix build only keys whose name begins so are opened.
const TEST_KEY_PREFIX: &str = "touchstone-test-";

/// The manifest of the toplevel's closure.
///
/// # Errors
/// [`Error::Manifest`].
pub(crate) fn of_closure(toplevel: &str, closure: &Value) -> Result<Manifest, Error> {
    let refused = |source| Error::Manifest { file: None, source };
    let toplevel = StorePath::parse(toplevel).map_err(|error| refused(error.into()))?;
    Manifest::from_references_graph(toplevel, closure.clone())
        .map_err(|error| refused(error.into()))
}

/// The manifest that a file holds.
///
/// # Errors
/// [`Error::Open`] and [`Error::Text`]; [`Error::Manifest`] when it is none.
pub(crate) fn read(files: &dyn Files, file: &Path) -> Result<Manifest, Error> {
    let bytes = read_small(files, "manifest", file, MANIFEST_LIMIT)?;
    Manifest::read(&bytes).map_err(|source| Error::Manifest {
        file: Some(file.to_owned()),
        source: source.into(),
    })
}

/// Who signs manifests.
pub(crate) enum NixKey<'a> {
    /// A key, now.
    Open(SecretKey),
    /// An agent, and the public half of its key.
    Agent(AskedAgent<'a>, PublicKey),
}

impl<'a> NixKey<'a> {
    /// Opens a Nix secret key, or finds the agent that holds it.
    ///
    /// # Errors
    /// [`Error::Key`] when it lies in the store, is malformed, or is refused by the context; [`Error::Agent`].
    pub(crate) fn open(key: &Path, context: &Context<'a>) -> Result<Self, Error> {
        let named = key.to_str().unwrap_or_default();
        match AskedAgent::of(named, context)? {
            None => open_key(context.files, key, context.keys).map(Self::Open),
            Some(agent) => {
                let public = agent.nix_public_key()?;
                Ok(Self::Agent(agent, public))
            }
        }
    }

    /// Its public half.
    pub(crate) fn public_key(&self) -> PublicKey {
        match self {
            Self::Open(key) => key.public_key(),
            Self::Agent(_, public) => public.clone(),
        }
    }

    /// The manifest, each path of it signed.
    ///
    /// # Errors
    /// [`Error::Agent`].
    pub(crate) fn sign(&self, mut manifest: Manifest) -> Result<Manifest, Error> {
        match self {
            Self::Open(key) => {
                manifest.sign(key);
                Ok(manifest)
            }
            Self::Agent(agent, public) => agent.manifest(&manifest, public),
        }
    }
}

/// Opens a Nix secret key.
///
/// # Errors
/// [`Error::Key`] when it lies in the store, is malformed, or is refused by `policy`.
pub fn open_key(files: &dyn Files, path: &Path, policy: KeyPolicy) -> Result<SecretKey, Error> {
    let refused = |fact: String, help| Error::Key {
        key: path.display().to_string(),
        fact,
        help,
    };
    refuse_store_path(files, path)?;
    let text = read_small(files, "Nix signing key", path, KEY_LIMIT)?;
    let key = std::str::from_utf8(&text)
        .map_err(|_| "it is not text".to_owned())
        .and_then(|text| SecretKey::parse(text.trim_end()).map_err(|error| error.to_string()))
        .map_err(|fact| {
            refused(
                fact,
                "name a file that nix-store --generate-binary-cache-key wrote",
            )
        })?;
    if policy == KeyPolicy::TestKeysOnly && !key.name().starts_with(TEST_KEY_PREFIX) {
        return Err(refused(
            "a private key must not enter a Nix build, and this one is not named as a test key"
                .to_owned(),
            "sign the manifest outside of the build with `touchstone run`, or name the key touchstone-test-…",
        ));
    }
    Ok(key)
}

/// Writes the manifest and says what it holds.
///
/// # Errors
/// [`Error::Write`].
pub(crate) fn publish(
    files: &dyn Files,
    manifest: &Manifest,
    path: &Path,
) -> Result<ManifestSummary, Error> {
    output::bytes(files, path, manifest.to_json().as_bytes())?;
    let mut signed_by: Option<BTreeSet<&str>> = None;
    for entry in manifest.entries() {
        let names = entry
            .signatures
            .iter()
            .map(|signature| signature.key_name())
            .collect();
        signed_by = Some(match signed_by {
            Some(all) => all.intersection(&names).copied().collect(),
            None => names,
        });
    }
    Ok(ManifestSummary {
        toplevel: manifest.toplevel().to_string(),
        paths: manifest.entries().len(),
        nar_size: manifest.entries().map(|entry| entry.nar_size).sum(),
        signed_by: signed_by
            .unwrap_or_default()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    })
}

#[cfg(test)]
mod tests;
