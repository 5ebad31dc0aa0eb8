//! Losses of power: which there may be, which were looked at, and which one happens.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;

use crate::disk::{Disk, Outcome};
use crate::oracle::Violation;
use crate::random::Random;
use crate::state::Moment;

/// How much of a machine's story is told.
const LAST: usize = 7;

/// Looks at losses of power, and counts those that differ.
pub struct Losses {
    /// How many are looked at for each moment.
    each: usize,
    /// In how many of a hundred operations power is lost.
    chance: usize,
    /// State, operation, and what became of what was not on the disk.
    triples: HashSet<u64>,
    /// What happened to the machine that is looked at.
    story: Vec<String>,
}

impl Losses {
    pub fn new(each: usize, chance: usize) -> Self {
        Self {
            each,
            chance,
            triples: HashSet::new(),
            story: Vec::new(),
        }
    }

    /// How many distinct triples were looked at.
    pub fn distinct(&self) -> usize {
        self.triples.len()
    }

    /// Another machine begins to live.
    pub fn begin(&mut self) {
        self.story.clear();
    }

    /// Something happens to the machine.
    pub fn tell(&mut self, what: impl std::fmt::Display) {
        self.story.push(what.to_string());
    }

    /// What happened to the machine last.
    pub fn story(&self) -> String {
        let last = self.story.len().saturating_sub(LAST);
        self.story[last..].join("\n")
    }

    /// Has disks judged that a loss of power at these moments leaves; and returns one, if power is lost now.
    pub fn look(
        &mut self,
        moments: &[Moment],
        random: &mut Random,
        judge: impl Fn(&Disk) -> Result<(), Violation>,
    ) -> Result<Option<Disk>, Violation> {
        let happens = random
            .percent(self.chance)
            .then(|| random.below(moments.len()));
        let mut happened = None;
        let mut state: Option<(Rc<Disk>, u64)> = None;
        for (index, moment) in moments.iter().enumerate() {
            let fingerprint = match &state {
                Some((durable, fingerprint)) if Rc::ptr_eq(durable, &moment.durable) => {
                    *fingerprint
                }
                _ => moment.durable.fingerprint(),
            };
            state = Some((Rc::clone(&moment.durable), fingerprint));
            for _ in 0..self.each {
                let outcomes = outcomes(moment, random);
                let happens = happens == Some(index) && happened.is_none();
                let is_new = self.triples.insert(triple(fingerprint, moment, &outcomes));
                if !is_new && !happens {
                    continue;
                }
                let disk = moment.lose(&outcomes);
                if is_new {
                    judge(&disk).inspect_err(|violation| {
                        self.story
                            .push(format!("{violation}\n{}", told(moment, &outcomes, &disk)));
                    })?;
                }
                if happens {
                    self.story
                        .push(format!("power lost\n{}", told(moment, &outcomes, &disk)));
                    happened = Some(disk);
                }
            }
        }
        Ok(happened)
    }
}

fn told(moment: &Moment, outcomes: &[Outcome], disk: &Disk) -> String {
    let pending = moment.pending.iter().zip(outcomes);
    let pending: Vec<String> = pending
        .map(|(atom, outcome)| format!("  {outcome:?} {atom:?}"))
        .collect();
    format!(
        "in {}, from\n{}with\n{}\nto\n{disk}",
        moment.operation,
        moment.durable,
        pending.join("\n")
    )
}

fn triple(fingerprint: u64, moment: &Moment, outcomes: &[Outcome]) -> u64 {
    let mut hasher = DefaultHasher::new();
    (fingerprint, &moment.operation, outcomes).hash(&mut hasher);
    hasher.finish()
}

/// What becomes of each write that is not on the disk: any of it, all but one, one alone, or by chance.
fn outcomes(moment: &Moment, random: &mut Random) -> Vec<Outcome> {
    let choose = random.below(4);
    let special = random.below(moment.pending.len());
    let outcomes = moment.pending.iter().enumerate().map(|(index, atom)| {
        let any = *random.one(atom.outcomes(&moment.durable));
        match choose {
            0 if index != special => Outcome::Full,
            1 if index != special => Outcome::Lost,
            _ => any,
        }
    });
    outcomes.collect()
}
