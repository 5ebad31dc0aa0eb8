//! Derivation files (`.drv`): what a build was made of, read strictly.
//!
//! Whoever may use the daemon may write one, so that nothing in it is true for standing there; but its name was made of its content, and
//! what it names as inputs is what the sandbox of its build shows.
//!
//! Source: Nix manual, "Store Derivation and Deriving Path" and "ATerm" (behaviour of Nix 2.26). What a derivation is built *with* and what
//! the agent must not sign for is refused here already: outputs that are addressed by their content (they are built under another name than
//! theirs), inputs that only a build makes known, the network.

mod aterm;
mod features;

use std::collections::{BTreeMap, BTreeSet};

use touchstone_store::{StorePath, StorePathError};

use crate::protocol::SYSTEM_FEATURE;
use aterm::Reader;
pub use features::FeatureError;

/// Longest derivation file in bytes: that of a whole system has some ten thousand.
pub const LIMIT: usize = 16 << 20;
/// What the name of a derivation file ends with.
pub const SUFFIX: &str = ".drv";

/// What a derivation file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// Output name → where it will be.
    pub outputs: BTreeMap<String, Output>,
    /// Derivations whose outputs are inputs, with the names of these outputs.
    pub input_derivations: BTreeMap<StorePath, BTreeSet<String>>,
    /// Inputs that were there before.
    pub input_sources: BTreeSet<StorePath>,
    /// For which system it is built, such as `x86_64-linux`.
    pub system: String,
    /// The program that is the build, or `builtin:…`.
    pub builder: String,
    /// The attributes.
    environment: BTreeMap<String, Vec<u8>>,
}

/// An output of a derivation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Its path follows from the derivation.
    Addressed(StorePath),
    /// Its content was known before: the build may use the network.
    Fixed(StorePath),
    /// Its path is known when it has been built.
    Floating,
}

