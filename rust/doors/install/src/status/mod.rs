//! `touchstone-install status`: what is on the partitions, and what the machine will make of it.

mod answer;
pub(crate) mod command;
mod entries;
mod judge;
mod loaders;
mod next;
mod predicted;
mod table;

use std::collections::HashMap;
use std::path::PathBuf;

use touchstone_esp::{Assessment, BootCount, EspPath};

pub use answer::{
    Assessed, EntryStatus, Judged, LoaderStatus, Machine, Predicted, PredictedLeaf,
    SecureBootState, Status, VolumeStatus, Which,
};

use crate::Host;
use crate::generation::{self, Generation};
use crate::install::place::{BEHIND_SHIM, OWN};
use crate::install::volumes::{Partition, Partitions};
use crate::profiles::{self, Profile, ProfilesError};
use crate::variables::secure_boot::SecureBoot;
use crate::variables::{VariableError, Variables};
use entries::Entry;
use judge::Judge;
use next::Asked;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The profiles cannot be listed.
    #[error(transparent)]
    Profiles(#[from] ProfilesError),
    /// The firmware's variables cannot be read.
    #[error(transparent)]
    Variable(#[from] VariableError),
}

/// Looks at these partitions. Nothing is changed. `loader` says whether a boot loader is installed on them.
///
/// # Errors
/// [`StatusError`]. What is wrong with an entry, a generation or a partition is in the answer.
pub fn status(host: &Host, partitions: &[Partitions], loader: bool) -> Result<Status, StatusError> {
    let variables = Variables::at(host.at(host.efi_variables()));
    let secure_boot = variables.secure_boot()?;
    let looked = Look {
        host,
        loader,
        asked: Asked::of(&variables)?,
        booted: booted(&variables)?,
        profiles: profiles::all(host)?,
        secure_boot: secure_boot.as_ref(),
        generations: HashMap::new(),
    };
    let mut status = Status {
        machine: machine(&variables, secure_boot.as_ref())?,
        volumes: Vec::new(),
        problems: Vec::new(),
        notes: Vec::new(),
    };
    looked.volumes(partitions, &mut status);
    if status.machine.secure_boot == SecureBootState::Unknown {
        let note = "the firmware's variables cannot be seen: whether it asks for signatures is not known, and they are not judged";
        status.notes.push(note.to_owned());
    }
    if secure_boot.is_some_and(|known| known.shim.is_some()) {
        let note = "shim started the boot loader: what it starts is judged by its lists, too; its SBAT level is not looked at";
        status.notes.push(note.to_owned());
    }
    Ok(status)
}

fn machine(
    variables: &Variables,
    secure_boot: Option<&SecureBoot>,
) -> Result<Machine, VariableError> {
    Ok(Machine {
        secure_boot: match secure_boot {
            None => SecureBootState::Unknown,
            Some(SecureBoot { enforced: true, .. }) => SecureBootState::Enforced,
            Some(SecureBoot {
                setup_mode: true, ..
            }) => SecureBootState::Setup,
            Some(_) => SecureBootState::Off,
        },
        loader: variables.loader_info()?,
        booted: variables.entry_selected()?,
        counted: variables.boot_count_path()?.map(|path| path.to_string()),
        entry_default: variables.entry_default()?,
        entry_preferred: variables.entry_preferred()?,
    })
}

/// The ids of the entry that runs: systemd-boot puts `@` and the profile of an image behind it.
fn booted(variables: &Variables) -> Result<Option<String>, VariableError> {
    let selected = variables.entry_selected()?;
    let selected = selected.map(|id| {
        id.split('@')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase()
    });
    let counted = variables.boot_count_path()?;
    Ok(selected.or(counted.map(|path| touchstone_esp::order::identify(path.name()).0)))
}

struct Look<'a> {
    host: &'a Host,
    loader: bool,
    asked: Asked,
    booted: Option<String>,
    profiles: Vec<Profile>,
    secure_boot: Option<&'a SecureBoot>,
    /// What each toplevel says of itself; none where it cannot be read.
    generations: HashMap<PathBuf, Option<Generation>>,
}

