//! `closure.import`: signed paths into the store of a machine that has no Nix.
//!
//! Everything that can be known beforehand is checked before a byte is written: signatures, references, compression, room. Then each
//! path is unpacked aside and hashed on the way, and goes into the store only when it is what was signed (`stage`).

mod error;
pub(crate) mod place;
mod plan;
mod source;
mod stage;
mod unpack;
mod writable;
mod zstd;

use std::io::{self, Read};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::{NarInfo, PublicKey, StorePath, Trust};

pub use error::ImportError;
pub(crate) use error::{failed, refused};
pub use unpack::UnpackError;

use crate::progress::{Progress, in_a_thread};
use crate::{Context, Error};
use place::Place;
use plan::{Doing, Plan, plan};
use source::Offer;
use stage::Stage;

/// The request of `closure.import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ImportClosure {
    /// Folders of binary caches (`.narinfo` files and NARs), or one stream that `closure.export` made: a file, or `-` for standard input.
    pub sources: Vec<PathBuf>,
    /// The keys that are trusted.
    pub trusted_public_keys: Vec<PublicKey>,
    /// How many different ones of them must have signed each path.
    #[serde(default = "one")]
    pub sigs_needed: usize,
    /// What is imported, with all that it refers to. Everything that is offered when nothing is named.
    #[serde(default)]
    pub paths: Vec<StorePath>,
    /// The folder below which `nix/store` lies, as of an image that is being made; the running system when none is named.
    pub root: Option<PathBuf>,
    /// Hash what is there already, and replace what is not what was signed.
    #[serde(default)]
    pub repair: bool,
}

fn one() -> usize {
    1
}

/// The answer of `closure.import`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImportedClosure {
    /// The paths that were unpacked and registered, in this order.
    pub imported: Vec<StorePath>,
    /// The paths that were in the store already, are what was signed, and were registered.
    pub adopted: Vec<StorePath>,
    /// How many of the paths that were asked for were registered before.
    pub present: usize,
    /// Bytes of NAR that were unpacked.
    pub nar_size: u64,
}

impl ImportClosure {
    /// Performs the operation. On a machine whose store is mounted read-only the store is remounted for this operation's own thread alone.
    ///
    /// # Errors
    /// [`Error::Closure`]: see [`ImportError`].
    pub fn run(&self, context: &Context<'_>) -> Result<ImportedClosure, Error> {
        let imported = in_a_thread(context.progress, |progress| self.import(progress));
        imported.map_err(refused)
    }

    fn import(&self, progress: &dyn Progress) -> Result<ImportedClosure, ImportError> {
        let trust = Trust::new(self.trusted_public_keys.clone(), self.sigs_needed)?;
        let place = Place::below(self.root.as_deref());
        place.without_nix()?;
        progress.phase("reading what is offered");
        let mut offer = Offer::open(&self.sources, &self.paths)?;
        let _lock = place.lock(progress)?;
        progress.phase("checking signatures and what is there");
        let plan = plan(&place, &offer, &trust, &self.paths, self.repair)?;
        if Stage::is_left(&place) || !plan.is_empty() {
            writable::ensure(&place.store)?;
        }
        if plan.is_empty() {
            // Of an import that was interrupted after its last path.
            stage::clear(&place)?;
        }
        work(&place, &mut offer, &plan, progress)
    }
}

/// Does what was planned.
fn work(
    place: &Place,
    offer: &mut Offer,
    plan: &Plan,
    progress: &dyn Progress,
) -> Result<ImportedClosure, ImportError> {
    let mut answer = ImportedClosure::default();
    let mut stage = match plan.is_empty() {
        true => None,
        false => Some(Stage::begin(place)?),
    };
    progress.phase("importing");
    for step in &plan.steps {
        let path = step.info.entry.path.clone();
        if let (true, Some(stage)) = (step.doing.unpacks(), &mut stage) {
            let replace = step.doing == Doing::Replace;
            let done = &mut answer.nar_size;
            unpack(offer, stage, &step.info, replace, &mut |bytes| {
                *done = done.saturating_add(bytes);
                progress.bytes(*done, plan.needed);
            })?;
            answer.imported.push(path);
            continue;
        }
        offer.skip(&step.info)?;
        match (step.doing, &mut stage) {
            (Doing::Adopt, Some(stage)) => {
                stage.adopt(&step.info)?;
                answer.adopted.push(path);
            }
            (Doing::Present, _) => answer.present += 1,
            _ => {}
        }
    }
    offer.end()?;
    if let Some(mut stage) = stage {
        progress.phase("writing everything to the disk");
        stage.publish()?;
    }
    Ok(answer)
}

fn unpack(
    offer: &mut Offer,
    stage: &mut Stage<'_>,
    info: &NarInfo,
    replace: bool,
    seen: &mut dyn FnMut(u64),
) -> Result<(), ImportError> {
    let mut counted = 0;
    offer.nar(info, &mut |input| {
        let mut input = Counted {
            input,
            unsaid: 0,
            seen,
        };
        let unpacked = stage.unpack(info, &mut input, replace);
        counted = input.unsaid;
        unpacked
    })?;
    seen(counted);
    Ok(())
}

/// A reader that tells how much was read, now and then.
struct Counted<'a> {
    input: &'a mut dyn Read,
    unsaid: u64,
    seen: &'a mut dyn FnMut(u64),
}

/// Bytes between two reports.
const REPORT: u64 = 1 << 20;

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.unsaid += count as u64;
        if self.unsaid >= REPORT {
            (self.seen)(std::mem::take(&mut self.unsaid));
        }
        Ok(count)
    }
}
