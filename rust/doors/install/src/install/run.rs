//! One installation, from the settings to the last sync.

use std::path::{Path, PathBuf};

use touchstone_esp::{Desired, EspPath, FileSystem, Plan, Trust, Verified};

use super::candidates::{self, Candidate, Default};
use super::conf;
use super::decide::{Circumstances, Decision, Reason, decide};
use super::error::InstallError;
use super::images::{Again, Identity, Maker, Work, signing_key};
use super::judge::Judge;
use super::known::Known;
use super::loader::Programs;
use super::manifests::{self, Manifests};
use super::policy::{self, Policy};
use super::present::Presents;
use super::report::Report;
use super::running::Running;
use super::volumes::{self, Look, Partition, Partitions};
use super::wishes::Wishes;
use crate::Host;
use crate::console::Console;
use crate::settings::Settings;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Order {
    /// The machine.
    pub host: Host,
    /// The generation that boots next.
    pub toplevel: PathBuf,
    /// Only the plan is wanted.
    pub dry_run: bool,
    /// Nothing that earlier runs found is believed.
    pub verify: bool,
    /// Mount points may be folders, on any file system.
    pub any_file_system: bool,
    /// Whether a bar is shown on a terminal.
    pub progress: bool,
}

/// Installs. The second part says what went wrong although the machine boots what it should: a partition that was not there, or garbage that stays.
///
/// # Errors
/// [`InstallError`]; every partition is as it was then.
pub fn install(order: &Order) -> Result<(Report, Vec<String>), InstallError> {
    let console = Console::new(order.progress);
    let host = &order.host;
    let toplevel = host
        .canonical(&order.toplevel)
        .map_err(|source| InstallError::Toplevel {
            toplevel: order.toplevel.clone(),
            source,
        })?;
    let settings = Settings::of(host, &toplevel)?;
    let (partitions, failed) =
        volumes::open(host, &settings, order.any_file_system, !order.dry_run)?;
    let running = Running::of(host)?;
    let state = host.at(&settings.state);
    let mut known = Known::open(&state, order.verify);
    let mut found = candidates::all(host, &mut known, &running, &toplevel)?;
    let default = candidates::default(host, &mut found, &toplevel)?;
    let session = Session {
        order,
        settings: &settings,
        partitions: &partitions,
        running: &running,
        candidates: &found,
        default: &default,
        booted: candidates::booted(&found, &running),
        state: &state,
        console: &console,
        judge: Judge::on(host, &settings, &found, &default)?,
    };
    loop {
        let mut work =
            Work::open(&state, order.dry_run).map_err(|source| state_error(&state, source))?;
        if let Some((report, mut trouble)) = session.attempt(&mut known, &mut work, &failed)? {
            trouble.extend(failed);
            return Ok((report, trouble));
        }
    }
}

/// What does not change while an installation is planned.
pub(super) struct Session<'a> {
    pub(super) order: &'a Order,
    pub(super) settings: &'a Settings,
    pub(super) partitions: &'a [Partitions],
    pub(super) running: &'a Running,
    pub(super) candidates: &'a [Candidate],
    pub(super) default: &'a Default,
    pub(super) booted: Option<Identity>,
    pub(super) state: &'a Path,
    pub(super) console: &'a Console,
    pub(super) judge: Option<Judge>,
}

/// A partition, and what is to be on it.
pub(super) struct Wanted<'a> {
    pub(super) partition: &'a Partition,
    pub(super) look: &'a Look,
    pub(super) desired: Desired,
}

/// What is found on a pair of partitions.
pub(super) struct Looks {
    pub(super) esp: Look,
    pub(super) xbootldr: Option<Look>,
}

impl Looks {
    pub(super) fn boot(&self) -> &Look {
        self.xbootldr.as_ref().unwrap_or(&self.esp)
    }
}

