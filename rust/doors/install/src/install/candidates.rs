//! Every generation of every profile, and which of them boots next.

use std::path::{Path, PathBuf};

use super::error::InstallError;
use super::images::Identity;
use super::known::Known;
use super::running::Running;
use crate::Host;
use crate::generation::{Form, Generation, Malformed};
use crate::profiles::{self, Profile};

/// A generation in a profile.
#[derive(Debug)]
pub struct Candidate {
    /// Whose, and which one.
    pub identity: Identity,
    /// The toplevel in the profile: of a sealed generation, the sealed one.
    pub toplevel: PathBuf,
    /// Whether the profile leads to it.
    pub current: bool,
    /// What it says of itself.
    pub generation: Result<Generation, Malformed>,
}

/// What boots next: a generation, or a specialisation of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Default {
    /// The generation.
    pub identity: Identity,
    /// Its specialisation.
    pub specialisation: Option<String>,
}

/// Every generation, profile by profile, the newest first.
///
/// # Errors
/// [`InstallError::Profiles`].
pub fn all(
    host: &Host,
    known: &mut Known,
    running: &Running,
    next: &Path,
) -> Result<Vec<Candidate>, InstallError> {
    let mut candidates = Vec::new();
    for Profile {
        name,
        current,
        generations,
    } in profiles::all(host)?
    {
        for link in generations {
            let decides = link.toplevel == next || Some(&link.toplevel) == running.booted.as_ref();
            candidates.push(Candidate {
                identity: Identity {
                    profile: name.clone(),
                    number: link.number,
                },
                current: current == Some(link.number),
                generation: known.generation(host, &link.toplevel, decides),
                toplevel: link.toplevel,
            });
        }
    }
    Ok(candidates)
}

/// Which of them the toplevel is: one that a profile leads to, its inner one, or a specialisation.
///
/// # Errors
/// [`InstallError::NotRegistered`], [`InstallError::Malformed`].
pub fn default(
    host: &Host,
    candidates: &mut [Candidate],
    toplevel: &Path,
) -> Result<Default, InstallError> {
    let found = [is, boots, is_sealed_specialisation]
        .into_iter()
        .find_map(|matches| {
            let matching = candidates
                .iter()
                .enumerate()
                .filter_map(|(index, candidate)| {
                    let specialisation = matches(host, candidate, toplevel)?;
                    let own = candidate.identity.profile.is_none();
                    let order = (candidate.current, own, candidate.identity.number);
                    Some((order, index, specialisation))
                });
            matching.max_by_key(|(order, ..)| *order)
        });
    let Some((_, index, specialisation)) = found else {
        return Err(InstallError::NotRegistered(toplevel.to_owned()));
    };
    let Some(candidate) = candidates.get_mut(index) else {
        return Err(InstallError::NotRegistered(toplevel.to_owned()));
    };
    let identity = candidate.identity.clone();
    let unread = Err(Malformed::NoImage(String::new()));
    match std::mem::replace(&mut candidate.generation, unread) {
        Ok(generation) => candidate.generation = Ok(generation),
        Err(source) => {
            return Err(InstallError::Malformed {
                toplevel: candidate.toplevel.clone(),
                source: Box::new(source),
            });
        }
    }
    Ok(Default {
        identity,
        specialisation,
    })
}

/// The toplevel is the one in the profile.
fn is(_: &Host, candidate: &Candidate, toplevel: &Path) -> Option<Option<String>> {
    (candidate.toplevel == toplevel).then_some(None)
}

/// The toplevel is what is booted: the inner one of a sealed generation, or a specialisation.
fn boots(_: &Host, candidate: &Candidate, toplevel: &Path) -> Option<Option<String>> {
    let generation = candidate.generation.as_ref().ok()?;
    let boot = generation
        .boots
        .iter()
        .find(|boot| boot.toplevel == toplevel)?;
    Some(boot.specialisation.clone())
}

/// The toplevel is the sealed generation of a specialisation.
fn is_sealed_specialisation(
    host: &Host,
    candidate: &Candidate,
    toplevel: &Path,
) -> Option<Option<String>> {
    let generation = candidate.generation.as_ref().ok()?;
    let mut names = generation
        .boots
        .iter()
        .filter(|boot| !matches!(boot.form, Form::Parts(_)))
        .filter_map(|boot| boot.specialisation.as_ref());
    let name = names.find(|name| {
        let link = candidate.toplevel.join("specialisation").join(name);
        host.canonical(link).is_ok_and(|leads| leads == toplevel)
    })?;
    Some(Some(name.clone()))
}

/// The generation that was booted. Where several are the same, the entry that was started decides, else the newest is meant.
pub fn booted(candidates: &[Candidate], running: &Running) -> Option<Identity> {
    let booted = running.booted.as_ref()?;
    let same: Vec<&Identity> = candidates
        .iter()
        .filter(|candidate| {
            let generation = candidate.generation.as_ref();
            let boots = |generation: &Generation| {
                generation.boots.iter().any(|boot| boot.toplevel == *booted)
            };
            candidate.toplevel == *booted || generation.is_ok_and(boots)
        })
        .map(|candidate| &candidate.identity)
        .collect();
    let started = running.entries().find_map(|entry| {
        let identity = Identity {
            profile: entry.profile,
            number: entry.generation,
        };
        same.contains(&&identity).then_some(identity)
    });
    started.or_else(|| {
        same.into_iter()
            .max_by_key(|identity| identity.number)
            .cloned()
    })
}
