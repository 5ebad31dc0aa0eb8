//! `bootspec.upgrade`: v2 beside the v1 of a document.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::{Additions, SecretsProgram, UpgradeError, upgrade};
use touchstone_store::StoreFile;

use super::file::{read_with_extensions, refused};
use super::{NoBootspec, WrittenDocument};
use crate::{Context, Error, output};

/// The request of `bootspec.upgrade`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UpgradeBootspec {
    /// The document: a file, or a toplevel that holds a `boot.json`.
    pub file: PathBuf,
    /// More initrds of the generation, loaded after v1's.
    #[serde(default)]
    pub initrds: Vec<PathBuf>,
    /// A directory of device trees.
    pub fdtdir: Option<PathBuf>,
    /// One device tree, overlays applied.
    pub devicetree: Option<PathBuf>,
    /// Whether the program that v1 names in `initrdSecrets` has nothing to append: v2 cannot name it.
    #[serde(default)]
    pub without_initrd_secrets: bool,
    /// Where the document is written; may be the file itself.
    pub output: Option<PathBuf>,
}

/// The answer of `bootspec.upgrade`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpgradedBootspec {
    /// The document. In the file that is written, extensions are what they were to the byte; here, their numbers are 64-bit ones.
    pub document: WrittenDocument,
}

impl UpgradeBootspec {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::NoBootspec`] when the file is no document, or v2 cannot say what it says; [`Error::Open`], [`Error::Text`],
    /// [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<UpgradedBootspec, Error> {
        let (file, document) = read_with_extensions(context.files, &self.file)?;
        let refused = |error| refused(&file, error);
        let additions = self.additions().map_err(refused)?;
        let upgraded = upgrade(document, additions, program(self.without_initrd_secrets));
        let upgraded = upgraded.map_err(|error: UpgradeError| refused(error.into()))?;
        let document = WrittenDocument(upgraded);
        if let Some(path) = &self.output {
            output::bytes(context.files, path, document.text().as_bytes())?;
        }
        Ok(UpgradedBootspec { document })
    }

    fn additions(&self) -> Result<Additions, NoBootspec> {
        let initrds = self.initrds.iter();
        Ok(Additions {
            initrds: initrds
                .map(|path| stored("initrds", path))
                .collect::<Result<_, _>>()?,
            fdtdir: optional("fdtdir", self.fdtdir.as_deref())?,
            devicetree: optional("devicetree", self.devicetree.as_deref())?,
        })
    }
}

pub(super) fn program(without_initrd_secrets: bool) -> SecretsProgram {
    if without_initrd_secrets {
        SecretsProgram::AppendsNothing
    } else {
        SecretsProgram::Refused
    }
}

fn optional(what: &'static str, path: Option<&Path>) -> Result<Option<StoreFile>, NoBootspec> {
    path.map(|path| stored(what, path)).transpose()
}

fn stored(what: &'static str, path: &Path) -> Result<StoreFile, NoBootspec> {
    let refused = |fact| NoBootspec::Addition { what, fact };
    let Some(text) = path.to_str() else {
        return Err(refused(format!("{} is no text", path.display())));
    };
    StoreFile::parse(text).map_err(|error| refused(error.to_string()))
}
