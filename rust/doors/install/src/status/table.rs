//! The answer for people.

use std::collections::BTreeSet;
use std::fmt;

use super::answer::{Assessed, EntryStatus, SecureBootState, Status, VolumeStatus, Which};

impl fmt::Display for Status {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secure_boot = match self.machine.secure_boot {
            SecureBootState::Enforced => "enforced",
            SecureBootState::Off => "off",
            SecureBootState::Setup => "off (the firmware waits for keys)",
            SecureBootState::Unknown => "unknown",
        };
        writeln!(out, "Secure Boot: {secure_boot}")?;
        let facts = [
            ("boot loader that ran", &self.machine.loader),
            ("being counted", &self.machine.counted),
            (
                "default of the firmware (LoaderEntryDefault)",
                &self.machine.entry_default,
            ),
            (
                "preferred by the firmware (LoaderEntryPreferred)",
                &self.machine.entry_preferred,
            ),
        ];
        for (what, fact) in facts {
            if let Some(fact) = fact {
                writeln!(out, "{what}: {fact}")?;
            }
        }
        for volume in &self.volumes {
            write!(out, "\n{volume}")?;
        }
        for problem in &self.problems {
            writeln!(out, "\nproblem: {problem}")?;
        }
        for note in &self.notes {
            writeln!(out, "\nnote: {note}")?;
        }
        Ok(())
    }
}

impl fmt::Display for VolumeStatus {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.esp.display())?;
        if let Some(xbootldr) = &self.xbootldr {
            write!(out, ", {}", xbootldr.display())?;
        }
        writeln!(out)?;
        for loader in &self.loaders {
            let version = match &loader.version {
                Some(version) => format!("systemd-boot {version}"),
                None => "not systemd-boot".to_owned(),
            };
            let boots = boots(loader.judged.boots);
            writeln!(
                out,
                "  {}: {version}, boots: {boots}{}",
                loader.path,
                by(&loader.judged.signed_by)
            )?;
        }
        let head = ["", "generation", "assessment", "boots", "PCRs", "signed by"];
        let rows = self.entries.iter().map(row);
        let rows: Vec<[String; 6]> = std::iter::once(head.map(str::to_owned))
            .chain(rows)
            .collect();
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for row in &rows {
            let cells = row.iter().zip(&widths);
            let cells = cells.map(|(cell, width)| format!("{cell:<width$}"));
            let line = cells.collect::<Vec<_>>().join("  ");
            writeln!(out, "  {}", line.trim_end())?;
        }
        Ok(())
    }
}

fn row(entry: &EntryStatus) -> [String; 6] {
    let marks = [
        (entry.next, "next"),
        (entry.default, "default"),
        (entry.booted, "booted"),
    ];
    let marks: Vec<&str> = marks
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, mark)| *mark)
        .collect();
    let generation = match &entry.generation {
        Some(which) => which.to_string(),
        None => entry.id.clone(),
    };
    [
        marks.join(" "),
        generation,
        assessment(entry),
        boots(entry.judged.boots).to_owned(),
        registers(entry),
        names(&entry.judged.signed_by),
    ]
}

fn boots(boots: bool) -> &'static str {
    if boots { "yes" } else { "no" }
}

fn by(signed_by: &[String]) -> String {
    match signed_by {
        [] => String::new(),
        signers => format!(", signed by {}", names(signers)),
    }
}

fn names(signers: &[String]) -> String {
    match signers {
        [] => "nobody".to_owned(),
        signers => signers.join(" and "),
    }
}

fn assessment(entry: &EntryStatus) -> String {
    let word = match entry.assessment {
        Assessed::Good => return "good".to_owned(),
        Assessed::Bad => "bad".to_owned(),
        Assessed::Indeterminate => format!("{} left", entry.left.unwrap_or(0)),
    };
    match entry.done {
        Some(done) => format!("{word}, {done} done"),
        None => word,
    }
}

/// The registers that were predicted.
fn registers(entry: &EntryStatus) -> String {
    let leaves = entry
        .predicted
        .iter()
        .flat_map(|predicted| &predicted.leaves);
    let registers: BTreeSet<u32> = leaves.flat_map(|leaf| leaf.pcrs.keys().copied()).collect();
    let registers: Vec<String> = registers.iter().map(u32::to_string).collect();
    registers.join(" ")
}

impl fmt::Display for Which {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(profile) = &self.profile {
            write!(out, "{profile} ")?;
        }
        write!(out, "{}", self.number)?;
        match &self.specialisation {
            Some(specialisation) => write!(out, " {specialisation}"),
            None => Ok(()),
        }
    }
}
