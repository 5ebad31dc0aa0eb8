//! A machine: its ESP, what it wants there, and what it does.

use std::collections::BTreeSet;

use touchstone_esp::{
    BootCount, EspPath, FileSystem, Observed, Plan, Silent, TransactionError, Trust, Verified,
    transact,
};

use crate::disk::Disk;
use crate::losses::Losses;
use crate::oracle::{self, Expected, Shown, Violation, said};
use crate::random::Random;
use crate::saboteur::Saboteur;
use crate::state::{Fault, FaultKind};
use crate::volume::Volume;
use crate::world::{LOADER_CONF, POLICY, System, World};

pub struct Machine {
    pub disk: Disk,
    pub world: World,
    verified: Verified,
    /// The generation that runs.
    pub running: Option<u64>,
    clock: u64,
    saboteur: Saboteur,
}

/// Who lies between a run and the disk.
type Hands<'a> = &'a mut Losses;

impl Machine {
    /// A machine without anything on its ESP.
    pub fn new(saboteur: Saboteur) -> Self {
        Self {
            disk: Disk::default(),
            world: World::new(),
            verified: Verified::default(),
            running: None,
            clock: 0,
            saboteur,
        }
    }

    /// A new day: files that are written from now on have another time stamp.
    fn mount(&mut self, random: &mut Random) -> Volume {
        self.clock += u64::from(random.percent(50));
        Volume::mount(self.disk.clone(), self.clock).with_saboteur(self.saboteur)
    }

    /// What must hold while something is installed.
    fn expected(&self) -> Expected {
        let menu = oracle::menu(&self.disk, &self.world).unwrap_or_default();
        let mut expected = Expected {
            fresh: said(self.world.tries.map(BootCount::new)),
            loader: oracle::has_loader(&self.disk, &self.world),
            settings: oracle::is_there(&self.disk, LOADER_CONF),
            policy: oracle::is_there(&self.disk, POLICY),
            // One that people deleted is booted all the same while its entry is there; the policy has not to admit it.
            running: self
                .running
                .filter(|running| oracle::admits(&self.disk, &self.world, *running)),
            ..Expected::default()
        };
        for shown in &menu {
            if Some(shown.system.generation) == self.running {
                expected.bootable.insert(shown.system.clone());
            }
            expected.admitted.insert(shown.system.generation);
            let counts = expected
                .counters
                .entry(shown.listed.id.clone())
                .or_default();
            counts.insert(said(shown.listed.count));
            if self.world.tries.is_none() {
                // Nothing is counted any more.
                counts.insert(None);
            }
        }
        expected
    }

