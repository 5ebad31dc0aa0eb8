//! What is to be on each partition, of what was decided.

use touchstone_esp::File;
use touchstone_esp::order::LoaderVersion;

use super::conf;
use super::error::InstallError;
use super::images::Work;
use super::known::Known;
use super::loader::{self, Placing, Programs};
use super::report::Report;
use super::run::{Looks, Session, Wanted};
use super::volumes::Partitions;
use super::wishes::Wishes;
use crate::generation::Generation;

impl Session<'_> {
    /// The files of one name for the EFI system partition.
    #[expect(clippy::too_many_arguments, reason = "what an attempt has made so far")]
    pub(super) fn fixed(
        &self,
        pair: &Partitions,
        looks: &Looks,
        programs: Option<&Programs>,
        id: &str,
        known: &mut Known,
        work: &Work,
        report: &mut Report,
    ) -> Result<Vec<File>, InstallError> {
        let mut files = Vec::new();
        if let Some(programs) = programs {
            let mut placing = Placing {
                known,
                work,
                progress: self.console,
                judge: self.judge.as_ref(),
            };
            let (programs, notes) = placing.files(programs, &pair.esp, &looks.esp)?;
            files.extend(programs);
            report.notes.extend(notes);
        }
        let version = self.version(programs, pair);
        files.extend(conf::file(
            self.settings,
            &pair.esp,
            &looks.esp,
            version,
            id,
        )?);
        Ok(files)
    }

    /// The version of the boot loader that will read the entries.
    fn version(&self, programs: Option<&Programs>, pair: &Partitions) -> Option<LoaderVersion> {
        match programs {
            Some(programs) => loader::read_version(programs.version()),
            None => loader::installed(&pair.esp, &self.system()),
        }
    }

    /// What boots next.
    fn next(&self) -> Option<&Generation> {
        let mut next = self.candidates.iter();
        let next = next.find(|candidate| candidate.identity == self.default.identity);
        next.and_then(|candidate| candidate.generation.as_ref().ok())
    }

    /// The system of what boots next.
    pub(super) fn system(&self) -> String {
        let system = self.next().map(|one| one.system.clone());
        system.unwrap_or_default()
    }

    /// Whether shim stands in front of the boot loader.
    pub(super) fn has_shim(&self) -> bool {
        self.next().is_some_and(|one| one.shim.is_some())
    }

    /// What is to be on one disk's partitions. Entries come before the loader where they lie elsewhere.
    pub(super) fn pair<'w>(
        &self,
        wishes: &Wishes<'_>,
        pair: &'w Partitions,
        looks: &'w Looks,
        loader: Vec<File>,
        known: &mut Known,
    ) -> Result<Vec<Wanted<'w>>, InstallError> {
        let extra = wishes.extra(known)?;
        Ok(match (&pair.xbootldr, &looks.xbootldr) {
            (Some(partition), Some(look)) => vec![
                Wanted {
                    partition,
                    look,
                    desired: wishes.of_boot(look, extra),
                },
                Wanted {
                    partition: &pair.esp,
                    look: &looks.esp,
                    desired: wishes.of_loader(loader),
                },
            ],
            _ => vec![Wanted {
                partition: &pair.esp,
                look: &looks.esp,
                desired: wishes.of_boot(&looks.esp, loader.into_iter().chain(extra).collect()),
            }],
        })
    }

    pub(super) fn check_first(
        &self,
        wishes: &Wishes<'_>,
        pair: &Partitions,
        looks: &Looks,
        wanted: &[Wanted<'_>],
        programs: Option<&Programs>,
        id: &str,
    ) -> Result<(), InstallError> {
        let version = self.version(programs, pair);
        let knows = version.is_some_and(|version| version.knows_preferred());
        if self.settings.boot_counting.is_none() || knows {
            return Ok(());
        }
        let boot = pair.boot();
        let desired = wanted.iter().find(|one| std::ptr::eq(one.partition, boot));
        let Some(desired) = desired.map(|one| &one.desired) else {
            return Ok(());
        };
        let version = programs.and_then(Programs::version);
        wishes.check_first(pair, looks.boot(), desired, id, version)
    }
}
