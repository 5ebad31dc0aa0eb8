//! What performing an operation does to the world, and what its answer depends on.

use schemars::JsonSchema;
use serde::Serialize;

/// What an operation reads and writes: what a door may offer of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The answer depends on nothing but the request and the files that it names, each by itself or by its folder, and nothing is written
    /// unless the request says where. No private key is opened.
    Value,
    /// Files are made, or signatures: of nothing but the request, and the files and keys that it names.
    Files,
    /// More of the machine is read or changed: randomness, a root, the paths of a store that nobody but a document or a link names.
    World,
}

impl Effect {
    /// The name: as in `touchstone schema`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Files => "files",
            Self::World => "world",
        }
    }
}
