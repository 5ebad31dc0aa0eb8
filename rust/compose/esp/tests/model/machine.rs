//! A machine: its disks, what it wants there, and how it installs that.

use std::collections::BTreeSet;

use touchstone_esp::{
    BootCount, Desired, FileSystem, Observed, Plan, Refusal, Silent, TransactionError, Trust,
    Verified, transact,
};

use crate::disk::Disk;
use crate::losses::Losses;
use crate::oracle::{self, Expected, Violation, said};
use crate::random::Random;
use crate::saboteur::Saboteur;
use crate::state::{Fault, FaultKind, Moment};
use crate::volume::Volume;
use crate::world::{LOADER_CONF, Layout, POLICY, View, World};

pub struct Machine {
    pub disk: Disk,
    pub world: World,
    verified: Verified,
    /// The generation that runs.
    pub running: Option<u64>,
    clock: u64,
    saboteur: Saboteur,
}

/// What must hold, for each way to boot.
pub type Demands = Vec<(View, Expected)>;

impl Machine {
    /// A machine without anything on its disks.
    pub fn new(layout: Layout, saboteur: Saboteur) -> Self {
        Self {
            disk: Disk::default(),
            world: World::new(layout),
            verified: Verified::default(),
            running: None,
            clock: 0,
            saboteur,
        }
    }

    /// A new day: files that are written from now on have another time stamp.
    pub fn mount(&mut self, random: &mut Random) -> [Volume; 2] {
        self.clock += u64::from(random.percent(50));
        let volumes = Volume::mount(self.disk.clone(), self.clock);
        volumes[0].sabotage(self.saboteur);
        volumes
    }

    /// What must hold while something is installed.
    pub fn demands(&self) -> Demands {
        let views = self.world.layout.views().iter();
        views.map(|view| (*view, self.expected(*view))).collect()
    }

    fn expected(&self, view: View) -> Expected {
        let (disk, world) = (&self.disk, &self.world);
        let mut expected = Expected {
            fresh: said(world.tries.map(BootCount::new)),
            loader: oracle::has_loader(disk, world, view),
            settings: oracle::is_there(disk, view, LOADER_CONF),
            policy: oracle::is_there(disk, view, POLICY),
            // One that people deleted is booted all the same while its entry is there; the policy has not to admit it.
            running: self
                .running
                .filter(|running| oracle::admits(disk, world, view, *running)),
            ..Expected::default()
        };
        for shown in &oracle::menu(disk, world, view).unwrap_or_default() {
            if Some(shown.system.generation) == self.running {
                expected.bootable.insert(shown.system.clone());
            }
            expected.admitted.insert(shown.system.generation);
            let counts = expected.counters.entry(shown.listed.id.clone());
            let counts = counts.or_default();
            counts.insert(said(shown.listed.count));
            if world.tries.is_none() {
                // Nothing is counted any more.
                counts.insert(None);
            }
        }
        expected
    }

    /// Installs what is wanted; power may be lost at any moment of it.
    pub fn install(&mut self, random: &mut Random, losses: &mut Losses) -> Result<(), Violation> {
        losses.tell(format_args!(
            "install {:?}, loader {}, tries {:?}, running {:?}",
            self.world.generations, self.world.loader, self.world.tries, self.running
        ));
        let volumes = self.mount(random);
        let mut verified = self.verified.clone();
        let result = self.run(&volumes, &mut verified);
        if volumes[0].is_read_only() {
            let lost = self.lose_power(&volumes[0].moments(), &self.demands(), random, losses)?;
            self.check_disks(&result, lost, volumes[0].live(), losses);
            return self.install(random, losses);
        }
        result.unwrap_or_else(|error| panic!("{error:?}"));
        match self.lose_power(&volumes[0].moments(), &self.demands(), random, losses)? {
            Some(disk) => self.disk = disk,
            None => {
                self.disk = volumes[0].live();
                self.verified = verified;
                self.is_complete()?;
            }
        }
        Ok(())
    }

    /// Installs with an operation that fails: all is as it was, or all is there.
    pub fn install_with_fault(
        &mut self,
        random: &mut Random,
        losses: &mut Losses,
    ) -> Result<(), Violation> {
        let measured = self.mount(random);
        let result = self.run(&measured, &mut self.verified.clone());
        if measured[0].is_read_only() {
            return self.install(random, losses);
        }
        result.unwrap_or_else(|error| panic!("{error:?}"));
        let fault = Fault {
            step: random.below(measured[0].steps()),
            kind: *random.one(&[FaultKind::Device, FaultKind::Full]),
        };
        losses.tell(format_args!("install with {fault:?}"));
        let volumes = self.mount(random);
        volumes[0].fail(fault);
        let result = self.run(&volumes, &mut self.verified.clone());
        let lost = self.lose_power(&volumes[0].moments(), &self.demands(), random, losses)?;
        let left = volumes[0].live();
        match result {
            Err(Failed::Refused | Failed::Undone) => is_as_it_was(&self.disk, &left, &fault),
            Err(Failed::Left(text)) => panic!("{fault:?}: {text}"),
            Ok(()) | Err(Failed::Collection) => {}
        }
        self.disk = lost.unwrap_or(left);
        Ok(())
    }

