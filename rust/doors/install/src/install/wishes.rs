//! What is to be on each partition.

use std::collections::BTreeSet;

use touchstone_esp::{Assessment, BootCount, Content, Desired, Entry, EspPath, File};

use super::conf::{self, Shown};
use super::decide::{Decision, Reason};
use super::error::InstallError;
use super::policy::{Place, Policy};
use super::present::{Present, Presents, is_same};
use super::running::Running;
use super::volumes::{Look, Partitions};
use crate::Host;
use crate::settings::Settings;

/// What decides about partitions beside the decision itself.
pub struct Wishes<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The settings.
    pub settings: &'a Settings,
    /// What is kept.
    pub decision: &'a Decision<'a>,
    /// What the machine runs.
    pub running: &'a Running,
    /// The policy.
    pub policy: Option<&'a Policy>,
}

impl Wishes<'_> {
    /// What is to be on the partition with the entries. `fixed` are the files of one name for it.
    pub fn of_boot(&self, look: &Look, fixed: Vec<File>) -> Desired {
        let mut desired = self.empty();
        let mut fixed = fixed;
        let mut seen = BTreeSet::new();
        for kept in &self.decision.kept {
            for wanted in &kept.entries {
                let Ok(path) = wanted.name.path() else {
                    continue;
                };
                for artifact in &wanted.artifacts {
                    if seen.insert(artifact.path.clone()) {
                        desired.artifacts.push(artifact.clone());
                    }
                }
                desired.entries.push(Entry {
                    path,
                    content: wanted.content.clone(),
                    tries: self.tries(kept.reasons.contains(&Reason::Booted), wanted, look),
                });
            }
        }
        for present in self.stays(&look.present) {
            desired.keep.extend(look.present.files(present));
        }
        desired.fixed.append(&mut fixed);
        desired
    }

    /// What is to be on a partition without entries.
    pub fn of_loader(&self, fixed: Vec<File>) -> Desired {
        let mut desired = self.empty();
        desired.fixed = fixed;
        desired
    }

    fn empty(&self) -> Desired {
        let policy = self.policy.and_then(|policy| match &policy.place {
            Place::Partitions(path) => Some(File {
                path: path.clone(),
                content: Content::Bytes(policy.content.clone()),
            }),
            Place::Machine(_) => None,
        });
        Desired {
            before: policy.into_iter().collect(),
            collect: self.decision.collect,
            ..Desired::default()
        }
    }

    /// The counter of an entry that is new. What is there already keeps what it has.
    fn tries(&self, booted: bool, wanted: &super::images::Wanted, look: &Look) -> Option<u32> {
        let tries = self
            .settings
            .boot_counting
            .map(|counting| counting.tries.get());
        let there = look.present.has(&wanted.name);
        if there && self.running.names(&wanted.name) {
            // It is being blessed under the name that it has.
            let name = look.present.named(&wanted.name);
            return name
                .and_then(|name| name.count)
                .map(|count| count.left)
                .or(tries);
        }
        match (tries, there) {
            (None, _) => None,
            // It runs: it has shown that it boots.
            (Some(_), false) if booted => None,
            (Some(tries), false) => Some(tries),
            (Some(tries), true) => look.present.tries(&wanted.name, Some(tries)),
        }
    }

    /// Entries that nobody made now and that stay: of generations that could not be read, and what the machine runs.
    fn stays<'p>(&self, presents: &'p Presents) -> Vec<&'p Present> {
        let skipped = |present: &Present| {
            let mut skipped = self.decision.skipped.iter();
            skipped.any(|skipped| skipped.stays && present.is_of(&skipped.identity))
        };
        let made = |present: &Present| {
            let mut kept = self.decision.kept.iter().flat_map(|kept| &kept.entries);
            kept.any(|wanted| is_same(&wanted.name, &present.name))
        };
        presents
            .iter()
            .filter(|present| !made(present))
            .filter(|present| skipped(present) || self.running.names(&present.name))
            .collect()
    }

    /// Files of the configuration beside entries and loader.
    ///
    /// # Errors
    /// [`InstallError::Loader`] when one cannot be read.
    pub fn extra(&self, known: &mut super::known::Known) -> Result<Vec<File>, InstallError> {
        let mut files = Vec::new();
        for (path, source) in &self.settings.extra_files {
            let unread = |error: std::io::Error| InstallError::Loader {
                file: source.clone(),
                fact: format!("cannot be read: {error}"),
                help: "correct `extraFiles` in the configuration",
            };
            let file = known.file(self.host, source).map_err(unread)?;
            let place = self.host.resolve(source).map_err(unread)?;
            files.push(File {
                path: path.clone(),
                content: Content::Copy {
                    source: place,
                    size: file.size,
                    sha256: file.digest().unwrap_or_default(),
                },
            });
        }
        for (name, text) in &self.settings.extra_entries {
            if let Ok(path) = EspPath::parse(&format!("loader/entries/{name}")) {
                let content = Content::Bytes(text.clone().into_bytes());
                files.push(File { path, content });
            }
        }
        Ok(files)
    }

    /// Refuses what a systemd-boot before 260 would not boot: with counting it starts what it sorts first.
    ///
    /// # Errors
    /// [`InstallError::NotFirst`].
    pub fn check_first(
        &self,
        partitions: &Partitions,
        look: &Look,
        desired: &Desired,
        id: &str,
        version: Option<&str>,
    ) -> Result<(), InstallError> {
        let mut shown = Vec::new();
        let kept = self.decision.kept.iter().flat_map(|kept| &kept.entries);
        for (wanted, entry) in kept.zip(&desired.entries) {
            let there = look.present.named(&wanted.name);
            let count = match there {
                Some(name) => name.count,
                None => entry.tries.map(BootCount::new),
            };
            shown.push(Shown::Made(wanted, count));
        }
        let stays = self.stays(&look.present);
        shown.extend(stays.into_iter().map(Shown::Stays));
        let first = conf::first(&shown, &look.present).unwrap_or_default();
        if first == id {
            return Ok(());
        }
        Err(InstallError::NotFirst {
            version: version.unwrap_or("of an unknown release").to_owned(),
            first: format!("{}/{first}", partitions.boot().mount.display()),
            wanted: id.to_owned(),
        })
    }
}

/// Whether the entry with this id is bad.
pub fn is_bad(presents: &Presents, id: &str) -> bool {
    presents.iter().any(|present| {
        present.name.id() == id && BootCount::assessment(present.name.count) == Assessment::Bad
    })
}
