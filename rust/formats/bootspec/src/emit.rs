//! Writing the document of a generation: v2, and v1 beside it for readers that know no other.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Document, Extensions, Generation, INITRD_SECRETS, ReadError, Specialisation, V1, V2};

/// Whether v1 goes into the document beside v2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BesideV1 {
    /// It must: a generation that v1 cannot describe is refused.
    #[default]
    Required,
    /// It does where v1 can describe the generation; where it cannot, the answer says why it was left out.
    WherePossible,
    /// It does not.
    Never,
}

/// A document and what became of v1.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// The document.
    pub document: Document,
    /// Why v1 was left out although it was asked for where possible.
    pub v1_left_out: Option<Inexpressible>,
}

/// What v1 cannot say: a reader of v1 would boot something else than a reader of v2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inexpressible {
    /// More initrds than v1's one.
    Initrds {
        /// The specialisation, or none for the generation itself.
        specialisation: Option<String>,
        /// How many there are.
        count: usize,
    },
    /// A directory of device trees or one device tree.
    DeviceTree {
        /// The specialisation, or none for the generation itself.
        specialisation: Option<String>,
    },
    /// Secrets of the initrd, which v1 names by a program.
    InitrdSecrets {
        /// The specialisation, or none for the generation itself.
        specialisation: Option<String>,
    },
}

impl fmt::Display for Inexpressible {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (specialisation, what) = match self {
            Self::Initrds {
                specialisation,
                count,
            } => (
                specialisation,
                format!("{count} initrds where Bootspec v1 has one"),
            ),
            Self::DeviceTree { specialisation } => (
                specialisation,
                "a device tree, which Bootspec v1 does not have".to_owned(),
            ),
            Self::InitrdSecrets { specialisation } => (
                specialisation,
                format!("`{INITRD_SECRETS}`, which readers of Bootspec v1 do not know"),
            ),
        };
        match specialisation {
            Some(name) => write!(formatter, "the specialisation `{name}` has {what}"),
            None => write!(formatter, "the generation has {what}"),
        }
    }
}

/// Why no document was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EmitError {
    /// v1 is required and cannot describe the generation.
    #[error("{0}: leave v1 out, which is done only when asked, or change the generation")]
    Inexpressible(Inexpressible),
    /// An extension under a name that belongs to the core.
    #[error("the extension `{0}` has a name that belongs to Bootspec itself: give it another one")]
    ReservedExtension(String),
    /// What was given would not be a document.
    #[error(transparent)]
    Invalid(#[from] ReadError),
}

/// The document of a generation. Extensions at the top level are shared by both versions; a specialisation's own go into both.
///
/// What is written can be read: the same rules hold here as for [`Document::read`].
pub fn emit(
    generation: Generation<V2>,
    extensions: Extensions,
    v1: BesideV1,
) -> Result<Emitted, EmitError> {
    let every = std::iter::once(&extensions).chain(
        generation
            .specialisations
            .values()
            .map(|one| &one.extensions),
    );
    if let Some(name) = every
        .flat_map(Extensions::names)
        .find(|name| is_reserved(name))
    {
        return Err(EmitError::ReservedExtension(name.to_owned()));
    }
    let (v1, v1_left_out) = match (v1, down(&generation, &extensions)) {
        (BesideV1::Never, _) => (None, None),
        (_, Ok(v1)) => (Some(v1), None),
        (BesideV1::WherePossible, Err(why)) => (None, Some(why)),
        (BesideV1::Required, Err(why)) => return Err(EmitError::Inexpressible(why)),
    };
    let document = Document {
        v1,
        v2: Some(generation),
        extensions,
    };
    Ok(Emitted {
        document: Document::read(document.to_json().as_bytes())?,
        v1_left_out,
    })
}

fn is_reserved(key: &str) -> bool {
    key.starts_with("org.nixos.bootspec.") || key.starts_with("org.nixos.specialisation.")
}

/// The same generation in v1.
fn down(
    generation: &Generation<V2>,
    extensions: &Extensions,
) -> Result<Generation<V1>, Inexpressible> {
    let core = down_core(None, &generation.core, extensions)?;
    let down = |(name, one): (&String, &Specialisation<V2>)| {
        let core = down_core(Some(name), &one.core, &one.extensions)?;
        Ok((
            name.clone(),
            Specialisation {
                core,
                beside: None,
                extensions: one.extensions.clone(),
            },
        ))
    };
    let specialisations = generation.specialisations.iter().map(down);
    Ok(Generation {
        core,
        specialisations: specialisations.collect::<Result<BTreeMap<_, _>, _>>()?,
    })
}

fn down_core(
    name: Option<&String>,
    core: &V2,
    extensions: &Extensions,
) -> Result<V1, Inexpressible> {
    let specialisation = name.cloned();
    if core.initrds.len() > 1 {
        return Err(Inexpressible::Initrds {
            specialisation,
            count: core.initrds.len(),
        });
    }
    if core.fdtdir.is_some() || core.devicetree.is_some() {
        return Err(Inexpressible::DeviceTree { specialisation });
    }
    if extensions.contains(INITRD_SECRETS) {
        return Err(Inexpressible::InitrdSecrets { specialisation });
    }
    Ok(V1 {
        system: core.system.clone(),
        init: core.init.clone(),
        initrd: core.initrds.first().cloned(),
        initrd_secrets: None,
        kernel: core.kernel.clone(),
        kernel_params: core.kernel_params.clone(),
        label: core.label.clone(),
        toplevel: core.toplevel.clone(),
    })
}
