//! `closure.registration`: what is registered on a machine without Nix, as the list that Nix reads.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::closure::registration;

use crate::closure_import::place::Place;
use crate::closure_import::{ImportError, refused};
use crate::{Context, Error, output};

/// The request of `closure.registration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ListRegistered {
    /// The folder below which `nix/store` lies; the running system when none is named.
    pub root: Option<PathBuf>,
    /// Where the list is written as well.
    pub output: Option<PathBuf>,
}

/// The answer of `closure.registration`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredPaths {
    /// How many paths are registered.
    pub paths: usize,
    /// The list, in the form of `nix-store --dump-db`. It carries no signatures.
    pub registration: String,
}

impl ListRegistered {
    /// Performs the operation. Signatures are not looked at: what the list is worth, whoever loads it must know.
    ///
    /// # Errors
    /// [`Error::Closure`] when the registry cannot be read, [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<RegisteredPaths, Error> {
        context.progress.phase("reading what is registered");
        let registry = Place::below(self.root.as_deref()).registry();
        let infos = registry.all().map_err(ImportError::from).map_err(refused)?;
        let text = registration(&infos);
        if let Some(file) = &self.output {
            output::bytes(context.files, file, text.as_bytes())?;
        }
        Ok(RegisteredPaths {
            paths: infos.len(),
            registration: text,
        })
    }
}
