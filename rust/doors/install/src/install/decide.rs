//! Which generations are kept, and why.

use std::num::NonZeroU32;

use serde::Serialize;
use touchstone_esp::Assessment;

use super::candidates::{Candidate, Default};
use super::error::{Incomplete, InstallError};
use super::images::{Identity, Maker, Wanted};
use super::present::Presents;
use super::running::Running;
use crate::generation::Generation;

/// Why a generation is kept whatever the limit says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It boots next.
    Default,
    /// It was booted.
    Booted,
    /// It is being tried.
    Tried,
    /// It is the last one known to be good.
    LastGood,
}

/// A generation that is kept.
#[derive(Debug)]
pub struct Kept<'a> {
    /// Whose, and which one.
    pub identity: Identity,
    /// What it says of itself.
    pub generation: &'a Generation,
    /// Why the limit does not count, if it does not.
    pub reasons: Vec<Reason>,
    /// Its entries.
    pub entries: Vec<Wanted>,
}

/// A generation that is not installed, though the limit would let it.
#[derive(Debug)]
pub struct Skipped {
    /// Whose, and which one.
    pub identity: Identity,
    /// Why.
    pub why: String,
    /// Whether what is there of it stays.
    pub stays: bool,
}

/// What is decided.
#[derive(Debug)]
pub struct Decision<'a> {
    /// The kept ones, profile by profile, the newest first.
    pub kept: Vec<Kept<'a>>,
    /// Those that cannot be installed.
    pub skipped: Vec<Skipped>,
    /// Those that the limit takes.
    pub evicted: Vec<Identity>,
    /// Whether garbage is collected.
    pub collect: bool,
}

/// What decides beside the generations themselves.
pub struct Circumstances<'a> {
    /// What boots next.
    pub default: &'a Default,
    /// The generation that was booted.
    pub booted: Option<&'a Identity>,
    /// What the machine runs.
    pub running: &'a Running,
    /// The entries of the first partition.
    pub present: &'a Presents,
    /// How many are kept of a profile.
    pub limit: Option<NonZeroU32>,
}

/// Decides.
///
/// # Errors
/// [`InstallError::Incomplete`] of the default, [`InstallError::NothingBootable`].
pub fn decide<'a>(
    candidates: &'a [Candidate],
    circumstances: &Circumstances<'_>,
    maker: &mut Maker<'_>,
) -> Result<Decision<'a>, InstallError> {
    let mut decision = Decision {
        kept: Vec::new(),
        skipped: Vec::new(),
        evicted: Vec::new(),
        collect: true,
    };
    let last_good = circumstances.last_good(candidates);
    let mut counted: (Option<&Option<String>>, u32) = (None, 0);
    for candidate in candidates {
        let identity = &candidate.identity;
        if counted.0 != Some(&identity.profile) {
            counted = (Some(&identity.profile), 0);
        }
        let generation = match &candidate.generation {
            Ok(generation) => generation,
            Err(why) => {
                // Whatever cannot be attributed might be its files.
                decision.collect = false;
                decision.skip(identity, why.to_string(), true);
                continue;
            }
        };
        let reasons = circumstances.reasons(identity, last_good);
        let full = circumstances
            .limit
            .is_some_and(|limit| counted.1 >= limit.get());
        if full && reasons.is_empty() {
            decision.evicted.push(identity.clone());
            continue;
        }
        match entries(maker, identity, generation) {
            Ok(entries) => decision.kept.push(Kept {
                identity: identity.clone(),
                generation,
                reasons,
                entries,
            }),
            Err(source) if reasons.contains(&Reason::Default) => {
                return Err(InstallError::Incomplete {
                    toplevel: candidate.toplevel.clone(),
                    source: Box::new(source),
                });
            }
            Err(why) => {
                let there = circumstances.present.of(identity).next().is_some();
                // Who started it without an entry of ours has files that nobody can attribute.
                decision.collect &= there || reasons.is_empty();
                decision.skip(identity, why.to_string(), there);
                if !there {
                    continue;
                }
            }
        }
        // A bad one takes no place from one that boots.
        if circumstances.present.assessment(identity) != Some(Assessment::Bad) {
            counted.1 += 1;
        }
    }
    match decision.kept.is_empty() {
        true => Err(InstallError::NothingBootable),
        false => Ok(decision),
    }
}

impl Decision<'_> {
    fn skip(&mut self, identity: &Identity, why: String, stays: bool) {
        self.skipped.push(Skipped {
            identity: identity.clone(),
            why,
            stays,
        });
    }

    /// The entry that boots next, and the id by which the boot loader knows it.
    pub fn next(&self, default: &Default) -> Option<(&Wanted, String)> {
        let kept = self
            .kept
            .iter()
            .find(|kept| kept.identity == default.identity)?;
        let named = |name: &Option<String>| {
            kept.entries
                .iter()
                .find(|wanted| wanted.name.specialisation == *name)
        };
        if let Some(wanted) = named(&default.specialisation) {
            return Some((wanted, wanted.name.id()));
        }
        let boots = kept.generation.boots.iter();
        let profile = boots
            .filter(|boot| boot.specialisation == default.specialisation)
            .find_map(|boot| match &boot.form {
                crate::generation::Form::Shared { profile, .. } => Some(profile),
                _ => None,
            })?;
        let wanted = named(&None)?;
        Some((wanted, format!("{}@{profile}", wanted.name.id())))
    }
}

/// The entries of a generation and its specialisations.
fn entries(
    maker: &mut Maker<'_>,
    identity: &Identity,
    generation: &Generation,
) -> Result<Vec<Wanted>, Incomplete> {
    let mut entries = Vec::new();
    let label = generation.boots.first().map_or("", |boot| &boot.label);
    for boot in &generation.boots {
        entries.extend(maker.make(identity, boot, label)?);
    }
    Ok(entries)
}

impl Circumstances<'_> {
    fn reasons(&self, identity: &Identity, last_good: Option<&Identity>) -> Vec<Reason> {
        let tried = || {
            self.running.entries().any(|entry| {
                entry.generation == identity.number && entry.profile == identity.profile
            })
        };
        let reasons = [
            (Reason::Default, self.default.identity == *identity),
            (Reason::Booted, self.booted == Some(identity)),
            (Reason::Tried, tried()),
            (Reason::LastGood, last_good == Some(identity)),
        ];
        let holds = reasons.into_iter().filter(|(_, holds)| *holds);
        holds.map(|(reason, _)| reason).collect()
    }

    /// The newest generation that is there and good, one of the profile that boots next before all others.
    fn last_good<'c>(&self, candidates: &'c [Candidate]) -> Option<&'c Identity> {
        candidates
            .iter()
            .filter(|candidate| candidate.generation.is_ok())
            .map(|candidate| &candidate.identity)
            .filter(|identity| self.present.assessment(identity) == Some(Assessment::Good))
            .max_by_key(|identity| {
                let same = identity.profile == self.default.identity.profile;
                (same, identity.number)
            })
    }
}
