//! A new name for an entry, on a file system on which a rename is not one step.
//!
//! When power is lost in a rename on FAT, both names may be left, or neither. An entry that is not to be tried again may be lost. The one that
//! just booted may not: its content is copied, and is on the disk under the new name before the old one goes.

use std::io::{self, ErrorKind, Read, Write};
use std::str::FromStr;

use sha2::{Digest, Sha256};
use touchstone_esp::order::identify;
use touchstone_esp::{EntryName, EspPath, FileSystem};

use super::AssessError;

/// What stays free on a partition (bytes).
const RESERVE: u64 = 1 << 20;
/// How names begin under which files lie that are not what they are to be yet; the installer knows them as leftovers.
const STAGE: &str = "nixos-stage-";

/// Renames an entry that must not be lost.
pub(super) fn safely<F: FileSystem>(
    volume: &F,
    from: &EspPath,
    to: &EspPath,
) -> Result<(), AssessError> {
    let one = Renaming { volume, from, to };
    match one.copy()? {
        Some(stage) => one.exchange(&stage),
        None => {
            one.check(one.digest()?)?;
            plainly(volume, from, to)
        }
    }
}

/// Renames an entry.
pub(super) fn plainly<F: FileSystem>(
    volume: &F,
    from: &EspPath,
    to: &EspPath,
) -> Result<(), AssessError> {
    let one = Renaming { volume, from, to };
    volume
        .rename(from, to)
        .map_err(one.failed("rename", from))?;
    one.sync()
}

struct Renaming<'a, F> {
    volume: &'a F,
    from: &'a EspPath,
    to: &'a EspPath,
}

impl<F: FileSystem> Renaming<'_, F> {
    /// A copy under a stage name, on the disk; none when there is no room for one.
    fn copy(&self) -> Result<Option<EspPath>, AssessError> {
        if !self.has_room()? {
            return Ok(None);
        }
        let stage = self.free_name()?;
        let copied = self.copy_to(&stage);
        match copied.and_then(|digest| self.check(digest)) {
            Ok(()) => {
                self.sync()?;
                Ok(Some(stage))
            }
            Err(error) => {
                // Nothing but a leftover, which the next installation removes, should this fail too.
                let _ = self.volume.remove(&stage);
                match error {
                    AssessError::Io { source, .. } if source.kind() == ErrorKind::StorageFull => {
                        Ok(None)
                    }
                    other => Err(other),
                }
            }
        }
    }

    /// The copy takes the entry's new name, and then the old one goes.
    fn exchange(&self, stage: &EspPath) -> Result<(), AssessError> {
        let published = self.volume.rename(stage, self.to);
        published.map_err(self.failed("rename", stage))?;
        self.sync()?;
        let removed = self.volume.remove(self.from);
        removed.map_err(self.failed("remove", self.from))?;
        self.sync()
    }

    fn has_room(&self) -> Result<bool, AssessError> {
        let room = self
            .volume
            .room()
            .map_err(self.failed("measure the room for", self.to))?;
        let size = self.size()?;
        let needed = size.checked_next_multiple_of(room.cluster.max(1));
        let needed = needed.and_then(|needed| needed.checked_add(RESERVE));
        Ok(needed.is_some_and(|needed| needed <= room.free))
    }

    fn size(&self) -> Result<u64, AssessError> {
        let listed = self.listed()?;
        let mine = listed
            .iter()
            .find(|found| found.name.eq_ignore_ascii_case(self.from.name()));
        Ok(mine.map_or(u64::MAX, |found| found.size))
    }

    fn listed(&self) -> Result<Vec<touchstone_esp::fs::Found>, AssessError> {
        let listed = self.volume.list(self.from.folder().as_ref());
        listed.map_err(self.failed("list the folder of", self.from))
    }

    /// A stage name that nothing has.
    fn free_name(&self) -> Result<EspPath, AssessError> {
        let listed = self.listed()?;
        let taken = |name: &String| listed.iter().any(|one| one.name.eq_ignore_ascii_case(name));
        // There are fewer files in a folder than numbers.
        let mut names = (0_u32..=u32::MAX).map(|number| format!("{STAGE}{number}.tmp"));
        let name = names.find(|name| !taken(name)).unwrap_or_default();
        Ok(match self.from.folder() {
            Some(folder) => folder.join(&name)?,
            None => EspPath::parse(&name)?,
        })
    }

    fn copy_to(&self, stage: &EspPath) -> Result<[u8; 32], AssessError> {
        let reader = self
            .volume
            .open(self.from)
            .map_err(self.failed("read", self.from))?;
        let mut writer = self
            .volume
            .create(stage)
            .map_err(self.failed("make", stage))?;
        let digest = pass(reader, &mut writer).map_err(self.failed("copy", self.from))?;
        self.volume
            .sync_file(writer)
            .map_err(self.failed("sync", stage))?;
        Ok(digest)
    }

    fn digest(&self) -> Result<[u8; 32], AssessError> {
        let reader = self
            .volume
            .open(self.from)
            .map_err(self.failed("read", self.from))?;
        pass(reader, &mut io::sink()).map_err(self.failed("read", self.from))
    }

    /// An entry of ours is what its name says; what another's should hold nobody knows.
    fn check(&self, digest: [u8; 32]) -> Result<(), AssessError> {
        let (id, _) = identify(self.from.name());
        match EntryName::from_str(&id) {
            Ok(name) if !digest.starts_with(&name.hash) => Err(AssessError::Damaged {
                volume: self.volume.name().to_owned(),
                path: self.from.clone(),
            }),
            _ => Ok(()),
        }
    }

    fn sync(&self) -> Result<(), AssessError> {
        let folder = self.from.folder();
        let synced = self.volume.sync_folder(folder.as_ref());
        let synced = synced.and_then(|()| self.volume.sync());
        synced.map_err(self.failed("sync", self.to))
    }

    fn failed<'a>(
        &'a self,
        what: &'static str,
        path: &'a EspPath,
    ) -> impl FnOnce(io::Error) -> AssessError + 'a {
        move |source| AssessError::Io {
            volume: self.volume.name().to_owned(),
            what,
            path: path.clone(),
            source,
        }
    }
}

/// Hands everything on; the answer is its SHA-256.
fn pass(mut reader: impl Read, writer: &mut impl Write) -> io::Result<[u8; 32]> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; 1 << 16];
    loop {
        let count = match reader.read(&mut chunk) {
            Ok(0) => return Ok(digest.finalize().into()),
            Ok(count) => count,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let read = chunk.get(..count).unwrap_or_default();
        digest.update(read);
        writer.write_all(read)?;
    }
}
