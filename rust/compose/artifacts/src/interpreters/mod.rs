//! `closure.interpreters`: whether a closure holds an interpreter, or a file that needs one.
//!
//! Every file is judged by what it holds, never by its name. docs/interpreters.md says which interpreters are known, and what cannot be
//! seen.

mod allow;
mod elf;
mod finding;
mod judge;
mod marks;
mod script;
#[cfg(test)]
mod tests;
mod unseen;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::closure_files::graph::Graph;
use crate::closure_files::{references, walk};
use crate::refuted::Refuted;
use crate::{Context, Error, Files, output};
use allow::Allowed;
pub use allow::AllowedInterpreter;
pub use finding::{FoundFile, FoundInterpreters, What};
pub use judge::{Judge, Judged};
pub use unseen::NotLookedInto;

/// The request of `closure.interpreters`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct FindInterpreters {
    /// Files and folders: every regular file in them is judged. Symbolic links are not followed: what they point to in the store is a
    /// path of the closure itself. Chains of references begin here.
    #[serde(default)]
    pub paths: Vec<PathBuf>,
    /// The list that Nix' `exportReferencesGraph` gives: all of its paths are looked at as well.
    pub closure: Option<Value>,
    /// Whether the closure of `paths` is found by what the files hold, where nobody gives it: hash parts of names that lie beside them.
    #[serde(default)]
    pub follow: bool,
    /// What may be there.
    #[serde(default)]
    pub allow: Vec<AllowedInterpreter>,
    /// Whether it is an error when something is found, as it is in a build.
    #[serde(default)]
    pub required: bool,
    /// Where the answer is written as well; not when the request is refused.
    pub output: Option<PathBuf>,
}

/// The answer of `closure.interpreters`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterpretersVerdict {
    /// Whether nothing was found but what is allowed.
    pub clean: bool,
    /// What was found, by store path.
    pub found: Vec<FoundInterpreters>,
    /// What the request allows.
    pub allowed: Vec<FoundInterpreters>,
    /// Entries of `allow` that allowed nothing.
    pub unused: Vec<String>,
    /// The dynamic loaders of the programs (`PT_INTERP`): they load programs and are no interpreters.
    pub loaders: BTreeSet<String>,
    /// How many files hide what is in them, by form: nothing is known of these.
    pub not_looked_into: BTreeMap<NotLookedInto, u64>,
    /// How many store paths (or named paths) were looked at.
    pub paths: usize,
    /// How many files were judged.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
}

impl FindInterpreters {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`] when something cannot be read; [`Error::Request`] when nothing is named, an entry of `allow` has no reason, or
    /// `follow` is asked where Nix gave the closure; [`Error::Refuted`] when something is found and that is `required` not to be;
    /// [`Error::Write`].
    pub fn run(&self, context: &Context<'_>) -> Result<InterpretersVerdict, Error> {
        context.progress.phase("looking for interpreters");
        let allowed = Allowed::parse(&self.allow)?;
        let graph = self.graph()?;
        let mut search = Search::new(&graph)?;
        for path in graph.paths() {
            walk::files(context.files, path, &mut |file| {
                search.file(context.files, path, file)
            })?;
        }
        let verdict = search.verdict(allowed);
        if self.required && !verdict.clean {
            return Err(refuted(&verdict));
        }
        output::answer(context.files, self.output.as_deref(), &verdict)?;
        Ok(verdict)
    }

    fn graph(&self) -> Result<Graph, Error> {
        match (self.follow, &self.closure) {
            (false, closure) => Graph::given(&self.paths, closure.as_ref()),
            (true, None) if !self.paths.is_empty() => references::closure_of(&self.paths),
            (true, None) => Graph::given(&[], None),
            (true, Some(_)) => Err(Error::Request {
                fact: "`follow` looks for a closure that `closure` gives".to_owned(),
                help: "leave out one of them",
            }),
        }
    }
}

/// What was found so far.
struct Search<'a> {
    graph: &'a Graph,
    judge: Judge,
    found: Vec<(&'a Path, FoundFile)>,
    verdict: InterpretersVerdict,
}

impl<'a> Search<'a> {
    fn new(graph: &'a Graph) -> Result<Self, Error> {
        let judge = Judge::new().map_err(|fact| Error::Request {
            fact,
            help: "this is a defect of touchstone: report it",
        })?;
        Ok(Search {
            graph,
            judge,
            found: Vec::new(),
            verdict: InterpretersVerdict {
                paths: graph.paths().len(),
                ..InterpretersVerdict::default()
            },
        })
    }

    fn file(&mut self, files: &dyn Files, holder: &'a Path, path: &Path) -> Result<(), Error> {
        let failed = |source| Error::Open {
            role: "file that is searched for interpreters",
            file: path.to_owned(),
            source,
        };
        let mut file = files.locate(path).and_then(File::open).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        let executable = metadata.permissions().mode() & 0o111 != 0;
        let judged = self.judge.judge(&mut file, executable).map_err(failed)?;
        self.verdict.files += 1;
        self.verdict.bytes += metadata.len();
        if let Some(form) = judged.unseen {
            *self.verdict.not_looked_into.entry(form).or_default() += 1;
        }
        let foreign = judged.loader.and_then(|loader| self.loader(loader));
        for what in judged.found.into_iter().chain(foreign) {
            let file = path.to_owned();
            self.found.push((holder, FoundFile { file, what }));
        }
        Ok(())
    }

    /// Notes a dynamic loader; a finding when it lies outside of what is looked at.
    fn loader(&mut self, loader: String) -> Option<What> {
        let here = Path::new(&loader);
        let inside = |path: &Path| self.graph.holder(path).is_some();
        // `/lib64` may be a link to a folder that is looked at.
        let real = || here.canonicalize().is_ok_and(|real| inside(&real));
        let known = self.verdict.loaders.contains(&loader) || inside(here) || real();
        match known {
            true => {
                self.verdict.loaders.insert(loader);
                None
            }
            false => Some(What::ForeignLoader { loader }),
        }
    }

    fn verdict(self, mut allow: Allowed<'_>) -> InterpretersVerdict {
        let mut groups: BTreeMap<(&Path, Option<&str>), Vec<FoundFile>> = BTreeMap::new();
        for (holder, found) in self.found {
            let reason = allow.reason(holder, &found.file);
            groups.entry((holder, reason)).or_default().push(found);
        }
        let ways = self.graph.ways();
        let found = groups
            .into_iter()
            .map(|((path, reason), files)| FoundInterpreters {
                path: path.to_owned(),
                chain: ways.to(path),
                reason: reason.map(str::to_owned),
                files,
            });
        let (allowed, found): (Vec<_>, Vec<_>) = found.partition(|found| found.reason.is_some());
        InterpretersVerdict {
            clean: found.is_empty(),
            found,
            allowed,
            unused: allow.unused(),
            ..self.verdict
        }
    }
}

fn refuted(verdict: &InterpretersVerdict) -> Error {
    let lines = verdict.found.iter().flat_map(FoundInterpreters::lines);
    let first = verdict.found.first().and_then(|found| found.files.first());
    Error::Refuted {
        claim: Refuted::NoInterpreters,
        file: first.map(|found| found.file.clone()),
        findings: lines.collect::<Vec<_>>().join("\n  "),
    }
}
