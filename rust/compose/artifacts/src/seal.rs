//! Sealed generations: `boot.artifacts` with `seal` makes a wrapper of the inner toplevel that holds the boot artifacts (docs/sealed.md).

mod agree;
mod error;
mod inner;
mod launcher;
mod specialisations;
mod wrap;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::SecretsProgram;
use touchstone_store::StorePath;

pub use self::error::SealError;
use self::inner::Inner;
use crate::generation::{BootArtifacts, MadeBootArtifacts, Maker, Places};
use crate::{Context, Error, output};

/// Makes the output a sealed generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Sealing {
    /// The store path at which the generation will lie: a build's own output.
    pub path: StorePath,
    /// The sealed generation of each specialisation of `bootspec`.
    #[serde(default)]
    pub specialisations: BTreeMap<String, StorePath>,
    /// The programs that the inner generation's document names for appending secrets to initrds (`initrdSecrets`) append nothing. A
    /// generation that names one is refused without this: nothing can be appended to the initrd in a UKI.
    #[serde(default)]
    pub without_initrd_secrets: bool,
    /// What the generation's `bin/switch-to-configuration` starts; needed where the inner generation has one.
    pub switch: Option<Switch>,
    /// The static program `touchstone-launcher`, for the system that the generation is for; needed with `switch`.
    pub launcher: Option<PathBuf>,
}

/// What the launcher starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Switch {
    /// The program, an absolute path: in NixOS `<inner>/bin/.switch-to-configuration-wrapped`.
    pub program: PathBuf,
    /// The variables that it is given.
    pub environment: BTreeMap<String, Variable>,
}

/// The value of a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a variable is a text or { \"$sealed\": true }, which stands for the sealed generation's path"
)]
pub enum Variable {
    /// The text itself.
    Text(String),
    /// The sealed generation's path.
    Sealed(SealedPath),
}

/// `{ "$sealed": true }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SealedPath {
    /// True.
    #[serde(rename = "$sealed")]
    pub sealed: bool,
}

/// Performs a request that has `seal`.
///
/// # Errors
/// See [`Error`]; the folder is not made then.
pub(crate) fn run(
    request: &BootArtifacts,
    sealing: &Sealing,
    context: &Context<'_>,
) -> Result<MadeBootArtifacts, Error> {
    context.progress.phase("reading the inner generation");
    let inner = Inner::read(context.files, request.bootspec.core.toplevel.as_ref())?;
    let specialisations = specialisations::sealed(context.files, request, sealing, &inner)?;
    let program = match sealing.without_initrd_secrets {
        true => SecretsProgram::AppendsNothing,
        false => SecretsProgram::Refused,
    };
    let request = agree::with_all_extensions(request, &inner, program, &specialisations)?;
    let launcher = launcher::of(
        context.files,
        sealing,
        &inner,
        &request.bootspec.core.system,
    )?;
    let elsewhere = specialisations.into_iter();
    let elsewhere = elsewhere.map(|(name, one)| (name, one.described)).collect();
    let maker = Maker::open(&request, context)?;
    output::folder(context.files, &request.output, |folder| {
        wrap::links(&inner, sealing, folder)?;
        if let Some(launcher) = &launcher {
            wrap::launcher(context.files, launcher, folder)?;
        }
        maker.make(&Places {
            artifacts: &folder.join(wrap::ARTIFACTS),
            document: folder,
            prefix: wrap::PREFIX,
            elsewhere,
            sealed: Some(sealing.path.clone()),
        })
    })
}