    /// Installs what is wanted; power may be lost at any moment of it.
    pub fn install(&mut self, random: &mut Random, losses: Hands<'_>) -> Result<(), Violation> {
        losses.tell(format_args!(
            "install {:?}, loader {}, tries {:?}, running {:?}",
            self.world.generations, self.world.loader, self.world.tries, self.running
        ));
        let volume = self.mount(random);
        let mut verified = self.verified.clone();
        let result = self.run(&volume, &mut verified);
        result.unwrap_or_else(|error| panic!("{error}"));
        let lost = self.look_at_losses(&volume, random, losses)?;
        match lost {
            Some(disk) => self.disk = disk,
            None => {
                self.disk = volume.live();
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
        losses: Hands<'_>,
    ) -> Result<(), Violation> {
        let mut trial = self.verified.clone();
        let measured = self.mount(random);
        self.run(&measured, &mut trial)
            .unwrap_or_else(|error| panic!("{error}"));
        let fault = Fault {
            step: random.below(measured.steps()),
            kind: *random.one(&[FaultKind::Device, FaultKind::Full]),
        };
        losses.tell(format_args!("install with {fault:?}"));
        let volume = self.mount(random).with_fault(fault);
        let mut verified = self.verified.clone();
        let result = self.run(&volume, &mut verified);
        let lost = self.look_at_losses(&volume, random, losses)?;
        let left = volume.live();
        match result {
            Err(Failed::Refused | Failed::Undone) => is_as_it_was(&self.disk, &left, fault),
            Err(Failed::Other(text)) => panic!("{fault:?}: {text}"),
            Ok(()) | Err(Failed::Collection) => {}
        }
        self.disk = lost.unwrap_or(left);
        Ok(())
    }

    /// A run of the installer.
    fn run(&mut self, volume: &Volume, verified: &mut Verified) -> Result<(), Failed> {
        let desired = self.world.desired(self.running);
        let mut digests = verified.digests(volume.name(), Trust::default());
        let observed = Observed::look(volume, &desired).map_err(Failed::refused)?;
        let plan =
            Plan::make(volume, &desired, &observed, &mut digests).map_err(Failed::refused)?;
        let result = transact(&[(volume, &plan)], &mut Silent);
        result.map_err(|error| match error {
            TransactionError::Undone(_) => Failed::Undone,
            TransactionError::Collection(_) => Failed::Collection,
            TransactionError::Left { .. } => Failed::Other(error.to_string()),
        })?;
        digests
            .written(volume, &plan)
            .map_err(|_| Failed::Collection)?;
        verified.keep(digests);
        Ok(())
    }

    /// After a run that went well everything is there, and a second one has nothing to do.
    fn is_complete(&mut self) -> Result<(), Violation> {
        let desired = self.world.desired(self.running);
        let menu = oracle::menu(&self.disk, &self.world)?;
        for entry in &desired.entries {
            let id = entry.path.name().to_ascii_lowercase();
            assert!(
                menu.iter().any(|shown| shown.listed.id == id),
                "{id} is missing"
            );
        }
        let volume = Volume::mount(self.disk.clone(), self.clock);
        let mut digests = self.verified.digests(
            volume.name(),
            Trust {
                always: Vec::new(),
                nothing: true,
            },
        );
        let observed = Observed::look(&volume, &desired).unwrap();
        let plan = Plan::make(&volume, &desired, &observed, &mut digests).unwrap();
        assert!(plan.is_empty(), "{plan:#?}");
        Ok(())
    }

    fn look_at_losses(
        &mut self,
        volume: &Volume,
        random: &mut Random,
        losses: Hands<'_>,
    ) -> Result<Option<Disk>, Violation> {
        let expected = self.expected();
        let world = &self.world;
        losses.look(&volume.moments(), random, |disk| {
            oracle::check(disk, world, &expected)
        })
    }

    /// Starts the machine: the loader takes an attempt from the entry that it starts. Returns whether anything was started.
    pub fn boot(
        &mut self,
        random: &mut Random,
        losses: Hands<'_>,
    ) -> Result<Option<Shown>, Violation> {
        let menu = oracle::menu(&self.disk, &self.world)?;
        let Some(shown) = oracle::starts(&menu).cloned() else {
            return Ok(None);
        };
        if let Some(count) = shown.listed.count {
            let to = renamed(&shown, Some(count.attempt()));
            match self.rename(&shown, &to, random, losses)? {
                Renamed::Lost => return self.boot(random, losses),
                Renamed::Done | Renamed::Taken => {}
            }
        }
        self.running = Some(shown.system.generation);
        Ok(Some(shown))
    }

    /// Marks the entry that was started as good.
    pub fn bless(
        &mut self,
        started: &Shown,
        random: &mut Random,
        losses: Hands<'_>,
    ) -> Result<(), Violation> {
        let menu = oracle::menu(&self.disk, &self.world)?;
        let counted =
            |shown: &&Shown| shown.listed.id == started.listed.id && shown.listed.count.is_some();
        if let Some(shown) = menu.iter().find(counted) {
            let to = renamed(shown, None);
            self.rename(shown, &to, random, losses)?;
        }
        Ok(())
    }

    /// What the boot loader and systemd-bless-boot do: they rename, and sync. FAT may lose both names; no installer can help that, but
    /// all other entries stay.
    fn rename(
        &mut self,
        shown: &Shown,
        to: &str,
        random: &mut Random,
        losses: Hands<'_>,
    ) -> Result<Renamed, Violation> {
        losses.tell(format_args!("rename {} to {to}", shown.path));
        let volume = self.mount(random);
        let parse = |path: &str| EspPath::parse(path).unwrap();
        if volume.rename(&parse(&shown.path), &parse(to)).is_err() {
            return Ok(Renamed::Taken);
        }
        let mut expected = self.expected();
        let menu = oracle::menu(&self.disk, &self.world)?;
        expected.bootable = menu
            .iter()
            .filter(|other| other.path != shown.path)
            .map(|other| other.system.clone())
            .collect::<BTreeSet<System>>();
        let (_, count) = BootCount::split(to);
        let counts = expected
            .counters
            .entry(shown.listed.id.clone())
            .or_default();
        counts.insert(said(count));
        let world = &self.world;
        let lost = losses.look(&volume.moments(), random, |disk| {
            oracle::check(disk, world, &expected)
        })?;
        volume.sync().unwrap();
        match lost.filter(|disk| !expected.bootable.is_empty() || !disk_is_empty(disk, world)) {
            Some(disk) => {
                self.disk = disk;
                Ok(Renamed::Lost)
            }
            None => {
                self.disk = volume.live();
                Ok(Renamed::Done)
            }
        }
    }
}

enum Renamed {
    Done,
    /// A file has the name already, after an interrupted rename.
    Taken,
    /// Power was lost.
    Lost,
}

/// How a run of the installer ended that did not end well.
#[derive(Debug)]
enum Failed {
    Refused,
    Undone,
    Collection,
    Other(String),
}

impl Failed {
    fn refused(_: impl std::fmt::Display) -> Self {
        Self::Refused
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, formatter)
    }
}

fn disk_is_empty(disk: &Disk, world: &World) -> bool {
    oracle::menu(disk, world).is_ok_and(|menu| menu.is_empty())
}

fn renamed(shown: &Shown, count: Option<BootCount>) -> String {
    let (uncounted, _) = BootCount::split(&shown.path);
    let (stem, extension) = uncounted.rsplit_once('.').unwrap_or((&uncounted, ""));
    let count = count.map(|count| count.to_string()).unwrap_or_default();
    format!("{stem}{count}.{extension}")
}

/// Everything is as it was; what interrupted runs left may have gone.
fn is_as_it_was(before: &Disk, after: &Disk, fault: Fault) {
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
