//! Derivation files: any bytes are read or refused. What was read has outputs and inputs that are store paths, each once; of the same text with
//! something behind it, or without its end, nothing is read.
//!
//! Seeds, as Nix 2.26 wrote them: `plain`; `structured`, which asks for the agent; `fixed`, whose content is known; `floating`, whose outputs are
//! addressed by their content; `dynamic`, whose inputs are made by builds, in the manner of Nix.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_agent::derivation::{Output, Recipe};

fuzz_target!(|bytes: &[u8]| {
    let Ok(recipe) = Recipe::read(bytes) else {
        return;
    };
    assert!(!recipe.outputs.is_empty());
    let paths = recipe.outputs.values().filter_map(Output::path);
    let inputs = recipe.input_derivations.keys().chain(&recipe.input_sources);
    assert!(
        paths
            .chain(inputs)
            .all(|path| path.as_str().starts_with("/nix/store/"))
    );
    assert!(
        recipe
            .input_derivations
            .keys()
            .all(|path| path.name().ends_with(".drv"))
    );
    let _ = (
        recipe.asks_for_the_agent(),
        recipe.is_impure(),
        recipe.is_floating(),
    );
    assert!(Recipe::read(&[bytes, b"\n"].concat()).is_err());
    assert!(Recipe::read(&bytes[..bytes.len() - 1]).is_err());
});
