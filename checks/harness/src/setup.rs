//! Fills the cache: what is wanted, resolved by apt, fetched, unpacked and indexed.

mod batch;
mod plugin_host;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::cache::{self, Cache};
use crate::debian::{Apt, Package, Suite, mirror};
use crate::enter::Root;
use crate::fetch::fetch;
use crate::progress::Stage;
use crate::prune::Used;
use crate::python;
use crate::roots::{self, LAYOUT};
use crate::tss2::Tss2;
use crate::wanted::{COMPILER, EFI, LOOSE, ROOTS, TSS2, WantedRoot};
use batch::Batch;

/// What was resolved and unpacked for one wish: read again by the next run, so that it needs no network.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resolved {
    /// What was unpacked.
    pub packages: Vec<Package>,
    /// Where it is.
    pub folder: PathBuf,
}

/// How much of it a set-up prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What any check needs.
    Everything,
    /// What two generations of Debian 13 need to be built and booted.
    Generations,
}

impl Scope {
    fn suites(self) -> &'static [Suite] {
        match self {
            Scope::Everything => &[Suite::Bookworm, Suite::Trixie, Suite::Sid],
            Scope::Generations => &[Suite::Trixie],
        }
    }

    fn has_loose(self, architecture: &str) -> bool {
        self == Scope::Everything || architecture == "amd64"
    }
}

/// What is in the cache after [`Setup::run`].
#[derive(Debug, Default)]
pub struct Unpacked {
    /// Roots by suite.
    pub roots: BTreeMap<Suite, PathBuf>,
    /// Loose packages by suite, name and architecture.
    pub loose: BTreeMap<(Suite, &'static str, &'static str), PathBuf>,
    /// Folders with the PE files of packages with EFI programs, by suite.
    pub efi: BTreeMap<Suite, PathBuf>,
    /// The folder with interpreters.
    pub interpreters: Option<PathBuf>,
    /// The folder with Python's `lief`.
    pub lief: Option<PathBuf>,
    /// The folder with Python's `keylime`.
    pub keylime: Option<PathBuf>,
    /// What a person should know, one sentence each.
    pub notes: Vec<String>,
}

/// A set-up of the cache.
#[derive(Debug)]
pub struct Setup<'a> {
    cache: &'a Cache,
    refresh: bool,
    apts: BTreeMap<Suite, Apt>,
    notes: Vec<String>,
    used: Used,
}

