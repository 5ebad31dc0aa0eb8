//! From v1 to v2: the same document with v2 beside its v1.

use std::fmt;

use touchstone_store::StoreFile;

use crate::{Document, Extensions, Generation, INITRD_SECRETS, ReadError, Specialisation, V1, V2};

/// What v2 says beyond v1, of the generation itself. Its specialisations have their own documents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Additions {
    /// More initrds, loaded after v1's.
    pub initrds: Vec<StoreFile>,
    /// A directory of device trees.
    pub fdtdir: Option<StoreFile>,
    /// One device tree.
    pub devicetree: Option<StoreFile>,
}

/// What becomes of v1's `initrdSecrets`, the program that appends secrets to the initrd, for which v2 has no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SecretsProgram {
    /// A generation that names the program is refused, unless the extension `org.nixos.initrd-secrets.v1` stands in for it.
    #[default]
    Refused,
    /// The caller knows that the program has nothing to append.
    AppendsNothing,
}

/// Why a document was not upgraded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// v1 names a program that appends secrets, which v2 cannot.
    #[error("{} names a program that appends secrets to the initrd (`initrdSecrets`), which Bootspec v2 cannot say: name the secrets in \
             the extension `{INITRD_SECRETS}`, or, where there are none, say so", Whose(.specialisation))]
    InitrdSecrets {
        /// The specialisation, or none for the generation itself.
        specialisation: Option<String>,
    },
    /// There is a v2 already, and something was to be added to it.
    #[error(
        "the document has `org.nixos.bootspec.v2` already: initrds and device trees are added when v2 is made from v1, not afterwards"
    )]
    AlreadyV2,
    /// What was added breaks a rule of the document.
    #[error(transparent)]
    Invalid(#[from] ReadError),
}

/// The generation or a specialisation, in a sentence.
struct Whose<'a>(&'a Option<String>);

impl fmt::Display for Whose<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(formatter, "the specialisation `{}`", name.escape_debug()),
            None => formatter.write_str("the generation"),
        }
    }
}

/// Puts v2 beside v1, which stays as it is, as do all extensions.
///
/// A specialisation whose v1 has a v2 beside it (its own document was upgraded) keeps that v2, which moves to where v2 has its
/// specialisations; any other's is made from its v1. A document that has v2 comes out as it is.
///
/// # Errors
/// [`UpgradeError`].
pub fn upgrade(
    document: Document,
    additions: Additions,
    program: SecretsProgram,
) -> Result<Document, UpgradeError> {
    let (mut v1, extensions) = match document {
        Document {
            v1: Some(v1),
            v2: None,
            extensions,
        } => (v1, extensions),
        other if additions == Additions::default() => return Ok(other),
        _ => return Err(UpgradeError::AlreadyV2),
    };
    let mut core = up(None, &v1.core, &extensions, program)?;
    core.initrds.extend(additions.initrds);
    core.fdtdir = additions.fdtdir;
    core.devicetree = additions.devicetree;
    let specialisations = v1.specialisations.iter_mut().map(|(name, one)| {
        let core = match one.beside.take() {
            Some(core) => core,
            None => up(Some(name), &one.core, &one.extensions, program)?,
        };
        let specialisation = Specialisation {
            core,
            beside: None,
            extensions: one.extensions.clone(),
        };
        Ok((name.clone(), specialisation))
    });
    let specialisations = specialisations.collect::<Result<_, UpgradeError>>()?;
    let document = Document {
        v1: Some(v1),
        v2: Some(Generation {
            core,
            specialisations,
        }),
        extensions,
    };
    Ok(Document::read(document.to_json().as_bytes())?)
}

/// A core object in v2.
fn up(
    name: Option<&String>,
    core: &V1,
    extensions: &Extensions,
    program: SecretsProgram,
) -> Result<V2, UpgradeError> {
    let lost = core.initrd_secrets.is_some()
        && program == SecretsProgram::Refused
        && !extensions.contains(INITRD_SECRETS);
    if lost {
        return Err(UpgradeError::InitrdSecrets {
            specialisation: name.cloned(),
        });
    }
    Ok(V2 {
        system: core.system.clone(),
        init: core.init.clone(),
        initrds: core.initrd.iter().cloned().collect(),
        kernel: core.kernel.clone(),
        kernel_params: core.kernel_params.clone(),
        label: core.label.clone(),
        toplevel: core.toplevel.clone(),
        fdtdir: None,
        devicetree: None,
    })
}
