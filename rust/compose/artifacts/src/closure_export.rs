//! `closure.export`: a closure as one stream, or as the folder of a binary cache, for `closure.import` on another machine.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_store::closure::{Registry, references_first, stream, walk};
use touchstone_store::nar::{self, NarError};
use touchstone_store::narinfo::{Archive, Compression};
use touchstone_store::{Manifest, NarInfo, STORE_DIR, StorePath};

use crate::closure_import::place::{Place, signed};
use crate::closure_import::{ImportError, failed, refused};
use crate::manifest::MANIFEST_LIMIT;
use crate::source::read_small;
use crate::{Context, Error, Files, Progress, output};

/// The request of `closure.export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ExportClosure {
    /// The paths that are exported, with all that they refer to.
    pub toplevels: Vec<StorePath>,
    /// A signed manifest that says the hashes and signatures of them all.
    pub manifest: Option<PathBuf>,
    /// A folder of `.narinfo` files that says them, as `nix copy --to file://FOLDER` makes it. Without it and `manifest`: this machine's
    /// registry.
    pub signatures: Option<PathBuf>,
    /// Paths that the other machine has: they are left out, with all that they refer to.
    #[serde(default)]
    pub without: Vec<StorePath>,
    /// The folder below which `nix/store` lies; the running system when none is named.
    pub root: Option<PathBuf>,
    /// What is written.
    #[serde(default)]
    pub form: ExportForm,
    /// Where it is written: a file, or for a cache a folder that does not exist.
    pub output: PathBuf,
}

/// In which form a closure is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExportForm {
    /// One stream: what is said of all paths, then their NARs.
    #[default]
    Stream,
    /// The folder of a binary cache, not compressed, which Nix reads as well.
    Cache,
}

/// The answer of `closure.export`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportedClosure {
    /// How many paths were exported.
    pub paths: usize,
    /// The sum of their NAR sizes in bytes.
    pub nar_size: u64,
}