impl<'a> Setup<'a> {
    /// A set-up of this cache; `refresh` asks the mirror for newer packages even where the cache is complete.
    #[must_use]
    pub fn new(cache: &'a Cache, refresh: bool) -> Setup<'a> {
        Setup {
            cache,
            refresh,
            apts: BTreeMap::new(),
            notes: Vec::new(),
            used: Used::default(),
        }
    }

    /// Fetches and unpacks what is missing.
    ///
    /// # Errors
    /// When a package cannot be had, but for suites that are optional: those are noted.
    pub fn run(&mut self, scope: Scope) -> Result<Unpacked> {
        let mut unpacked = Unpacked::default();
        for suite in scope.suites().iter().copied() {
            match self.suite(suite, scope, &mut unpacked) {
                Err(error) if suite.optional() => {
                    unpacked.roots.remove(&suite);
                    unpacked.efi.remove(&suite);
                    unpacked.loose.retain(|(of, _, _), _| *of != suite);
                    self.notes.push(format!(
                        "{}: not available, checks against it are left out: {error:#}",
                        suite.name()
                    ));
                }
                result => result.with_context(|| format!("packages of {}", suite.name()))?,
            }
        }
        if scope == Scope::Everything {
            let trixie = unpacked.roots.get(&Suite::Trixie);
            unpacked.lief = self.python("LIEF", python::lief, trixie);
            unpacked.keylime = self.python("Keylime", python::keylime, trixie);
        }
        unpacked.notes = std::mem::take(&mut self.notes);
        Ok(unpacked)
    }

    /// The folder with Python's packages of this title, or a note.
    fn python(
        &mut self,
        title: &str,
        fetch: fn(&Cache, &Root) -> Result<PathBuf>,
        trixie: Option<&PathBuf>,
    ) -> Option<PathBuf> {
        let root = trixie.context("there is no trixie root");
        match root.and_then(|root| fetch(self.cache, &Root::at(root))) {
            Ok(folder) => {
                self.used.folder(&folder);
                Some(folder)
            }
            Err(error) => {
                self.notes.push(format!(
                    "{title}: not available, checks against it are left out: {error:#}"
                ));
                None
            }
        }
    }

    /// Removes from the cache what this checkout no longer wants; the answer is how many files and folders those were. What was not
    /// available this time goes too.
    ///
    /// # Errors
    /// When a file cannot be removed, or what programs for TPMs are linked with is missing and cannot be had.
    pub fn prune(&mut self) -> Result<usize> {
        self.tss2()?;
        // Wanted by machines without a compiler alone: kept where it is.
        let compiler = self.root_record(&COMPILER)?;
        self.known(&compiler);
        self.used.prune(self.cache)
    }

    /// A root with a C++ compiler: only what fuzzes needs it, and only on a machine without one.
    ///
    /// # Errors
    /// When a package cannot be had.
    pub fn compiler(&mut self) -> Result<Root> {
        Ok(Root::at(self.root(&COMPILER)?))
    }

    /// What programs that speak to a TPM are linked and started with.
    ///
    /// # Errors
    /// When a package cannot be had.
    pub fn tss2(&mut self) -> Result<Tss2> {
        let mut wish = vec!["tss2", LAYOUT];
        wish.extend(TSS2);
        let batch = Batch {
            record: format!("tss2-{}.json", cache::key(wish)),
            suite: Suite::Bookworm,
            title: "tpm2-tss",
            prefix: "tss2-",
            unpack: roots::unpack,
        };
        let packages = self.batch(&batch, |_| {
            Ok(TSS2.iter().map(|name| (*name).to_owned()).collect())
        })?;
        let tss2 = Tss2::of(self.cache, &packages)?;
        self.used.folder(tss2.folder());
        Ok(tss2)
    }

    fn suite(&mut self, suite: Suite, scope: Scope, unpacked: &mut Unpacked) -> Result<()> {
        for root in ROOTS.iter().filter(|root| root.suite == suite) {
            unpacked.roots.insert(suite, self.root(root)?);
        }
        let loose = LOOSE
            .iter()
            .filter(|(of, _, architecture)| *of == suite && scope.has_loose(architecture));
        for (_, name, architecture) in loose {
            let folder = self.loose(suite, name, architecture)?;
            unpacked.loose.insert((suite, name, architecture), folder);
        }
        if scope == Scope::Generations {
            return Ok(());
        }
        for (_, names) in EFI.iter().filter(|(of, _)| *of == suite) {
            unpacked.efi.insert(suite, self.efi(suite, names)?);
        }
        if suite == Suite::Trixie {
            unpacked.interpreters = Some(self.interpreters(suite)?);
        }
        Ok(())
    }

    /// The file that says what was resolved for a root.
    fn root_record(&self, wanted: &WantedRoot) -> Result<PathBuf> {
        let name = wanted.suite.name();
        let mut wish = vec!["root", LAYOUT, name];
        wish.extend(wanted.packages);
        wish.extend(
            wanted
                .links
                .iter()
                .flat_map(|(name, target)| [*name, *target]),
        );
        let file = format!("{name}-{}.json", cache::key(wish));
        Ok(self.cache.folder("resolved")?.join(file))
    }

    fn root(&mut self, wanted: &WantedRoot) -> Result<PathBuf> {
        let name = wanted.suite.name();
        let record = self.root_record(wanted)?;
        if let Some(folder) = self.known(&record) {
            return Ok(folder);
        }
        let archives = self.archives()?;
        let apt = self.apt(wanted.suite)?;
        let packages = apt.closure(wanted.packages)?;
        fetch(
            &format!("Fetching {} packages of {name}", packages.len()),
            &archives,
            &packages,
            || apt.fetch_closure(wanted.packages),
        )?;
        let folder = self.cache.folder("roots")?.join(content_key(&packages));
        cache::complete(&folder, |folder| {
            let stage =
                Stage::of_steps(format!("Unpacking the {name} root"), packages.len() as u64);
            let root = folder.join(name);
            fs::create_dir(&root)?;
            roots::unpack(&archives, &packages, &root, &stage)?;
            // A compiler needs nothing of it, and Debian 12 does not merge its packages into /usr.
            if wanted.suite != Suite::Bookworm {
                roots::finish(&root)?;
            }
            roots::link(&root, wanted.links)?;
            stage.done("ready");
            Ok(())
        })?;
        self.remember(&record, packages, &folder.join(name))
    }

    /// What an earlier run resolved, when it is still there and nothing newer is asked for.
    fn known(&mut self, record: &Path) -> Option<PathBuf> {
        if self.refresh {
            return None;
        }
        let resolved: Resolved = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
        let complete = cache::is_complete(&resolved.folder)
            || resolved.folder.parent().is_some_and(cache::is_complete);
        if !complete {
            return None;
        }
        self.used.resolved(record, &resolved);
        Some(resolved.folder)
    }

    /// Writes down for the next run what was resolved.
    fn remember(
        &mut self,
        record: &Path,
        packages: Vec<Package>,
        folder: &Path,
    ) -> Result<PathBuf> {
        let resolved = Resolved {
            packages,
            folder: folder.to_owned(),
        };
        fs::write(record, serde_json::to_vec_pretty(&resolved)?)?;
        self.used.resolved(record, &resolved);
        Ok(resolved.folder)
    }

    fn archives(&self) -> Result<PathBuf> {
        self.cache.folder("archives")
    }

    /// apt for this suite, its index fetched once a run.
    fn apt(&mut self, suite: Suite) -> Result<&Apt> {
        if !self.apts.contains_key(&suite) {
            let state = self.cache.folder("apt")?.join(suite.name());
            let apt = Apt::prepare(suite, &mirror()?, &state, &self.archives()?)?;
            let stage = Stage::begin(format!("Reading the package index of {}", suite.name()));
            self.notes.extend(apt.update()?);
            stage.done("verified");
            self.apts.insert(suite, apt);
        }
        match self.apts.get(&suite) {
            Some(apt) => Ok(apt),
            None => bail!("no apt state for {}", suite.name()),
        }
    }
}

fn content_key(packages: &[Package]) -> String {
    let mut hashes: Vec<&str> = packages
        .iter()
        .map(|package| package.sha256.as_str())
        .collect();
    hashes.sort_unstable();
    hashes.push(LAYOUT);
    cache::key(hashes)
}
