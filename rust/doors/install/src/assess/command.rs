//! `touchstone-install bless` and `touchstone-install bad`.

use std::fmt;

use serde::Serialize;
use touchstone_esp::fs::Real;

use super::{Change, Mark, Which, assess};
use crate::Verdict;
use crate::arguments::Assess;
use crate::commands::{CommandError, done, show};
use crate::install::volumes::{self, Partitions};
use crate::settings::Settings;
use crate::variables::Variables;

/// What became of the entry on each partition.
#[derive(Serialize)]
struct Marked {
    /// Whether an entry was meant at all: this boot is counted, or somebody named one.
    meant: bool,
    changes: Vec<Shown>,
}

#[derive(Serialize)]
struct Shown {
    volume: String,
    from: String,
    to: String,
    beside: Vec<String>,
}

pub(crate) fn bless(arguments: &Assess) -> Result<Verdict, CommandError> {
    match which(arguments)? {
        Some(which) => mark(arguments, &which, Mark::Good),
        // Nothing counts, so that nothing has to be blessed: as at every boot of a good entry.
        None => {
            let nothing = Marked {
                meant: false,
                changes: Vec::new(),
            };
            show(arguments.common.json, &nothing);
            Ok(Verdict::Done)
        }
    }
}

pub(crate) fn bad(arguments: &Assess) -> Result<Verdict, CommandError> {
    let which = which(arguments)?.ok_or(CommandError::NotCounted)?;
    mark(arguments, &which, Mark::Bad)
}

/// The entry that is meant; none when nobody named one and this boot is not counted.
fn which(arguments: &Assess) -> Result<Option<Which>, CommandError> {
    if let Some(name) = &arguments.entry {
        return Ok(Some(Which::Named(name.clone())));
    }
    let host = arguments.common.host();
    let variables = Variables::at(host.at(host.efi_variables()));
    Ok(variables.boot_count_path()?.map(Which::Counted))
}

fn mark(arguments: &Assess, which: &Which, mark: Mark) -> Result<Verdict, CommandError> {
    let common = &arguments.common;
    let host = common.host();
    let settings = Settings::of_running(&host)?;
    let (partitions, mut trouble) = volumes::open(&host, &settings, common.any_file_system, true)?;
    let volumes: Vec<&Real> = partitions.iter().flat_map(both).collect();
    let mut changes = Vec::new();
    for result in assess(&volumes, which, mark)? {
        match result {
            Ok(change) => changes.push(shown(&change)),
            Err(error) => trouble.push(error.to_string()),
        }
    }
    let marked = Marked {
        meant: true,
        changes,
    };
    show(common.json, &marked);
    done(trouble)
}

fn both(pair: &Partitions) -> impl Iterator<Item = &Real> {
    let xbootldr = pair.xbootldr.as_ref().map(|one| &one.fs);
    std::iter::once(&pair.esp.fs).chain(xbootldr)
}

fn shown(change: &Change) -> Shown {
    Shown {
        volume: change.volume.clone(),
        from: change.from.to_string(),
        to: change.to.to_string(),
        beside: change.beside.iter().map(ToString::to_string).collect(),
    }
}

impl fmt::Display for Marked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.meant {
            return writeln!(out, "this boot is not counted: nothing to do");
        }
        for Shown {
            volume,
            from,
            to,
            beside,
        } in &self.changes
        {
            match from == to {
                true => writeln!(out, "{volume}: {to} is marked so already")?,
                false => writeln!(out, "{volume}: {from} is now {to}")?,
            }
            for file in beside {
                writeln!(
                    out,
                    "note: {volume}/{file} is left of a rename that lost power; run fsck.fat before anybody removes it"
                )?;
            }
        }
        Ok(())
    }
}
