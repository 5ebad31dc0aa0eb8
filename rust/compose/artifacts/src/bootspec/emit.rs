//! `bootspec.emit`: the Bootspec document of a generation, v2 beside v1.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use touchstone_bootspec::{BesideV1, Document, Extensions, Generation, Specialisation, V2, emit};

use crate::request::Fields;
use crate::{Context, Error, output};

/// A generation: the fields of `org.nixos.bootspec.v2` and what stands beside them.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)] // as `V2` does, which is given every field that is none of these
pub struct DescribedGeneration {
    /// The core fields.
    #[serde(flatten)]
    pub core: V2,
    /// The specialisations by name.
    #[serde(default)]
    pub specialisations: BTreeMap<String, DescribedSpecialisation>,
    /// Other top-level objects of the document, by name.
    #[serde(default)]
    pub extensions: Extensions,
    /// Whether v1 stands beside v2.
    #[serde(default)]
    pub v1: BesideV1,
}

/// A specialisation: the fields of `org.nixos.bootspec.v2` and its extensions.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)] // as `V2` does, which is given every field that is none of these
pub struct DescribedSpecialisation {
    /// The core fields.
    #[serde(flatten)]
    pub core: V2,
    /// Other objects of the specialisation's document, by name.
    #[serde(default)]
    pub extensions: Extensions,
}

impl DescribedGeneration {
    /// The document, with `extensions` beside those of the description.
    ///
    /// # Errors
    /// [`Error::Bootspec`] when the description breaks a rule of the format.
    pub(crate) fn document(
        &self,
        extensions: Extensions,
    ) -> Result<(Document, Option<String>), Error> {
        let specialisations = self.specialisations.iter().map(|(name, one)| {
            let DescribedSpecialisation { core, extensions } = one.clone();
            let specialisation = Specialisation {
                core,
                beside: None,
                extensions,
            };
            (name.clone(), specialisation)
        });
        let generation = Generation {
            core: self.core.clone(),
            specialisations: specialisations.collect(),
        };
        let mut all = self.extensions.clone();
        all.extend(extensions);
        let emitted =
            emit(generation, all, self.v1).map_err(|source| Error::Bootspec { source })?;
        Ok((
            emitted.document,
            emitted.v1_left_out.map(|why| why.to_string()),
        ))
    }
}

/// The request of `bootspec.emit`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)] // as `V2` does, which is given every field that is none of these
pub struct EmitBootspec {
    /// The generation.
    #[serde(flatten)]
    pub generation: DescribedGeneration,
    /// Where the document is written as well.
    pub output: Option<PathBuf>,
}

impl<'de> Deserialize<'de> for DescribedGeneration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::read(deserializer)?;
        Ok(Self {
            specialisations: fields.take("specialisations")?,
            extensions: fields.take("extensions")?,
            v1: fields.take("v1")?,
            core: fields.rest()?,
        })
    }
}

impl<'de> Deserialize<'de> for DescribedSpecialisation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::read(deserializer)?;
        Ok(Self {
            extensions: fields.take("extensions")?,
            core: fields.rest()?,
        })
    }
}

impl<'de> Deserialize<'de> for EmitBootspec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut fields = Fields::read(deserializer)?;
        Ok(Self {
            output: fields.take("output")?,
            generation: fields.rest()?,
        })
    }
}

/// The answer of `bootspec.emit`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EmittedBootspec {
    /// The document: `boot.json`.
    pub document: Value,
    /// Why v1 was left out, when it was asked for where possible and the generation cannot be described by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub v1_left_out: Option<String>,
}

impl EmitBootspec {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Bootspec`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<EmittedBootspec, Error> {
        let (document, v1_left_out) = self.generation.document(Extensions::new())?;
        if let Some(path) = &self.output {
            output::bytes(context.files, path, document.to_json().as_bytes())?;
        }
        Ok(EmittedBootspec {
            document: document.to_value(),
            v1_left_out,
        })
    }
}
