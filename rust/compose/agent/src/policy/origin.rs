//! Where store paths may come from.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::PublicKey;

/// Where a store path must come from. One of both suffices; none of both is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Origin {
    /// Nix public keys: one of them has signed the path as it lies on the disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_public_keys: Vec<PublicKey>,
    /// Whether it may have been built on this machine, whoever asked for that, or be named by its content, as what anybody may add is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub built_here: bool,
}

impl Origin {
    /// Whether nothing has such an origin.
    pub fn is_empty(&self) -> bool {
        self.trusted_public_keys.is_empty() && !self.built_here
    }
}