    /// Linux takes no more writes on a FAT in which it met a file whose clusters are free: a leftover, before anything was done; or the second of two
    /// names that shared theirs, when everything new was there. fsck.fat helps.
    fn check_disks(
        &mut self,
        result: &Result<(), Failed>,
        lost: Option<Disk>,
        after: Disk,
        losses: &mut Losses,
    ) {
        match result {
            Err(Failed::Refused | Failed::Undone) => is_as_it_was(&self.disk, &after, result),
            Err(Failed::Collection) => {}
            other => panic!("{other:?} on what can only be read"),
        }
        losses.tell("fsck.fat");
        self.disk = lost.unwrap_or(after);
        self.disk.check();
    }

    /// A run of the installer.
    fn run(&mut self, volumes: &[Volume; 2], verified: &mut Verified) -> Result<(), Failed> {
        let desired = self.world.desired(self.running);
        let volumes: Vec<(&Volume, &Desired)> = volumes.iter().zip(&desired).collect();
        let mut known = Vec::new();
        let mut plans = Vec::new();
        for (volume, desired) in &volumes {
            let mut digests = verified.digests(volume.name(), Trust::default());
            let observed = Observed::look(*volume, desired).map_err(refused)?;
            plans.push(Plan::make(*volume, desired, &observed, &mut digests).map_err(refused)?);
            known.push(digests);
        }
        let both: Vec<_> = volumes
            .iter()
            .map(|(volume, _)| *volume)
            .zip(&plans)
            .collect();
        transact(&both, &mut Silent).map_err(|error| match error {
            TransactionError::Undone(_) => Failed::Undone,
            TransactionError::Collection(_) => Failed::Collection,
            TransactionError::Left { .. } => Failed::Left(error.to_string()),
        })?;
        for ((volume, plan), mut digests) in both.into_iter().zip(known) {
            let written = digests.written(volume, plan);
            written.map_err(|_| Failed::Collection)?;
            verified.keep(digests);
        }
        Ok(())
    }

    /// After a run that went well everything is there, and a second one has nothing to do.
    fn is_complete(&mut self) -> Result<(), Violation> {
        let desired = self.world.desired(self.running);
        for view in self.world.layout.views() {
            let menu = oracle::menu(&self.disk, &self.world, *view)?;
            for entry in desired.iter().flat_map(|desired| &desired.entries) {
                let id = entry.path.name().to_ascii_lowercase();
                let is_there = menu.iter().any(|shown| shown.listed.id == id);
                assert!(is_there, "{id} is missing");
            }
        }
        let volumes = Volume::mount(self.disk.clone(), self.clock);
        for (volume, desired) in volumes.iter().zip(&desired) {
            let trust = Trust {
                always: Vec::new(),
                nothing: true,
            };
            let mut digests = self.verified.digests(volume.name(), trust);
            let observed = Observed::look(volume, desired).unwrap();
            let plan = Plan::make(volume, desired, &observed, &mut digests).unwrap();
            assert!(plan.is_empty(), "{plan:#?}");
        }
        Ok(())
    }

    /// Judges what a loss of power would leave; returns it, if power is lost.
    pub fn lose_power(
        &self,
        moments: &[Moment],
        demands: &Demands,
        random: &mut Random,
        losses: &mut Losses,
    ) -> Result<Option<Disk>, Violation> {
        losses.look(moments, random, |disk| {
            let mut demands = demands.iter();
            demands
                .try_for_each(|(view, expected)| oracle::check(disk, &self.world, *view, expected))
        })
    }
}

/// How a run of the installer ended that did not end well.
#[derive(Debug)]
enum Failed {
    Refused,
    Undone,
    Collection,
    Left(String),
}

fn refused(_: Refusal) -> Failed {
    Failed::Refused
}

/// Everything is as it was; what interrupted runs left may have gone.
fn is_as_it_was(before: &Disk, after: &Disk, fault: &dyn std::fmt::Debug) {
    let (before, after) = (seen(before), seen(after));
    let new: Vec<_> = after.difference(&before).collect();
    let is_leftover = |name: &str| name.to_ascii_lowercase().ends_with(".tmp");
    let lost: Vec<_> = before
        .difference(&after)
        .filter(|(path, _)| !is_leftover(path))
        .collect();
    assert!(
        new.is_empty() && lost.is_empty(),
        "{fault:?}: new {new:?}, lost {lost:?}"
    );
}

/// All names, and what the files hold.
fn seen(disk: &Disk) -> BTreeSet<(String, Option<String>)> {
    let content = |slot| {
        disk.read(slot)
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    disk.slots()
        .map(|slot| (format!("{}/{}", slot.folder, slot.visible()), content(slot)))
        .collect()
}
