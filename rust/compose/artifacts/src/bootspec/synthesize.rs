//! `bootspec.synthesize`: the document of a generation that was built without one.

use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_bootspec::{
    Additions, Document, SynthesizeError, UpgradeError, synthesize, upgrade,
};

use super::WrittenDocument;
use super::file::refused;
use super::toplevel::World;
use super::upgrade::program;
use crate::{Context, Error, output};

/// The request of `bootspec.synthesize`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct SynthesizeBootspec {
    /// The toplevel: a store path, or a link to one.
    pub toplevel: PathBuf,
    /// Whether v1 stands alone, without v2 beside it.
    #[serde(default)]
    pub v1_only: bool,
    /// Whether the program `append-initrd-secrets` has nothing to append: v2 cannot name it.
    #[serde(default)]
    pub without_initrd_secrets: bool,
    /// Where the document is written as well.
    pub output: Option<PathBuf>,
}

/// The answer of `bootspec.synthesize`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SynthesizedBootspec {
    /// The document.
    pub document: WrittenDocument,
}

/// The document of v1 of a toplevel without one, on a machine whose files lie elsewhere: `canonical` gives a path of the machine without
/// links in it, `at` where such a path lies.
///
/// # Errors
/// As [`SynthesizeBootspec::run`].
pub fn synthesized(
    toplevel: &Path,
    canonical: &dyn Fn(&Path) -> io::Result<PathBuf>,
    at: &dyn Fn(&Path) -> PathBuf,
) -> Result<Document, Error> {
    v1_of(toplevel, World { canonical, at })
}

fn v1_of(toplevel: &Path, world: World<'_>) -> Result<Document, Error> {
    let facts = world.toplevel(toplevel)?;
    synthesize(&facts).map_err(|error: SynthesizeError| refused(toplevel, error.into()))
}

impl SynthesizeBootspec {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::NoBootspec`] when the folder is no toplevel, has a document, or cannot be described by one; [`Error::Open`],
    /// [`Error::Text`], [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<SynthesizedBootspec, Error> {
        let v1 = v1_of(&self.toplevel, World::HERE)?;
        let document = if self.v1_only {
            v1
        } else {
            let program = program(self.without_initrd_secrets);
            upgrade(v1, Additions::default(), program)
                .map_err(|error: UpgradeError| refused(&self.toplevel, error.into()))?
        };
        let document = WrittenDocument(document);
        if let Some(path) = &self.output {
            output::bytes(context.files, path, document.text().as_bytes())?;
        }
        Ok(SynthesizedBootspec { document })
    }
}
