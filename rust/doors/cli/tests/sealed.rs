//! Sealed generations, built by real Nix: what is in them, what is not, and what they start (docs/sealed.md).

mod builds;
mod contents;
mod keys;
mod launcher;
mod refusals;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::real_nix::RealNix;

/// Generation 2 and its specialisation, sealed.
const ATTRIBUTES: [&str; 2] = ["sealed.generation2", "sealed.rescue"];

/// A store with both.
struct Sealed {
    nix: RealNix,
    /// The store path of generation 2.
    generation: String,
    /// The store path of its specialisation.
    rescue: String,
}

impl Sealed {
    fn build() -> Sealed {
        let nix = RealNix::new();
        let [generation, rescue] = nix.build("store", &ATTRIBUTES).try_into().unwrap();
        Sealed {
            nix,
            generation,
            rescue,
        }
    }

    /// Where a path is, seen from outside of the store.
    fn on_host(&self, path: &str) -> PathBuf {
        self.nix.store("store").on_host(path)
    }

    /// A JSON document of a sealed generation.
    fn json(&self, generation: &str, name: &str) -> Value {
        let file = self.on_host(generation).join(name);
        let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{file:?}: {error}"));
        serde_json::from_slice(&text).unwrap()
    }

    /// The inner toplevel of a sealed generation, by its own document.
    fn inner(&self, generation: &str) -> String {
        let document = self.json(generation, "boot.json");
        let core = &document["org.nixos.bootspec.v2"];
        core["toplevel"].as_str().unwrap().to_owned()
    }
}

/// What a link is to.
fn target(link: &Path) -> String {
    let target = std::fs::read_link(link).unwrap_or_else(|error| panic!("{link:?}: {error}"));
    target.display().to_string()
}
