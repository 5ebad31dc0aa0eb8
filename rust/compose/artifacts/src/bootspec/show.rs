//! `bootspec.show`: what a document says, its newest version.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchstone_bootspec::{Core, Document, Extensions, Generation, Specialisation, V1, V2};

use super::file::read;
use crate::{Context, Error};

/// The request of `bootspec.show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ShowBootspec {
    /// The document: a file, or a toplevel that holds a `boot.json`.
    pub file: PathBuf,
}

/// The answer of `bootspec.show`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownBootspec {
    /// The versions that the document has; the newest one is shown.
    pub versions: Vec<u8>,
    /// The generation.
    pub generation: ShownGeneration,
    /// Its specialisations by name.
    pub specialisations: BTreeMap<String, ShownSpecialisation>,
    /// The extensions by name.
    pub extensions: BTreeMap<String, Value>,
}

/// What boots.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownGeneration {
    /// What a menu shows.
    pub label: String,
    /// Such as `x86_64-linux`.
    pub system: String,
    /// The toplevel.
    pub toplevel: String,
    /// The kernel.
    pub kernel: String,
    /// The initrds, in the order in which they are loaded.
    pub initrds: Vec<String>,
    /// The program that appends secrets to the initrd (v1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initrd_secrets: Option<String>,
    /// The directory of device trees (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fdtdir: Option<String>,
    /// The device tree (v2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devicetree: Option<String>,
    /// The whole command line, `init=` in front.
    pub command_line: String,
}

/// What boots instead.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShownSpecialisation {
    /// As of the generation itself.
    #[serde(flatten)]
    pub generation: ShownGeneration,
    /// Its own extensions by name.
    pub extensions: BTreeMap<String, Value>,
}

impl ShowBootspec {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::NoBootspec`], [`Error::Open`], [`Error::Text`].
    pub fn run(&self, context: &Context<'_>) -> Result<ShownBootspec, Error> {
        let (_, document) = read(context.files, &self.file)?;
        Ok(show(&document))
    }
}

fn show(document: &Document) -> ShownBootspec {
    let versions = [
        document.v1.is_some().then_some(1),
        document.v2.is_some().then_some(2),
    ];
    let (generation, specialisations) = match (&document.v1, &document.v2) {
        (_, Some(v2)) => shown(v2, of_v2),
        (Some(v1), None) => shown(v1, of_v1),
        (None, None) => Default::default(), // no document that was read has neither
    };
    ShownBootspec {
        versions: versions.into_iter().flatten().collect(),
        generation,
        specialisations,
        extensions: values(&document.extensions),
    }
}

type Shown = (ShownGeneration, BTreeMap<String, ShownSpecialisation>);

fn shown<C>(generation: &Generation<C>, core: fn(&C) -> ShownGeneration) -> Shown {
    let one = |(name, one): (&String, &Specialisation<C>)| {
        let shown = ShownSpecialisation {
            generation: core(&one.core),
            extensions: values(&one.extensions),
        };
        (name.clone(), shown)
    };
    let specialisations = generation.specialisations.iter().map(one).collect();
    (core(&generation.core), specialisations)
}

fn values(extensions: &Extensions) -> BTreeMap<String, Value> {
    let each = extensions.iter();
    each.map(|(name, one)| (name.to_owned(), one.to_value()))
        .collect()
}

fn of_v1(core: &V1) -> ShownGeneration {
    ShownGeneration {
        label: core.label.clone(),
        system: core.system.clone(),
        toplevel: core.toplevel.to_string(),
        kernel: core.kernel.to_string(),
        initrds: core.initrd.iter().map(ToString::to_string).collect(),
        initrd_secrets: core.initrd_secrets.as_ref().map(ToString::to_string),
        fdtdir: None,
        devicetree: None,
        command_line: core.command_line(),
    }
}

fn of_v2(core: &V2) -> ShownGeneration {
    ShownGeneration {
        label: core.label.clone(),
        system: core.system.clone(),
        toplevel: core.toplevel.to_string(),
        kernel: core.kernel.to_string(),
        initrds: core.initrds.iter().map(ToString::to_string).collect(),
        initrd_secrets: None,
        fdtdir: core.fdtdir.as_ref().map(ToString::to_string),
        devicetree: core.devicetree.as_ref().map(ToString::to_string),
        command_line: core.command_line(),
    }
}
