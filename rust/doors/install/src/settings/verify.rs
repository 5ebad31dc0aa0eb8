//! What stage 1 of a system verifies it by, as far as the installer has to know.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use touchstone_artifacts::agent::AgentKey;
use touchstone_store::manifest::Class;
use touchstone_store::{PublicKey, Trust};

/// `verify`: the system's initrd verifies its closure before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Verify {
    /// Where the manifest lies.
    pub carrier: Carrier,
    /// The machines that the manifest must be signed for as a whole.
    #[serde(deserialize_with = "Option::deserialize")]
    pub class: Option<Class>,
    /// The Nix secret key by which this machine signs what it installs: a file, or `agent:NAME`.
    #[serde(deserialize_with = "Option::deserialize")]
    pub key_file: Option<PathBuf>,
    /// The keys, `name:base64`, that the initrd trusts.
    pub trusted_public_keys: Vec<String>,
    /// By how many of them each path must be signed.
    pub sigs_needed: usize,
}

/// Where a manifest lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Carrier {
    /// In the image, behind its initrds.
    Image,
    /// On the partition, beside the image.
    Esp,
    /// On the root file system; a sealed generation brings it along.
    Sealed,
}

/// Whether a key is named that an agent holds, and no file.
pub fn is_agents(key: &Path) -> bool {
    key.to_str().and_then(AgentKey::parse).is_some()
}

impl Verify {
    /// The key's file, where it lies in one.
    pub fn key_on_disk(&self) -> Option<&PathBuf> {
        self.key_file.as_ref().filter(|key| !is_agents(key))
    }

    /// The trust that the initrd has.
    ///
    /// # Errors
    /// Why it has none: a malformed key, or too few.
    pub fn trust(&self) -> Result<Trust, String> {
        let keys = self.trusted_public_keys.iter();
        let keys = keys.map(|key| PublicKey::parse(key.trim()).map_err(|error| error.to_string()));
        let keys = keys.collect::<Result<_, _>>()?;
        Trust::new(keys, self.sigs_needed).map_err(|error| error.to_string())
    }
}
