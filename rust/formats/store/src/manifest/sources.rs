//! Where manifests come from: the list that Nix gives to a build, or a store on a disk.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::{ClosureError, Entry, Manifest};
use crate::StorePath;
use crate::json::{JsonError, Object};
use crate::nar::{self, NarError};
use crate::path::STORE_DIR;

/// Why no manifest could be made.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The list is not what `exportReferencesGraph` gives.
    #[error("the references graph is malformed: {0}")]
    Graph(#[from] JsonError),
    /// Nix itself says that a path is not valid.
    #[error("the references graph says that {0} is not valid: build it first")]
    Invalid(StorePath),
    /// The paths are not the toplevel's closure.
    #[error(transparent)]
    Closure(#[from] ClosureError),
    /// A path could not be hashed.
    #[error(transparent)]
    Nar(#[from] NarError),
}

impl Manifest {
    /// The toplevel's closure out of the list that Nix writes for `exportReferencesGraph` (structured attributes).
    ///
    /// Hashes come in any form of [`NarHash`](crate::NarHash): `sha256:<base 32>` from every Nix so far, SRI accepted. Members that a later Nix
    /// may add are left alone. Paths that the toplevel does not reach (the graph of several roots) are left out.
    pub fn from_references_graph(toplevel: StorePath, graph: Value) -> Result<Self, SourceError> {
        let Value::Array(nodes) = graph else {
            return Err(JsonError::Kind {
                at: String::new(),
                key: "graph".to_owned(),
                expected: "a list of objects",
            }
            .into());
        };
        let entries = nodes
            .into_iter()
            .enumerate()
            .map(|(index, value)| node(index, value));
        Ok(Self::of_closure(
            toplevel,
            entries.collect::<Result<Vec<_>, _>>()?,
        )?)
    }

    /// The closure of a toplevel in a store on a disk: every path is hashed, none is taken on trust.
    ///
    /// `root` is the folder that holds `nix/store` (`/` for the running system); `paths` names each path and what it refers to.
    pub fn from_store_root(
        root: &Path,
        toplevel: StorePath,
        paths: impl IntoIterator<Item = (StorePath, BTreeSet<StorePath>)>,
    ) -> Result<Self, SourceError> {
        let store = root.join(STORE_DIR.trim_start_matches('/'));
        let hash = |(path, references): (StorePath, BTreeSet<StorePath>)| {
            let nar = nar::hash_path(&store.join(path.base_name()))?;
            Ok(Entry {
                path,
                nar_hash: nar.hash,
                nar_size: nar.size,
                references,
                ca: None,
                signatures: BTreeSet::new(),
            })
        };
        let entries = paths
            .into_iter()
            .map(hash)
            .collect::<Result<Vec<_>, SourceError>>()?;
        Ok(Self::new(toplevel, entries)?)
    }
}

fn node(index: usize, value: Value) -> Result<Entry, SourceError> {
    let mut object = Object::new(format!("graph[{index}]"), value)?;
    let path: StorePath = object.parsed("path")?;
    match object.optional("valid")? {
        None | Some(Value::Bool(true)) => {}
        Some(Value::Bool(false)) => return Err(SourceError::Invalid(path)),
        Some(_) => return Err(object.kind("valid", "true or false").into()),
    }
    let entry = Entry {
        path,
        nar_hash: object.parsed("narHash")?,
        nar_size: object.number("narSize")?,
        references: object.all_parsed("references")?.into_iter().collect(),
        ca: object.optional_parsed("ca")?,
        signatures: BTreeSet::new(),
    };
    // `closureSize` and what later versions add follow from the rest or do not matter here.
    drop(object.rest());
    Ok(entry)
}
