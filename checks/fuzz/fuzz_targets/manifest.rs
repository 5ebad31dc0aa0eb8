//! Closure manifests: any bytes are read or refused; what was read is written as the same bytes. The same bytes as a graph by Nix: what is accepted is a manifest.
//!
//! Seeds: `closure` and `content-addressed` are manifests of small closures that Nix 2.26 built, signed with a key made of sevens; `graph` is
//! what Nix 2.26 gave to a build for the first; `empty` is a list of no paths.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_store::{Manifest, StorePath, json};

const TOPLEVEL: &str = "/nix/store/yalgpk1zi3y33qjj49m0f72qnhg5ka8j-p0";

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = Manifest::read(bytes) {
        assert_eq!(manifest.to_json().as_bytes(), bytes);
    }
    if let Ok(graph) = json::parse(bytes) {
        let toplevel = StorePath::parse(TOPLEVEL).expect("a store path");
        if let Ok(manifest) = Manifest::from_references_graph(toplevel, graph) {
            assert_eq!(Manifest::read(manifest.to_json().as_bytes()), Ok(manifest));
        }
    }
});
