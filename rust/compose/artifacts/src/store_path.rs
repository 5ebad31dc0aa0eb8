//! `store.path`: the parts of a store path's name. No file is read: what is named need not be there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::{STORE_DIR, StoreFile};

use crate::{Context, Error};

/// The request of `store.path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ParseStorePath {
    /// A store path, or what lies in one: `/nix/store/<hash>-<name>`, or that with `/…` behind it, without empty, `.` or `..` components.
    pub path: String,
}

/// The answer of `store.path`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParsedStorePath {
    /// The store's folder: `/nix/store`.
    pub store_dir: String,
    /// The store path itself.
    pub store_path: String,
    /// Its last component: `<hash>-<name>`.
    pub base_name: String,
    /// The hash part: 32 digits of Nix' base 32.
    pub hash_part: String,
    /// The name.
    pub name: String,
    /// What lies in it, from the store path on and without `/` at its beginning. The field is absent when the store path itself was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
}

impl ParseStorePath {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Request`] when it is no path of the store `/nix/store`.
    pub fn run(&self, _context: &Context<'_>) -> Result<ParsedStorePath, Error> {
        let file = StoreFile::parse(&self.path).map_err(|error| Error::Request {
            fact: format!("path: {error}"),
            help: "name a path as Nix prints it: /nix/store/<hash>-<name>, or a file below it",
        })?;
        let path = file.store_path();
        let rest = file.as_str().strip_prefix(path.as_str());
        let rest = rest.and_then(|rest| rest.strip_prefix('/'));
        Ok(ParsedStorePath {
            store_dir: STORE_DIR.to_owned(),
            store_path: path.as_str().to_owned(),
            base_name: path.base_name().to_owned(),
            hash_part: path.hash_part().to_owned(),
            name: path.name().to_owned(),
            rest: rest.map(str::to_owned),
        })
    }
}
