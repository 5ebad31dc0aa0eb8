//! The partitions: opened, looked at, locked.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use touchstone_esp::fs::Real;
use touchstone_esp::{Desired, EspPath, File, Observed};

use super::error::InstallError;
use super::present::Presents;
use crate::Host;
use crate::settings::{Settings, Volume};

/// An EFI system partition, and the extended boot loader partition of the same disk.
pub struct Partitions {
    /// The EFI system partition: boot loader and `loader.conf`.
    pub esp: Partition,
    /// Where entries lie, if that is another one.
    pub xbootldr: Option<Partition>,
}

/// A mounted partition.
pub struct Partition {
    /// Where it is mounted, as the machine calls it.
    pub mount: PathBuf,
    /// Where that is for this program.
    pub place: PathBuf,
    /// Its file system.
    pub fs: Real,
}

/// What was found on a partition.
pub struct Look {
    /// Everything that matters.
    pub observed: Observed,
    /// The entries.
    pub present: Presents,
}

/// FAT, as statfs(2) calls it.
const MSDOS: i64 = 0x4d44;

impl Partitions {
    /// Both partitions in the order of their work: entries before the loader.
    pub fn each(&self) -> impl Iterator<Item = &Partition> {
        self.xbootldr.iter().chain([&self.esp])
    }

    /// Where entries lie.
    pub fn boot(&self) -> &Partition {
        self.xbootldr.as_ref().unwrap_or(&self.esp)
    }
}

impl Partition {
    /// Looks at it. `fixed` are the files of one name that may be written.
    ///
    /// # Errors
    /// [`InstallError::Refusal`].
    pub fn look(&self, fixed: &[EspPath]) -> Result<Look, InstallError> {
        let content = || touchstone_esp::Content::Bytes(Vec::new());
        let files = fixed.iter().map(|path| File {
            path: path.clone(),
            content: content(),
        });
        let desired = Desired {
            fixed: files.collect(),
            ..Desired::default()
        };
        let observed = Observed::look(&self.fs, &desired)?;
        let files = observed.files().map(|(path, _)| path);
        let present = Presents::among(self.place.clone(), files);
        Ok(Look { observed, present })
    }
}

/// Opens all partitions, and takes the lock of each where something is to be written. A pair that cannot be opened is named in the second part.
///
/// # Errors
/// [`InstallError::NoVolume`] when none can be.
pub fn open(
    host: &Host,
    settings: &Settings,
    any: bool,
    lock: bool,
) -> Result<(Vec<Partitions>, Vec<String>), InstallError> {
    let mut opened = Vec::new();
    let mut failed = Vec::new();
    for Volume { esp, xbootldr } in &settings.volumes {
        let pair = partition(host, esp, any).and_then(|esp| {
            let xbootldr = xbootldr.as_deref();
            let xbootldr = xbootldr.map(|mount| partition(host, mount, any));
            Ok(Partitions {
                esp,
                xbootldr: xbootldr.transpose()?,
            })
        });
        match pair {
            Ok(pair) => opened.push(pair),
            Err(why) => failed.push(why),
        }
    }
    if opened.is_empty() {
        return Err(InstallError::NoVolume(failed));
    }
    if lock {
        take_locks(&opened)?;
    }
    Ok((opened, failed))
}

/// Takes the locks in an order that is the same for every installer, so that no two wait for each other.
fn take_locks(opened: &[Partitions]) -> Result<(), InstallError> {
    let mut partitions: Vec<&Partition> = opened.iter().flat_map(Partitions::each).collect();
    partitions.sort_by_key(|partition| &partition.place);
    for partition in partitions {
        let mount = partition.mount.display();
        let wait = |_: &str| eprintln!("waiting for another installer on {mount}");
        let failed = |source| {
            let why = format!("{mount} cannot be locked: {source}\n  help: mount it again");
            InstallError::NoVolume(vec![why])
        };
        partition.fs.lock(wait).map_err(failed)?;
    }
    Ok(())
}

fn partition(host: &Host, mount: &Path, any: bool) -> Result<Partition, String> {
    let failed = |source: io::Error| {
        format!(
            "{} cannot be opened: {source}\n  help: mount it, or correct the mount point in the configuration",
            mount.display()
        )
    };
    let place = host.resolve(mount).map_err(failed)?;
    if !any {
        check(mount, &place)?;
    }
    let fs = Real::open(&place).map_err(failed)?;
    Ok(Partition {
        mount: mount.to_owned(),
        place,
        fs,
    })
}

/// A folder that is no mount point would fill the root file system, and the machine would not boot of it.
fn check(mount: &Path, place: &Path) -> Result<(), String> {
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev());
    let above = place.join("..");
    let refused = |fact: &str| {
        Err(format!(
            "{} {fact}\n  help: look at its mount unit with `systemctl status {}`, or correct the mount point in the configuration",
            mount.display(),
            unit(mount)
        ))
    };
    match (device(place), device(&above)) {
        (Ok(own), Ok(other)) if own == other => {
            return refused("is no mount point: the partition is not mounted there");
        }
        (Ok(_), Ok(_)) => (),
        (Err(error), _) | (_, Err(error)) => {
            return refused(&format!("cannot be looked at: {error}"));
        }
    }
    match rustix::fs::statfs(place) {
        Ok(found) if found.f_type == MSDOS => Ok(()),
        Ok(_) => refused("is no FAT file system, and firmware reads no other"),
        Err(error) => refused(&format!("cannot be looked at: {error}")),
    }
}

/// The name of a mount unit, for plain paths.
fn unit(mount: &Path) -> String {
    let path = mount.to_string_lossy();
    let escaped = path
        .trim_matches('/')
        .replace('-', "\\x2d")
        .replace('/', "-");
    format!("'{escaped}.mount'")
}
