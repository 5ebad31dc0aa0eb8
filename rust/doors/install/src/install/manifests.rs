//! The manifests by which stage 1 verifies what is installed: found, or signed for what boots next.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use touchstone_artifacts::HostFiles;
use touchstone_artifacts::closure_manifest::{ListClosure, SignClosure, add_known_signatures};
use touchstone_artifacts::manifest::SignManifest;
use touchstone_artifacts::progress::Progress;
use touchstone_esp::write_whole;
use touchstone_store::StorePath;
use touchstone_store::closure::Trusted;
use touchstone_store::manifest::ON_ROOT;
use touchstone_store::manifest::stream::Reader;

use super::candidates::Candidate;
use super::error::Incomplete;
use super::images::context;
use crate::Host;
use crate::generation::Boot;
use crate::settings::{Verify, is_agents};

/// How their names end.
const END: &str = "json";

/// The manifests of one run.
#[derive(Debug)]
pub struct Manifests {
    host: Host,
    /// Where those are made that are not on the machine yet.
    folder: PathBuf,
    /// By system: where the manifest is that goes to [`ON_ROOT`] when everything is planned.
    new: BTreeMap<StorePath, PathBuf>,
    notes: Vec<String>,
}

impl Manifests {
    /// None yet. Those that are made lie in `folder`, which is made when there is one.
    pub fn new(host: &Host, folder: PathBuf) -> Self {
        Self {
            host: host.clone(),
            folder,
            new: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// The file of the manifest of what is booted, which its initrd will accept. What boots next is signed if it is not yet, and if its
    /// configuration says by which key; nothing else ever is.
    ///
    /// # Errors
    /// [`Incomplete::Unverified`] when there is none; [`Incomplete::Operation`] when the closure is not what it should be.
    pub fn of(
        &mut self,
        boot: &Boot,
        verify: &Verify,
        next: bool,
        progress: &dyn Progress,
    ) -> Result<PathBuf, Incomplete> {
        let unverified = |fact: String| Incomplete::Unverified {
            toplevel: boot.toplevel.clone(),
            fact,
        };
        let toplevel = StorePath::parse(&boot.toplevel.to_string_lossy());
        let toplevel = toplevel.map_err(|error| unverified(error.to_string()))?;
        if let Some(made) = self.new.get(&toplevel) {
            return Ok(made.clone());
        }
        let stored = self.host.at(stored(&toplevel));
        // It was judged when it was put there.
        let accepted = match next {
            true => judged(&stored, &toplevel, verify),
            false => named(&stored, &toplevel),
        };
        if accepted.is_ok() {
            return Ok(stored);
        }
        let built = self.built(boot);
        let found = match &built {
            Some(built) if judged(built, &toplevel, verify).is_ok() => built.clone(),
            _ if next => self.made(&toplevel, verify, built.as_deref(), progress)?,
            _ => {
                let fact = "it was never installed with one".to_owned();
                return Err(unverified(fact));
            }
        };
        judged(&found, &toplevel, verify).map_err(unverified)?;
        self.new.insert(toplevel, found.clone());
        Ok(found)
    }

    /// The one that the generation itself holds, signed or not.
    fn built(&self, boot: &Boot) -> Option<PathBuf> {
        let place = self.host.resolve(boot.built_manifest()?).ok()?;
        place.is_file().then_some(place)
    }

    /// Hashes the closure, and signs it where there is a key. References and hashes are those that the generation holds, else those of the
    /// machine's registry or Nix' database; other signatures are those of all of them.
    fn made(
        &mut self,
        toplevel: &StorePath,
        verify: &Verify,
        built: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<PathBuf, Incomplete> {
        let unwritable = |source| Incomplete::Missing {
            file: self.folder.clone(),
            source,
        };
        std::fs::create_dir_all(&self.folder).map_err(unwritable)?;
        let output = self.folder.join(format!("{}.{END}", base(toplevel)));
        let built = built.map(|built| self.with_known_signatures(built, toplevel));
        let built = built.transpose()?;
        let built = built.as_deref();
        let list = ListClosure {
            toplevel: toplevel.clone(),
            root: Some(self.host.root().to_owned()),
            nix_database: None,
            signatures: None,
            manifest: built.map(Path::to_owned),
            class: verify.class.clone(),
            output: output.clone(),
        };
        // What others signed of a manifest as a whole stays.
        let whole = built.filter(|built| class_of(built).is_some_and(|of| Some(of) == list.class));
        match (&verify.key_file, whole) {
            (None, None) => list.run(&context(progress)).map(drop)?,
            (None, Some(built)) => {
                list.run(&context(progress))?;
                std::fs::copy(built, &output).map_err(unwritable)?;
            }
            (Some(key), whole) => self.signed(list, key, whole, progress)?,
        }
        Ok(output)
    }

    /// The generation's own manifest, with the signatures of the same paths that the machine knows: a build lists, and others may sign later.
    fn with_known_signatures(
        &self,
        built: &Path,
        toplevel: &StorePath,
    ) -> Result<PathBuf, Incomplete> {
        let output = self.folder.join(format!("{}.known.{END}", base(toplevel)));
        add_known_signatures(&HostFiles, built, self.host.root(), &output)?;
        Ok(output)
    }

    fn signed(
        &mut self,
        list: ListClosure,
        key: &Path,
        whole: Option<&Path>,
        progress: &dyn Progress,
    ) -> Result<(), Incomplete> {
        let key = match is_agents(key) {
            true => key.to_owned(),
            false => self.host.resolve(key).unwrap_or_else(|_| self.host.at(key)),
        };
        let output = list.output.clone();
        let sign = SignClosure {
            toplevel: list.toplevel,
            key: key.clone(),
            root: list.root,
            nix_database: list.nix_database,
            signatures: list.signatures,
            manifest: list.manifest,
            class: list.class.clone(),
            output: list.output,
        };
        let mut summary = sign.run(&context(progress))?;
        if let Some(built) = whole {
            let again = SignManifest {
                manifest: built.to_owned(),
                key,
                output,
            };
            summary = again.run(&context(progress))?;
        }
        let note = format!(
            "the {} paths of {} were hashed and signed",
            summary.paths, summary.toplevel
        );
        self.notes.push(note);
        Ok(())
    }

    /// What a person is told.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Puts what is new on the root file system: before any partition names it.
    ///
    /// # Errors
    /// The file, and what the system answered.
    pub fn publish(&self) -> Result<(), (PathBuf, io::Error)> {
        for (toplevel, made) in &self.new {
            let place = self.host.at(stored(toplevel));
            let copied = std::fs::read(made).and_then(|content| write_whole(&place, &content));
            copied.map_err(|error| (place, error))?;
        }
        Ok(())
    }
}

/// Removes the manifests of systems that no profile has any more. The answer names what could not be removed.
pub fn collect(host: &Host, candidates: &[Candidate]) -> Vec<String> {
    let folder = host.at(ON_ROOT);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        return Vec::new();
    };
    let boots = candidates.iter().flat_map(|one| &one.generation);
    let boots = boots.flat_map(|generation| &generation.boots);
    let needed: BTreeSet<&std::ffi::OsStr> =
        boots.filter_map(|boot| boot.toplevel.file_name()).collect();
    let files = entries.flatten().map(|entry| entry.path());
    let ours = files.filter(|file| file.extension().is_some_and(|end| end == END));
    let unneeded = ours.filter(|file| file.file_stem().is_none_or(|of| !needed.contains(of)));
    let removed = unneeded.filter_map(|file| {
        let error = std::fs::remove_file(&file).err()?;
        Some(format!("{} cannot be removed: {error}", file.display()))
    });
    removed.collect()
}

/// Where a system's manifest lies.
fn stored(toplevel: &StorePath) -> PathBuf {
    Path::new(ON_ROOT).join(format!("{}.{END}", base(toplevel)))
}

/// The last part of a store path.
fn base(toplevel: &StorePath) -> &str {
    toplevel.as_str().rsplit('/').next().unwrap_or_default()
}

/// Whether stage 1 will accept the manifest of a system.
fn judged(file: &Path, toplevel: &StorePath, verify: &Verify) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let (trust, class) = (verify.trust()?, verify.class.as_ref());
    let trusted = Trusted::from_manifest(BufReader::new(opened), &trust, toplevel, class);
    trusted.map(drop).map_err(|refused| refused.to_string())
}

/// Whether a file is the manifest of a system, which is all that is asked here.
fn named(file: &Path, toplevel: &StorePath) -> Result<(), String> {
    let opened = File::open(file).map_err(|error| error.to_string())?;
    let reader = Reader::new(BufReader::new(opened)).map_err(|error| error.to_string())?;
    match reader.head().toplevel == *toplevel {
        true => Ok(()),
        false => Err(format!("it is that of {}", reader.head().toplevel)),
    }
}

/// The machines that a manifest is for.
fn class_of(file: &Path) -> Option<touchstone_store::manifest::Class> {
    let reader = Reader::new(BufReader::new(File::open(file).ok()?)).ok()?;
    reader.head().class.clone()
}
