//! What changes entries beside the installer: the boot loader, which counts, and whoever marks an entry as good.

use touchstone_esp::{BootCount, EspPath, FileSystem};

use crate::losses::Losses;
use crate::machine::Machine;
use crate::oracle::{self, Shown, Violation, said};
use crate::random::Random;
use crate::world::View;

/// What was started, and how.
pub struct Started {
    shown: Shown,
    view: View,
}

enum Renamed {
    Done,
    /// A file has the name already, after an interrupted rename.
    Taken,
    /// Power was lost.
    Lost,
}

impl Machine {
    /// Starts the machine: the loader takes an attempt from the entry that it starts. Returns none where nothing can be started.
    pub fn boot(
        &mut self,
        random: &mut Random,
        losses: &mut Losses,
    ) -> Result<Option<Started>, Violation> {
        let view = *random.one(self.world.layout.views());
        let menu = oracle::menu(&self.disk, &self.world, view)?;
        let Some(shown) = oracle::starts(&menu).cloned() else {
            return Ok(None);
        };
        if let Some(count) = shown.listed.count
            && let Renamed::Lost =
                self.rename(view, &shown, Some(count.attempt()), random, losses)?
        {
            return self.boot(random, losses);
        }
        self.running = Some(shown.system.generation);
        Ok(Some(Started { shown, view }))
    }

    /// Marks the entry that was started as good.
    pub fn bless(
        &mut self,
        started: &Started,
        random: &mut Random,
        losses: &mut Losses,
    ) -> Result<(), Violation> {
        let menu = oracle::menu(&self.disk, &self.world, started.view)?;
        let id = &started.shown.listed.id;
        let counted = |shown: &&Shown| shown.listed.id == *id && shown.listed.count.is_some();
        if let Some(shown) = menu.iter().find(counted) {
            self.rename(started.view, shown, None, random, losses)?;
        }
        Ok(())
    }

    /// What the boot loader and systemd-bless-boot do: they rename, and sync. FAT may lose both names; no installer can help that, but
    /// all other entries stay.
    fn rename(
        &mut self,
        view: View,
        shown: &Shown,
        count: Option<BootCount>,
        random: &mut Random,
        losses: &mut Losses,
    ) -> Result<Renamed, Violation> {
        let to = renamed(shown, count);
        losses.tell(format_args!("rename {} to {to}", shown.path));
        let mut demands = self.demands();
        let menu = oracle::menu(&self.disk, &self.world, view)?;
        for (_, expected) in demands
            .iter_mut()
            .filter(|(other, _)| other.loader == view.loader)
        {
            let others = menu.iter().filter(|other| other.path != shown.path);
            expected.bootable = others.map(|other| other.system.clone()).collect();
            let counts = expected.counters.entry(shown.listed.id.clone());
            counts.or_default().insert(said(count));
        }
        let volumes = self.mount(random);
        let volume = &volumes[usize::from(shown.path.starts_with('1'))];
        if volume
            .rename(&on_volume(&shown.path), &on_volume(&to))
            .is_err()
        {
            return Ok(Renamed::Taken);
        }
        let lost = self.lose_power(&volume.moments(), &demands, random, losses)?;
        volume.sync().unwrap();
        // The only entry may be lost with its name: such a machine needs a rescue, and is not looked at any more.
        let lost = lost.filter(|disk| {
            let menu = oracle::menu(disk, &self.world, view);
            menu.is_ok_and(|menu| !menu.is_empty())
        });
        let is_lost = lost.is_some();
        self.disk = lost.unwrap_or_else(|| volume.live());
        Ok(match is_lost {
            true => Renamed::Lost,
            false => Renamed::Done,
        })
    }
}

fn on_volume(path: &str) -> EspPath {
    let (_, path) = path.split_once('/').unwrap();
    EspPath::parse(path).unwrap()
}

fn renamed(shown: &Shown, count: Option<BootCount>) -> String {
    let (uncounted, _) = BootCount::split(&shown.path);
    let (stem, extension) = uncounted.rsplit_once('.').unwrap_or((&uncounted, ""));
    let count = count.map(|count| count.to_string()).unwrap_or_default();
    format!("{stem}{count}.{extension}")
}