impl Session<'_> {
    /// One attempt. None when an image turned out otherwise than it was before, so that everything is planned again.
    fn attempt(
        &self,
        known: &mut Known,
        work: &mut Work,
        failed: &[String],
    ) -> Result<Option<(Report, Vec<String>)>, InstallError> {
        let looks = self.look()?;
        let first = looks.first().map(Looks::boot);
        let first = first.ok_or_else(|| InstallError::NoVolume(failed.to_vec()))?;
        let circumstances = Circumstances {
            default: self.default,
            booted: self.booted.as_ref(),
            running: self.running,
            present: &first.present,
            limit: self.settings.configuration_limit,
        };
        let mut manifests = Manifests::new(&self.order.host, work.folder());
        let mut maker = self.maker(known, &mut manifests, work, &first.present);
        let decision = decide(self.candidates, &circumstances, &mut maker)?;
        let (_, id) = decision
            .next(self.default)
            .ok_or(InstallError::NothingBootable)?;
        let programs = self.programs(&decision)?;
        let policy = self.policy(&decision, first, known, work)?;
        let mut report = Report::new(self.order.dry_run, &decision, self.default, &id);
        report.failed = failed.to_vec();
        report.notes = self.notes(&id, first);
        report.notes.extend_from_slice(manifests.notes());
        let wishes = Wishes {
            host: &self.order.host,
            settings: self.settings,
            decision: &decision,
            running: self.running,
            policy: policy.as_ref(),
        };
        let mut wanted = Vec::new();
        for (pair, looks) in self.partitions.iter().zip(&looks) {
            let files = self.fixed(
                pair,
                looks,
                programs.as_ref(),
                &id,
                known,
                work,
                &mut report,
            )?;
            wanted.extend(self.pair(&wishes, pair, looks, files, known)?);
            self.check_first(&wishes, pair, looks, &wanted, programs.as_ref(), &id)?;
        }
        let mut state = Verified::read(self.state);
        let mut plans = Vec::new();
        for one in &wanted {
            let fs = &one.partition.fs;
            let mut digests = state.digests(fs.name(), self.trust(&decision));
            let plan = Plan::make(fs, &one.desired, &one.look.observed, &mut digests)?;
            report.add(one.partition, &plan);
            plans.push((one.partition, plan, digests));
        }
        if let Some(policy) = &policy {
            report.admit(policy, self.machine_policy(policy).is_some());
        }
        self.note_space(&mut report, &decision, &plans);
        if self.order.dry_run {
            return Ok(Some((report, Vec::new())));
        }
        if self.provide(&plans, known, work)? == Again::Different {
            return Ok(None);
        }
        let published = manifests.publish();
        published.map_err(|(file, source)| state_error(&file, source))?;
        let mut trouble = self.transact(&plans, policy.as_ref())?;
        trouble.extend(self.forget(&wanted, known, &mut report));
        if decision.collect {
            trouble.extend(manifests::collect(&self.order.host, self.candidates));
        }
        self.keep(&mut state, plans, known)?;
        report.notes.extend(self.announce(&wanted));
        Ok(Some((report, trouble)))
    }

    fn look(&self) -> Result<Vec<Looks>, InstallError> {
        let mut fixed: Vec<EspPath> = self.settings.extra_files.keys().cloned().collect();
        for path in [
            "EFI/systemd/a",
            "EFI/BOOT/a",
            conf::PATH,
            "loader/entries/a",
        ] {
            fixed.extend(EspPath::parse(path));
        }
        if let Some(policy) = &self.settings.policy {
            fixed.extend(EspPath::parse(&policy.output.to_string_lossy()));
        }
        self.partitions
            .iter()
            .map(|pair| {
                let xbootldr = pair.xbootldr.as_ref();
                Ok(Looks {
                    esp: pair.esp.look(&fixed)?,
                    xbootldr: xbootldr.map(|one| one.look(&fixed)).transpose()?,
                })
            })
            .collect()
    }

    fn maker<'m>(
        &'m self,
        known: &'m mut Known,
        manifests: &'m mut Manifests,
        work: &'m mut Work,
        present: &'m Presents,
    ) -> Maker<'m> {
        let machine_id = self.order.host.resolve("/etc/machine-id");
        let machine_id = machine_id.and_then(std::fs::read_to_string).ok();
        let machine_id = machine_id.map(|text| text.trim().to_owned());
        Maker {
            host: &self.order.host,
            settings: self.settings,
            next: &self.default.identity,
            known,
            manifests,
            work,
            progress: self.console,
            judge: self.judge.as_ref(),
            present,
            machine_id: machine_id
                .filter(|id| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())),
        }
    }

    fn programs(&self, decision: &Decision<'_>) -> Result<Option<Programs>, InstallError> {
        let host = &self.order.host;
        let kept = decision.kept.iter();
        let mut next = kept.filter(|kept| kept.identity == self.default.identity);
        let next = next.next().ok_or(InstallError::NothingBootable)?;
        let key = signing_key(host, self.settings);
        Programs::of(host, self.settings, next.generation, key)
    }

    fn policy(
        &self,
        decision: &Decision<'_>,
        first: &Look,
        known: &mut Known,
        work: &Work,
    ) -> Result<Option<Policy>, InstallError> {
        let Some(settings) = &self.settings.policy else {
            return Ok(None);
        };
        let parts = policy::Parts {
            host: &self.order.host,
            settings,
            decision,
            default: self.default,
            booted: self.booted.as_ref(),
            running: self.running,
            present: &first.present,
        };
        parts.make(known, work, self.console).map(Some)
    }

    /// What is hashed again at each run beside the files of one name: what boots next, and what runs.
    fn trust(&self, decision: &Decision<'_>) -> Trust {
        let kept = decision.kept.iter().filter(|kept| {
            kept.reasons.contains(&Reason::Default) || kept.reasons.contains(&Reason::Booted)
        });
        let entries = kept.flat_map(|kept| &kept.entries);
        let paths = entries.flat_map(|wanted| {
            let artifacts = wanted.artifacts.iter().map(|file| file.path.clone());
            wanted.name.path().into_iter().chain(artifacts)
        });
        Trust {
            always: paths.collect(),
            nothing: self.order.verify,
        }
    }
}

pub(super) fn state_error(file: &Path, source: std::io::Error) -> InstallError {
    InstallError::State {
        file: file.to_owned(),
        source,
    }
}