impl ExportClosure {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Closure`] when a path is unknown, unsigned or not what was signed; [`Error::Write`], [`Error::Exists`].
    pub fn run(&self, context: &Context<'_>) -> Result<ExportedClosure, Error> {
        let paths = self.paths(context.files)?;
        match self.form {
            ExportForm::Stream => output::file(context.files, &self.output, |out| {
                self.stream(&paths, out, context.progress).map_err(refused)
            })?,
            ExportForm::Cache => output::folder(context.files, &self.output, |folder| {
                self.cache(&paths, folder, context.progress)
                    .map_err(refused)
            })?,
        }
        Ok(summary(&paths))
    }

    /// Writes the stream to `out`, such as standard output, instead of to `output`.
    ///
    /// # Errors
    /// Those of [`ExportClosure::run`]. What was written then is no whole stream, and no import takes the path at which it ends.
    pub fn write_to(
        &self,
        out: &mut dyn Write,
        context: &Context<'_>,
    ) -> Result<ExportedClosure, Error> {
        let paths = self.paths(context.files)?;
        self.stream(&paths, out, context.progress)
            .map_err(refused)?;
        Ok(summary(&paths))
    }

    /// The paths that are exported, references before referrers.
    fn paths(&self, files: &dyn Files) -> Result<Vec<NarInfo>, Error> {
        let registry = self.registry(files)?;
        let chosen = || {
            let mut chosen = closure(&registry, &self.toplevels)?;
            for path in closure(&registry, &self.without)?.keys() {
                chosen.remove(path);
            }
            if let Some(info) = chosen
                .values()
                .find(|info| info.entry.signatures.is_empty())
            {
                return Err(ImportError::Unsigned(info.entry.path.clone()));
            }
            Ok(references_first(chosen.into_values())?)
        };
        chosen().map_err(refused)
    }

    fn registry(&self, files: &dyn Files) -> Result<Registry, Error> {
        match (&self.manifest, &self.signatures) {
            (Some(_), Some(_)) => Err(Error::Request {
                fact: "both a manifest and a folder of signatures are named".to_owned(),
                help: "name one of them",
            }),
            (None, Some(folder)) => Ok(Registry::folder(folder)),
            (None, None) => Ok(Place::below(self.root.as_deref()).registry()),
            (Some(file), None) => {
                let bytes = read_small(files, "manifest", file, MANIFEST_LIMIT)?;
                let manifest = Manifest::read(&bytes).map_err(|source| Error::Manifest {
                    file: Some(file.clone()),
                    source: source.into(),
                })?;
                Ok(Registry::manifest(&manifest))
            }
        }
    }

    fn stream(
        &self,
        paths: &[NarInfo],
        out: &mut dyn Write,
        progress: &dyn Progress,
    ) -> Result<(), ImportError> {
        progress.phase("exporting");
        let mut out = BufWriter::with_capacity(1 << 16, out);
        let index = stream::index(paths);
        let written = out.write_all(index.as_bytes());
        written.map_err(failed("writing", &self.output))?;
        self.each(paths, progress, &mut |info| {
            self.nar(info, &mut out, &self.output)
        })?;
        out.flush().map_err(failed("writing", &self.output))
    }

    fn cache(
        &self,
        paths: &[NarInfo],
        folder: &Path,
        progress: &dyn Progress,
    ) -> Result<(), ImportError> {
        progress.phase("exporting");
        let nars = folder.join("nar");
        fs::create_dir(&nars).map_err(failed("making", &nars))?;
        let about = folder.join("nix-cache-info");
        let text = format!("StoreDir: {STORE_DIR}\n");
        fs::write(&about, text).map_err(failed("writing", &about))?;
        self.each(paths, progress, &mut |info| {
            let hash = info.entry.nar_hash.to_base32();
            let url = format!("nar/{}.nar", hash.trim_start_matches("sha256:"));
            let file = folder.join(&url);
            let opened = File::create(&file).map_err(failed("writing", &file))?;
            let mut out = BufWriter::with_capacity(1 << 16, opened);
            self.nar(info, &mut out, &file)?;
            out.flush().map_err(failed("writing", &file))?;
            let said = folder.join(format!("{}.narinfo", info.entry.path.hash_part()));
            let text = in_a_cache(info, url).to_string();
            fs::write(&said, text).map_err(failed("writing", &said))
        })
    }

    /// Does something with each path, and shows how far it is.
    fn each(
        &self,
        paths: &[NarInfo],
        progress: &dyn Progress,
        work: &mut dyn FnMut(&NarInfo) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let total = total(paths);
        let mut done: u64 = 0;
        for info in paths {
            work(info)?;
            done = done.saturating_add(info.entry.nar_size);
            progress.bytes(done, total);
        }
        Ok(())
    }

    /// Writes a path's NAR, which must be what was signed.
    fn nar(&self, info: &NarInfo, out: &mut dyn Write, file: &Path) -> Result<(), ImportError> {
        let path = &info.entry.path;
        let place = Place::below(self.root.as_deref());
        let found = match nar::archive_path(&place.on_disk(path), out) {
            Err(NarError::Write(source)) => return Err(failed("writing", file)(source)),
            other => other?,
        };
        let signed = signed(info);
        match found == signed {
            true => Ok(()),
            false => Err(ImportError::Content {
                path: path.clone(),
                signed,
                found,
            }),
        }
    }
}

/// The paths and all that they refer to.
fn closure(
    registry: &Registry,
    toplevels: &[StorePath],
) -> Result<BTreeMap<StorePath, NarInfo>, ImportError> {
    let mut found = BTreeMap::new();
    walk(toplevels.iter().cloned(), |path, _| {
        let info = registry.get(path)?;
        let info = info.ok_or_else(|| ImportError::Unknown(path.clone()))?;
        let references = info.entry.references.clone();
        found.insert(path.clone(), info);
        Ok::<_, ImportError>(references)
    })?;
    Ok(found)
}

/// What a cache says of a path whose NAR is not compressed.
fn in_a_cache(info: &NarInfo, url: String) -> NarInfo {
    let archive = Archive {
        url,
        compression: Compression::None,
        file_hash: Some(info.entry.nar_hash),
        file_size: Some(info.entry.nar_size),
    };
    NarInfo {
        archive: Some(archive),
        ..info.clone()
    }
}

fn summary(paths: &[NarInfo]) -> ExportedClosure {
    ExportedClosure {
        paths: paths.len(),
        nar_size: total(paths),
    }
}

fn total(paths: &[NarInfo]) -> u64 {
    let sizes = paths.iter().map(|info| info.entry.nar_size);
    sizes.fold(0, u64::saturating_add)
}