impl Look<'_> {
    fn volumes(mut self, partitions: &[Partitions], status: &mut Status) {
        for pair in partitions {
            let volume = self.volume(pair, status);
            self.problems(&volume, status);
            status.volumes.push(volume);
        }
    }

    fn volume(&mut self, pair: &Partitions, status: &mut Status) -> VolumeStatus {
        let mut judge = Judge::new(&pair.esp.fs, self.secure_boot);
        let loaders = loaders::all(&pair.esp.fs, &mut judge);
        let conf = next::conf(&judge);
        let (mut found, notes) = entries::all(&pair.esp.fs, &mut judge);
        status.notes.extend(notes);
        let mut mounts: Vec<&Partition> = found.iter().map(|_| &pair.esp).collect();
        if let Some(xbootldr) = &pair.xbootldr {
            let mut judge = Judge::new(&xbootldr.fs, self.secure_boot);
            let (more, notes) = entries::all(&xbootldr.fs, &mut judge);
            status.notes.extend(notes);
            mounts.extend(more.iter().map(|_| xbootldr));
            found.extend(more);
        }
        let mut found: Vec<(Entry, &Partition)> = found.into_iter().zip(mounts).collect();
        found.sort_by(|(one, _), (other, _)| {
            let listed = one.unlisted.is_some().cmp(&other.unlisted.is_some());
            listed.then_with(|| touchstone_esp::order::compare(&one.listed, &other.listed))
        });
        let listed = found.iter().filter(|(entry, _)| entry.unlisted.is_none());
        let listed: Vec<_> = listed.map(|(entry, _)| entry.listed.clone()).collect();
        let next = match loaders::version_of(&loaders) {
            Some(version) => self.asked.next(&listed, &conf, version),
            None => Vec::new(),
        };
        let entries = found
            .into_iter()
            .enumerate()
            .map(|(index, (entry, partition))| {
                let next = next.contains(&index);
                self.entry(entry, partition, next, &mut status.notes)
            });
        VolumeStatus {
            entries: entries.collect(),
            esp: pair.esp.mount.clone(),
            xbootldr: pair.xbootldr.as_ref().map(|one| one.mount.clone()),
            loaders,
        }
    }

    fn entry(
        &mut self,
        entry: Entry,
        partition: &Partition,
        next: bool,
        notes: &mut Vec<String>,
    ) -> EntryStatus {
        let generation = entry.name.as_ref().map(|name| Which {
            profile: name.profile.clone(),
            number: name.generation,
            specialisation: name.specialisation.clone(),
            toplevel: self.toplevel(name.profile.as_deref(), name.generation),
        });
        let predicted = match generation.as_ref().map(|which| self.predicted(which)) {
            Some(Ok(predicted)) => predicted,
            Some(Err(why)) => {
                notes.push(why);
                None
            }
            None => None,
        };
        let id = entry.listed.id.clone();
        EntryStatus {
            booted: self.booted.as_ref() == Some(&id),
            default: generation
                .as_ref()
                .is_some_and(|which| self.is_default(which)),
            next,
            path: partition
                .mount
                .join(entry.path.as_str())
                .display()
                .to_string(),
            assessment: assessed(entry.listed.count),
            left: entry.listed.count.map(|count| count.left),
            done: entry.listed.count.and_then(|count| count.done),
            judged: entry.judged,
            generation,
            predicted,
            id,
        }
    }

    fn profile(&self, name: Option<&str>) -> Option<&Profile> {
        self.profiles.iter().find(|one| one.name.as_deref() == name)
    }

    fn toplevel(&self, profile: Option<&str>, number: u64) -> Option<PathBuf> {
        let links = &self.profile(profile)?.generations;
        let link = links.iter().find(|link| link.number == number)?;
        Some(link.toplevel.clone())
    }

    fn is_default(&self, which: &Which) -> bool {
        let current = self.profile(None).and_then(|profile| profile.current);
        which.profile.is_none() && which.specialisation.is_none() && current == Some(which.number)
    }

    /// What was predicted; an error when there is a document that cannot be believed.
    fn predicted(&mut self, which: &Which) -> Result<Option<Predicted>, String> {
        let Some(toplevel) = &which.toplevel else {
            return Ok(None);
        };
        let host = self.host;
        let known = self.generations.entry(toplevel.clone());
        // What cannot be read of a generation the installer says.
        let read = known.or_insert_with(|| generation::read(host, toplevel).ok());
        let boots = read.iter().flat_map(|generation| &generation.boots);
        let mut own = boots.filter(|boot| boot.specialisation == which.specialisation);
        let file = own.next().and_then(|boot| boot.prediction());
        file.map(|file| predicted::read(host, file)).transpose()
    }

    /// Whether the machine is to be started by this program. What lies in `EFI/BOOT` may be another system's where nothing was installed there,
    /// and behind shim where there is none.
    fn starts(&self, path: &str) -> bool {
        let Ok(path) = EspPath::parse(path) else {
            return false;
        };
        let shim = self.secure_boot.is_some_and(|known| known.shim.is_some());
        OWN.has(&path) || (self.loader && (shim || !BEHIND_SHIM.has(&path)))
    }

    /// What should boot from this partition, and will not.
    fn problems(&self, volume: &VolumeStatus, status: &mut Status) {
        let esp = volume.esp.display();
        let problems = &mut status.problems;
        let loaders = volume.loaders.iter().filter(|one| self.starts(&one.path));
        for loader in loaders.filter(|one| !one.judged.boots) {
            let why = loader.judged.why.join("; ");
            problems.push(format!("{esp}/{} will not start: {why}", loader.path));
        }
        if volume.loaders.is_empty() && self.loader {
            problems.push(format!("{esp} has no boot loader"));
        }
        for entry in &volume.entries {
            let Some(which) = &entry.generation else {
                continue;
            };
            if !entry.judged.boots && entry.assessment != Assessed::Bad {
                let why = entry.judged.why.join("; ");
                problems.push(format!("{}: {which} will not boot: {why}", entry.path));
            }
        }
        let current = self.profile(None).and_then(|profile| profile.current);
        let default = volume.entries.iter().find(|entry| entry.default);
        match (current, default) {
            (Some(number), None) => problems.push(format!(
                "{esp} has no entry for generation {number}, which is the system's: install it"
            )),
            (Some(number), Some(default)) if !default.next => {
                let next = volume.entries.iter().find(|entry| entry.next);
                let next = next.map_or("no entry that can be told", |entry| entry.id.as_str());
                let note = format!(
                    "{esp}: the system's generation is {number}, and systemd-boot starts {next}"
                );
                status.notes.push(note);
            }
            _ => (),
        }
    }
}

fn assessed(count: Option<BootCount>) -> Assessed {
    match BootCount::assessment(count) {
        Assessment::Good => Assessed::Good,
        Assessment::Indeterminate => Assessed::Indeterminate,
        Assessment::Bad => Assessed::Bad,
    }
}
