//! The part of an installation that changes something.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use touchstone_esp::fs::Real;
use touchstone_esp::{
    Content, Digests, EspPath, FileSystem, Phase, Plan, TransactionError, Verified, transact,
    write_whole,
};

use super::error::InstallError;
use super::firmware;
use super::images::{Again, Work};
use super::known::{Known, hex_of};
use super::place::{self, OWN};
use super::policy::{self, Place, Policy};
use super::report::Report;
use super::run::{Session, Wanted, state_error};
use super::volumes::Partition;

impl Session<'_> {
    /// Makes the images that are written.
    pub(super) fn provide(
        &self,
        plans: &[(&Partition, Plan<'_>, Digests)],
        known: &mut Known,
        work: &Work,
    ) -> Result<Again, InstallError> {
        for write in plans.iter().flat_map(|(_, plan, _)| plan.writes()) {
            let Content::Copy { source, .. } = write.content else {
                continue;
            };
            let made = work.provide(source, known, self.console);
            let made = made.map_err(|source| InstallError::Incomplete {
                toplevel: self.order.toplevel.clone(),
                source: Box::new(source),
            })?;
            if made == Again::Different {
                return Ok(made);
            }
            let name = write.path.as_str().to_ascii_lowercase();
            let image = write.phase == Phase::Entries && name.ends_with(".efi");
            if let Some(judge) = self.judge.as_ref().filter(|_| image) {
                let shown = Path::new(write.path.as_str());
                judge
                    .entry(source, shown)
                    .map_err(|source| InstallError::Incomplete {
                        toplevel: self.order.toplevel.clone(),
                        source: Box::new(source),
                    })?;
            }
        }
        Ok(Again::Same)
    }

    /// The policy that is to be written on this machine, and what it replaces.
    pub(super) fn machine_policy(&self, policy: &Policy) -> Option<(PathBuf, Option<Vec<u8>>)> {
        let Place::Machine(path) = &policy.place else {
            return None;
        };
        let place = self.order.host.at(path);
        let before = std::fs::read(&place).ok();
        (before.as_ref() != Some(&policy.content)).then_some((place, before))
    }

    /// Policy first, then the partitions. The answer names garbage that stays.
    pub(super) fn transact(
        &self,
        plans: &[(&Partition, Plan<'_>, Digests)],
        policy: Option<&Policy>,
    ) -> Result<Vec<String>, InstallError> {
        let replaced = policy.and_then(|policy| Some((self.machine_policy(policy)?, policy)));
        if let Some(((place, _), policy)) = &replaced {
            write_whole(place, &policy.content).map_err(|source| state_error(place, source))?;
        }
        let volumes: Vec<(&Real, &Plan<'_>)> = plans
            .iter()
            .filter(|(_, plan, _)| !plan.is_empty())
            .map(|(partition, plan, _)| (&partition.fs, plan))
            .collect();
        let mut progress = self.console;
        match transact(&volumes, &mut progress) {
            Ok(()) => Ok(Vec::new()),
            Err(error @ TransactionError::Collection(_)) => Ok(vec![error.to_string()]),
            Err(error) => {
                if let Some(((place, Some(before)), _)) = &replaced {
                    // The old generations are what boots now; what fails here is told with the rest.
                    let restored = write_whole(place, before);
                    restored.map_err(|source| state_error(place, source))?;
                }
                Err(InstallError::Transaction(error.to_string()))
            }
        }
    }

    /// Removes what the configuration put on a partition once and does not name any more, if it still is what was put there. The answer names
    /// what could not be removed.
    pub(super) fn forget(
        &self,
        wanted: &[Wanted<'_>],
        known: &mut Known,
        report: &mut Report,
    ) -> Vec<String> {
        let extra = |path: &EspPath| {
            let named = self.settings.extra_files.contains_key(path);
            let entry = path
                .folder()
                .is_some_and(|at| at.as_str() == "loader/entries");
            named || entry && self.settings.extra_entries.contains_key(path.name())
        };
        let mut trouble = Vec::new();
        for Wanted {
            partition,
            look,
            desired,
        } in wanted
        {
            let volume = partition.mount.display().to_string();
            let files = desired.fixed.iter().filter(|file| extra(&file.path));
            let mut keeps: BTreeMap<String, String> = files
                .map(|file| (file.path.to_string(), hex(&file.content.sha256())))
                .collect();
            for (path, sha256) in known.extra(&volume) {
                let Ok(parsed) = EspPath::parse(&path) else {
                    continue;
                };
                let wanted = desired.paths().any(|wanted| *wanted == parsed);
                if wanted || look.observed.file(&parsed).is_none() {
                    continue;
                }
                match remove(&partition.fs, &parsed, &sha256) {
                    Ok(true) => report.gone(&volume, path),
                    Ok(false) => (),
                    Err(error) => {
                        trouble.push(format!("{volume}/{path} cannot be removed: {error}"));
                        keeps.insert(path, sha256);
                    }
                }
            }
            known.keep_extra(&volume, keeps);
        }
        trouble
    }

    /// Records what was found and written.
    pub(super) fn keep(
        &self,
        state: &mut Verified,
        plans: Vec<(&Partition, Plan<'_>, Digests)>,
        known: &Known,
    ) -> Result<(), InstallError> {
        for (partition, plan, mut digests) in plans {
            // What cannot be looked at now is hashed at the next run.
            let _ = digests.written(&partition.fs, &plan);
            state.keep(digests);
        }
        let written = state.write(self.state);
        written.map_err(|source| state_error(self.state, source))?;
        known
            .write()
            .map_err(|source| state_error(self.state, source))
    }

    /// The firmware is told when NixOS installs for the first time, or when there was no boot loader.
    pub(super) fn announce(&self, wanted: &[Wanted<'_>]) -> Vec<String> {
        if !self.settings.touch_efi_variables || self.settings.loader.is_none() {
            return Vec::new();
        }
        let system = self.system();
        let path = place::arch(&system).and_then(|arch| EspPath::parse(&OWN.of(arch)).ok());
        let esps = self.partitions.iter().map(|pair| &pair.esp);
        let mut esps =
            esps.filter_map(|esp| wanted.iter().find(|one| std::ptr::eq(one.partition, esp)));
        let fresh =
            path.is_some_and(|path| esps.any(|one| one.look.observed.file(&path).is_none()));
        match fresh || policy::first_install() {
            true => firmware::announce(&self.order.host, self.partitions, &system, self.has_shim()),
            false => Vec::new(),
        }
    }
}

/// Removes a file, if it holds what it should. The answer says whether it did.
fn remove(fs: &Real, path: &EspPath, sha256: &str) -> io::Result<bool> {
    let mut content = Vec::new();
    fs.open(path)?.read_to_end(&mut content)?;
    if hex_of(&content) != sha256 {
        return Ok(false);
    }
    fs.remove(path)?;
    fs.sync()?;
    Ok(true)
}

fn hex(digest: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(digest)
}