/// Why a file is no derivation that is read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DerivationError {
    /// Longer than [`LIMIT`].
    #[error("it has {0} bytes; at most {LIMIT} are read")]
    TooLong(usize),
    /// Something else than what Nix writes, from this byte on.
    #[error("it is not what Nix writes from byte {at} on: {wanted} is expected there")]
    Syntax {
        /// Counted from 0.
        at: usize,
        /// What should stand there.
        wanted: &'static str,
    },
    /// The format of dynamic derivations, whose inputs are made by builds.
    #[error("it is a dynamic derivation (its inputs are known only when they have been built)")]
    Dynamic,
    /// A text that must be UTF-8 is not.
    #[error("its {0} is no text")]
    NotText(&'static str),
    /// A path that is none.
    #[error("its {what}: {source}")]
    Path {
        /// What the path is.
        what: &'static str,
        /// Why it is none.
        source: StorePathError,
    },
    /// Nix writes lists in order, each element once.
    #[error("its {0} are not in order, or one is there twice: Nix does not write that")]
    Order(&'static str),
    /// No output.
    #[error("it has no output")]
    NoOutput,
    /// An input that is no derivation.
    #[error("its input derivation {0} is not named .drv")]
    InputName(StorePath),
}

impl Recipe {
    /// Reads a derivation file. Total: any bytes give a derivation or a named error.
    ///
    /// # Errors
    /// [`DerivationError`].
    pub fn read(bytes: &[u8]) -> Result<Self, DerivationError> {
        if bytes.len() > LIMIT {
            return Err(DerivationError::TooLong(bytes.len()));
        }
        let mut reader = Reader::new(bytes);
        reader.begin()?;
        let outputs = outputs(&mut reader)?;
        reader.comma()?;
        let input_derivations = input_derivations(&mut reader)?;
        reader.comma()?;
        let input_sources = input_sources(&mut reader)?;
        reader.comma()?;
        let system = text("system", reader.string()?)?;
        reader.comma()?;
        let builder = text("builder", reader.string()?)?;
        reader.comma()?;
        reader.list(|reader| reader.string().map(drop))?;
        reader.comma()?;
        let environment = environment(&mut reader)?;
        reader.finish()?;
        Ok(Self {
            outputs,
            input_derivations,
            input_sources,
            system,
            builder,
            environment,
        })
    }

    /// What is left when nobody asks for attributes any more: they can be as long as the file.
    #[must_use]
    pub fn without_attributes(self) -> Self {
        Self {
            environment: BTreeMap::new(),
            ..self
        }
    }

    /// An attribute as it stands in the file.
    pub fn attribute(&self, name: &str) -> Option<&[u8]> {
        self.environment.get(name).map(Vec::as_slice)
    }

    /// Whether the build may use the network or see more than its inputs: its outputs have a fixed content, or it asks to be built outside of
    /// the sandbox, or it says itself that it is impure.
    pub fn is_impure(&self) -> bool {
        let fixed = |output: &Output| matches!(output, Output::Fixed(_));
        self.outputs.values().any(fixed)
            || features::is_set(self, "__noChroot")
            || features::is_set(self, "__impure")
            || features::is_set(self, "__darwinAllowLocalNetworking")
    }

    /// Whether an output's path is known only when it has been built.
    pub fn is_floating(&self) -> bool {
        self.outputs
            .values()
            .any(|output| *output == Output::Floating)
    }

    /// Whether the build asks for the agent: whether it requires [`SYSTEM_FEATURE`].
    ///
    /// # Errors
    /// [`FeatureError`].
    pub fn asks_for_the_agent(&self) -> Result<bool, FeatureError> {
        Ok(features::required(self)?.contains(SYSTEM_FEATURE))
    }
}

impl Output {
    /// Where it will be, when that is known.
    pub fn path(&self) -> Option<&StorePath> {
        match self {
            Self::Addressed(path) | Self::Fixed(path) => Some(path),
            Self::Floating => None,
        }
    }
}

fn outputs(reader: &mut Reader<'_>) -> Result<BTreeMap<String, Output>, DerivationError> {
    let mut outputs = BTreeMap::new();
    reader.list(|reader| {
        reader.open()?;
        let name = text("output", reader.string()?)?;
        reader.comma()?;
        let at = reader.string()?;
        reader.comma()?;
        let method = reader.string()?;
        reader.comma()?;
        let hash = reader.string()?;
        reader.close()?;
        let output = output(at, &method, &hash)?;
        in_order(&mut outputs, "outputs", name, output)
    })?;
    match outputs.is_empty() {
        true => Err(DerivationError::NoOutput),
        false => Ok(outputs),
    }
}

fn output(at: Vec<u8>, method: &[u8], hash: &[u8]) -> Result<Output, DerivationError> {
    if at.is_empty() {
        return Ok(Output::Floating);
    }
    let at = path("output", at)?;
    match method.is_empty() && hash.is_empty() {
        true => Ok(Output::Addressed(at)),
        false => Ok(Output::Fixed(at)),
    }
}

fn input_derivations(
    reader: &mut Reader<'_>,
) -> Result<BTreeMap<StorePath, BTreeSet<String>>, DerivationError> {
    let mut inputs = BTreeMap::new();
    reader.list(|reader| {
        reader.open()?;
        let derivation = path("input derivation", reader.string()?)?;
        if !derivation.name().ends_with(SUFFIX) {
            return Err(DerivationError::InputName(derivation));
        }
        reader.comma()?;
        let mut names = BTreeMap::new();
        reader.list(|reader| {
            let name = text("name of an output", reader.string()?)?;
            in_order(&mut names, "names of outputs", name, ())
        })?;
        reader.close()?;
        let names = names.into_keys().collect();
        in_order(&mut inputs, "input derivations", derivation, names)
    })?;
    Ok(inputs)
}

fn input_sources(reader: &mut Reader<'_>) -> Result<BTreeSet<StorePath>, DerivationError> {
    let mut sources = BTreeMap::new();
    reader.list(|reader| {
        let source = path("input", reader.string()?)?;
        in_order(&mut sources, "inputs", source, ())
    })?;
    Ok(sources.into_keys().collect())
}

fn environment(reader: &mut Reader<'_>) -> Result<BTreeMap<String, Vec<u8>>, DerivationError> {
    let mut environment = BTreeMap::new();
    reader.list(|reader| {
        reader.open()?;
        let name = text("name of an attribute", reader.string()?)?;
        reader.comma()?;
        let value = reader.string()?;
        reader.close()?;
        in_order(&mut environment, "attributes", name, value)
    })?;
    Ok(environment)
}

/// Adds an element that is greater than all before it.
fn in_order<K: Ord, V>(
    all: &mut BTreeMap<K, V>,
    what: &'static str,
    key: K,
    value: V,
) -> Result<(), DerivationError> {
    if all.last_key_value().is_some_and(|(last, _)| *last >= key) {
        return Err(DerivationError::Order(what));
    }
    all.insert(key, value);
    Ok(())
}

fn text(what: &'static str, bytes: Vec<u8>) -> Result<String, DerivationError> {
    String::from_utf8(bytes).map_err(|_| DerivationError::NotText(what))
}

fn path(what: &'static str, bytes: Vec<u8>) -> Result<StorePath, DerivationError> {
    let text = text(what, bytes)?;
    StorePath::parse(&text).map_err(|source| DerivationError::Path { what, source })
}

#[cfg(test)]
mod tests;
