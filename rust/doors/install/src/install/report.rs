//! What was done, or would be: for people and for programs.

use std::fmt;

use serde::Serialize;
use touchstone_esp::Plan;

use super::candidates::Default;
use super::decide::{Decision, Reason};
use super::images::Identity;
use super::policy::{Policy, name};
use super::volumes::Partition;

/// What an installation came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether nothing was done, because only the plan was asked for.
    pub dry_run: bool,
    /// Whether anything was, or would be, written.
    pub changed: bool,
    /// What boots next.
    pub default: Chosen,
    /// The generations on the partitions, profile by profile, the newest first.
    pub kept: Vec<KeptGeneration>,
    /// Those that cannot be installed, and why.
    pub skipped: Vec<SkippedGeneration>,
    /// Those that the limit takes.
    pub evicted: Vec<Named>,
    /// What happens on each partition.
    pub volumes: Vec<VolumeReport>,
    /// Partitions that cannot be opened, and why.
    pub failed: Vec<String>,
    /// How many generations and specialisations the TPM policy admits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_admits: Option<usize>,
    /// What people should hear of.
    pub notes: Vec<String>,
}

/// A generation of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Named {
    /// The profile; none for the system's own.
    pub profile: Option<String>,
    /// The number in it.
    pub generation: u64,
}

/// What boots next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Chosen {
    /// The generation.
    #[serde(flatten)]
    pub generation: Named,
    /// Its specialisation.
    pub specialisation: Option<String>,
    /// The id of its entry.
    pub id: String,
}

/// A generation on the partitions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptGeneration {
    /// Which one.
    #[serde(flatten)]
    pub generation: Named,
    /// Why the limit does not count for it.
    pub reasons: Vec<Reason>,
    /// The ids of its entries.
    pub entries: Vec<String>,
}

/// A generation that cannot be installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SkippedGeneration {
    /// Which one.
    #[serde(flatten)]
    pub generation: Named,
    /// Why.
    pub why: String,
}

/// What happens on a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VolumeReport {
    /// Where it is mounted.
    pub mount: String,
    /// What is written.
    pub written: Vec<WrittenFile>,
    /// What is removed.
    pub removed: Vec<String>,
    /// What is written before anything goes, in bytes, rounded up to clusters.
    pub needed: u64,
    /// What is free before, in bytes.
    pub free: u64,
    /// What goes afterwards, in bytes.
    pub garbage: u64,
}

/// A file that is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Where it lies.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether another, or a damaged one, was there.
    pub replaces: bool,
}

impl From<&Identity> for Named {
    fn from(identity: &Identity) -> Self {
        Self {
            profile: identity.profile.clone(),
            generation: identity.number,
        }
    }
}

impl Report {
    /// What was decided; partitions are added afterwards.
    pub fn new(dry_run: bool, decision: &Decision<'_>, default: &Default, id: &str) -> Self {
        let kept = decision.kept.iter().map(|kept| KeptGeneration {
            generation: (&kept.identity).into(),
            reasons: kept.reasons.clone(),
            entries: kept.entries.iter().map(|one| one.name.id()).collect(),
        });
        let skipped = decision.skipped.iter().map(|skipped| SkippedGeneration {
            generation: (&skipped.identity).into(),
            why: skipped.why.clone(),
        });
        Self {
            dry_run,
            changed: false,
            default: Chosen {
                generation: (&default.identity).into(),
                specialisation: default.specialisation.clone(),
                id: id.to_owned(),
            },
            kept: kept.collect(),
            skipped: skipped.collect(),
            evicted: decision.evicted.iter().map(Named::from).collect(),
            volumes: Vec::new(),
            failed: Vec::new(),
            policy_admits: None,
            notes: Vec::new(),
        }
    }

    /// Adds a partition.
    pub fn add(&mut self, partition: &Partition, plan: &Plan<'_>) {
        let written = plan.writes().iter().map(|write| WrittenFile {
            path: write.path.to_string(),
            size: write.content.size(),
            replaces: write.replaces,
        });
        let removed = plan.leftovers().iter().chain(plan.removals());
        let cost = plan.cost();
        self.changed |= !plan.is_empty();
        self.notes.extend(
            plan.warnings()
                .iter()
                .map(|warning| format!("{}: {warning}", partition.mount.display())),
        );
        self.volumes.push(VolumeReport {
            mount: partition.mount.display().to_string(),
            written: written.collect(),
            removed: removed.map(|path| path.to_string()).collect(),
            needed: cost.needed,
            free: cost.free,
            garbage: cost.garbage,
        });
    }

    /// Adds a file that went beside the plan.
    pub fn gone(&mut self, mount: &str, path: String) {
        self.changed = true;
        let mut volumes = self.volumes.iter_mut();
        if let Some(volume) = volumes.find(|volume| volume.mount == mount) {
            volume.removed.push(path);
        }
    }

    /// Adds the policy.
    pub fn admit(&mut self, policy: &Policy, is_written: bool) {
        self.policy_admits = Some(policy.admits);
        self.changed |= is_written;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let default = &self.default;
        let chosen = named(&default.generation, default.specialisation.as_deref());
        writeln!(out, "boots next: {chosen} ({})", default.id)?;
        for skipped in &self.skipped {
            let why = skipped.why.replace('\n', "\n  ");
            writeln!(out, "skipped: {}: {why}", named(&skipped.generation, None))?;
        }
        for evicted in &self.evicted {
            writeln!(out, "beyond the limit: {}", named(evicted, None))?;
        }
        for volume in &self.volumes {
            self.volume(out, volume)?;
        }
        if let Some(count) = self.policy_admits {
            writeln!(
                out,
                "the TPM policy admits {count} generations and specialisations"
            )?;
        }
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        if !self.changed {
            writeln!(out, "nothing to do")?;
        }
        Ok(())
    }
}

impl Report {
    fn volume(&self, out: &mut fmt::Formatter<'_>, volume: &VolumeReport) -> fmt::Result {
        let verbs = match self.dry_run {
            true => ["would write", "would replace", "would remove"],
            false => ["wrote", "replaced", "removed"],
        };
        for file in &volume.written {
            let verb = verbs
                .get(usize::from(file.replaces))
                .copied()
                .unwrap_or_default();
            let (mount, path) = (&volume.mount, &file.path);
            writeln!(out, "{verb} {mount}/{path} ({})", size(file.size))?;
        }
        let removes = verbs.last().copied().unwrap_or_default();
        for path in &volume.removed {
            writeln!(out, "{removes} {}/{path}", volume.mount)?;
        }
        if volume.written.is_empty() && volume.removed.is_empty() {
            return Ok(());
        }
        writeln!(
            out,
            "{}: needs {}, frees {} afterwards; {} were free",
            volume.mount,
            size(volume.needed),
            size(volume.garbage),
            size(volume.free)
        )
    }
}

fn named(generation: &Named, specialisation: Option<&str>) -> String {
    let identity = Identity {
        profile: generation.profile.clone(),
        number: generation.generation,
    };
    name(&identity, specialisation)
}

/// Bytes as people read them, with what they are exactly where that is short.
pub fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    for (unit, name) in UNITS {
        if bytes >= unit {
            let tenths = bytes.saturating_mul(10) / unit;
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_are_shown_in_the_largest_unit_that_fits() {
        assert_eq!(size(0), "0 bytes");
        assert_eq!(size(1536), "1.5 KiB");
        assert_eq!(size(12 << 20), "12.0 MiB");
        assert_eq!(size(3 << 29), "1.5 GiB");
    }
}
