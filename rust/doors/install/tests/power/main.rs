//! Blessing an entry, on the model of a FAT that loses power: after every operation, for every way in which what was not on the disk yet may have
//! come to it.
//!
//! The model is that of `touchstone-esp`, whose tests say what it does.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)] // tests end loudly

// Not all of the model is used here.
#[allow(dead_code)]
#[path = "../../../../compose/esp/tests/model/disk.rs"]
mod disk;
#[allow(dead_code)]
#[path = "../../../../compose/esp/tests/model/saboteur.rs"]
mod saboteur;
#[allow(dead_code)]
#[path = "../../../../compose/esp/tests/model/state.rs"]
mod state;
#[allow(dead_code)]
#[path = "../../../../compose/esp/tests/model/volume.rs"]
mod volume;

use std::io::Write;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use touchstone_esp::{BootCount, EspPath, FileSystem};
use touchstone_install::assess::{AssessError, Mark, Which, assess};

use disk::{Disk, Outcome};
use state::Moment;
use volume::Volume;

/// An entry that is being tried, and another beside it.
struct Case {
    disk: Disk,
    folder: &'static str,
    counted: String,
    content: Vec<u8>,
}

fn named(content: &[u8], count: &str, extension: &str) -> String {
    let digest = HEXLOWER.encode(&Sha256::digest(content));
    format!("nixos-7-{}{count}{extension}", &digest[..32])
}

fn path(folder: &str, name: &str) -> EspPath {
    EspPath::parse(&format!("{folder}/{name}")).unwrap()
}

const OTHER: &[u8] = b"another entry";

impl Case {
    /// `size` is that of the entry, in bytes.
    fn new(folder: &'static str, extension: &str, size: usize) -> Self {
        let content: Vec<u8> = (0..size).map(|byte| (byte % 251) as u8).collect();
        let counted = named(&content, "+1-1", extension);
        let [volume, _] = Volume::mount(Disk::default(), 1);
        for part in [folder.split('/').next().unwrap(), folder] {
            volume
                .create_folder(&EspPath::parse(part).unwrap())
                .unwrap();
        }
        let other = format!(
            "nixos-6-{}{extension}",
            &HEXLOWER.encode(&Sha256::digest(OTHER))[..32]
        );
        for (name, content) in [(&counted, content.as_slice()), (&other, OTHER)] {
            let mut writer = volume.create(&path(folder, name)).unwrap();
            writer.write_all(content).unwrap();
            volume.sync_file(writer).unwrap();
        }
        volume.sync().unwrap();
        Self {
            disk: volume.live(),
            folder,
            counted,
            content,
        }
    }

    fn mark(&self, mark: Mark) -> Volume {
        let [volume, _] = Volume::mount(self.disk.clone(), 2);
        let which = Which::Counted(path(self.folder, &self.counted));
        assess(&[&volume], &which, mark)
            .unwrap()
            .pop()
            .unwrap()
            .unwrap();
        volume
    }

    fn id(&self) -> String {
        BootCount::split(&self.counted).0
    }

    /// What is wrong on a disk.
    fn judge(&self, disk: &Disk) -> Result<(), String> {
        let mut found = (false, false);
        for (_, slot) in disk.slots_in(&format!("0/{}", self.folder)) {
            let name = slot.visible().to_ascii_lowercase();
            let content = disk.read(slot).ok();
            let known = [Some(self.content.clone()), Some(OTHER.to_vec())].contains(&content);
            if !name.ends_with(".tmp") && !known {
                return Err(format!("{name} is listed, and torn"));
            }
            found.0 |= BootCount::split(&name).0 == self.id();
            found.1 |= content.as_deref() == Some(OTHER);
        }
        match found {
            (true, true) => Ok(()),
            (false, _) => Err("the entry is lost".to_owned()),
            (_, false) => Err("another entry is lost".to_owned()),
        }
    }

    /// Judges every disk that a loss of power may leave, and what blessing makes of it afterwards. The answer is how many there were, and what was
    /// wrong.
    fn lose_power(&self, moments: &[Moment]) -> (usize, Vec<String>) {
        let mut count = 0;
        let mut wrong = Vec::new();
        for moment in moments {
            for outcomes in all_outcomes(moment) {
                let disk = moment.lose(&outcomes);
                count += 1;
                let judged = self.judge(&disk).and_then(|()| self.bless_again(disk));
                wrong.extend(
                    judged
                        .err()
                        .map(|why| format!("in {}: {why}", moment.operation)),
                );
            }
        }
        (count, wrong)
    }

    fn bless_again(&self, disk: Disk) -> Result<(), String> {
        let [volume, _] = Volume::mount(disk, 3);
        let blessed = assess(&[&volume], &Which::Named(self.id()), Mark::Good);
        match blessed.map_err(|error| error.to_string())?.pop() {
            // Two counters of one entry there cannot be, as this program leaves none.
            Some(Err(error @ AssessError::Several { .. })) => Err(error.to_string()),
            Some(Err(error)) => Err(error.to_string()),
            _ => self.judge(&volume.live()),
        }
    }
}

/// Every way in which writes may have come to the disk, or not.
fn all_outcomes(moment: &Moment) -> Vec<Vec<Outcome>> {
    let mut all = vec![Vec::new()];
    for atom in &moment.pending {
        let outcomes = atom.outcomes(&moment.durable);
        let longer = all.into_iter().flat_map(|one: Vec<Outcome>| {
            let next = move |outcome: &Outcome| [one.as_slice(), &[*outcome]].concat();
            outcomes.iter().map(next).collect::<Vec<_>>()
        });
        all = longer.collect();
    }
    all
}

#[test]
fn the_entry_that_is_blessed_is_never_lost() {
    let mut total = 0;
    for (folder, extension) in [("EFI/Linux", ".efi"), ("loader/entries", ".conf")] {
        for size in [1, 64, 200] {
            let case = Case::new(folder, extension, size);
            let volume = case.mark(Mark::Good);
            let names: Vec<_> = volume
                .live()
                .slots()
                .map(|slot| slot.visible().to_owned())
                .collect();
            assert!(names.contains(&case.id()) && names.len() == 2, "{names:?}");
            let (count, wrong) = case.lose_power(&volume.moments());
            assert_eq!(wrong, [""; 0], "{folder}, {size} bytes");
            total += count;
        }
    }
    assert!(total > 500, "{total} losses of power are few");
}

/// What systemd does, and what this program does for entries that are bad anyhow: the judge sees what it costs.
#[test]
fn an_entry_that_is_only_renamed_can_be_lost() {
    let case = Case::new("EFI/Linux", ".efi", 64);
    let (_, wrong) = case.lose_power(&case.mark(Mark::Bad).moments());
    assert!(
        wrong.iter().any(|why| why.contains("the entry is lost")),
        "{wrong:?}"
    );
}
