//! What people should hear of, though nothing is refused.

use touchstone_esp::{Digests, Plan};

use super::decide::{Decision, Kept, Reason};
use super::report::Report;
use super::run::Session;
use super::volumes::{Look, Partition};
use super::wishes;

impl Session<'_> {
    /// What people should hear of before anything is planned.
    pub(super) fn notes(&self, id: &str, first: &Look) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(entry) = &self.running.default_variable {
            notes.push(format!(
                "the EFI variable LoaderEntryDefault names {entry}, which systemd-boot starts whatever loader.conf says; `touchstone-install clear-entry-default` removes it"
            ));
        }
        if let Some(entry) = &self.running.preferred_variable {
            notes.push(format!(
                "the EFI variable LoaderEntryPreferred names {entry}, which systemd-boot from 260 on starts while it is not bad, whatever loader.conf says; `touchstone-install clear-entry-default` removes it"
            ));
        }
        if wishes::is_bad(&first.present, id) {
            notes.push(format!(
                "{id} was tried and is bad: systemd-boot passes it over; `touchstone-install bless` gives it another chance"
            ));
        }
        notes
    }

    /// Says so when the partition could not hold one generation more than the limit, each as large as the one that boots next.
    pub(super) fn note_space(
        &self,
        report: &mut Report,
        decision: &Decision<'_>,
        plans: &[(&Partition, Plan<'_>, Digests)],
    ) {
        let Some(limit) = self.settings.configuration_limit else {
            return;
        };
        let size = |kept: &Kept<'_>| -> u64 {
            let entries = kept.entries.iter().map(|wanted| {
                let artifacts = wanted.artifacts.iter().map(|file| file.content.size());
                wanted.content.size() + artifacts.sum::<u64>()
            });
            entries.sum()
        };
        let all: u64 = decision.kept.iter().map(size).sum();
        let next = decision.kept.iter();
        let next = next.filter(|kept| kept.reasons.contains(&Reason::Default));
        let one: u64 = next.map(size).sum();
        let needed = one.saturating_mul(u64::from(limit.get()) + 1);
        for (partition, plan, _) in plans {
            let holds_entries = self
                .partitions
                .iter()
                .any(|pair| std::ptr::eq(pair.boot(), *partition));
            let cost = plan.cost();
            let there = all.saturating_sub(cost.needed);
            let room = (cost.free + there + cost.garbage).saturating_sub(cost.reserve);
            if holds_entries && needed > room {
                let fit = room.checked_div(one).unwrap_or_default();
                report.notes.push(format!(
                    "{} has room for {fit} generations as large as this one, and the limit of {limit} needs room for one more than that: lower it, or make the partition larger",
                    partition.mount.display()
                ));
            }
        }
    }
}
