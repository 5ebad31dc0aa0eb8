//! What was hashed, and need not be hashed again: hashing a hundred kernels at each run would cost seconds.
//!
//! A file is believed by its size and its time stamp, which were taken after its content was verified. Whoever can write to the file
//! system can forge both: what this protects from is damage. Read at each run are the files that decide whether the machine boots
//! ([`Trust::always`]), and those whose names do not tell what they hold.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::files::{sha256, write_whole};
use crate::observed::Present;
use crate::{EspPath, FileSystem, Plan, names};

const VERSION: u32 = 1;

/// The state file, which lies outside of the file systems that it is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verified {
    version: u32,
    volumes: BTreeMap<String, Records>,
}

type Records = BTreeMap<String, Record>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    size: u64,
    /// Seconds since 1970, and nanoseconds.
    modified: (u64, u32),
    sha256: String,
}

/// What is not believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// These are hashed whatever the record says; entries without their counter.
    pub always: Vec<EspPath>,
    /// Everything is hashed.
    pub nothing: bool,
}

/// The digests of one file system's files.
#[derive(Clone, Debug)]
pub struct Digests {
    volume: String,
    trust: Trust,
    records: Records,
    /// Asked in this run.
    seen: Records,
}

impl Verified {
    /// Reads the state file. One that is missing, damaged or of another version is as good as none: everything is hashed.
    pub fn read(file: &Path) -> Self {
        let read = std::fs::read(file)
            .ok()
            .and_then(|text| serde_json::from_slice::<Self>(&text).ok());
        read.filter(|state| state.version == VERSION)
            .unwrap_or_default()
    }

    /// What is known of a file system.
    pub fn digests(&self, volume: &str, trust: Trust) -> Digests {
        Digests {
            volume: volume.to_owned(),
            trust,
            records: self.volumes.get(volume).cloned().unwrap_or_default(),
            seen: Records::new(),
        }
    }

    /// Takes over what was asked and written in a run whose plan was made; what was not asked is forgotten.
    pub fn keep(&mut self, digests: Digests) {
        self.volumes.insert(digests.volume, digests.seen);
    }

    /// Writes the state file, whole or not at all; not when it says the same already.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&mut self, file: &Path) -> io::Result<()> {
        self.version = VERSION;
        if Self::read(file) == *self {
            return Ok(());
        }
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        write_whole(file, &text)
    }
}

impl Digests {
    /// SHA-256 of a file that is there: as recorded, or read.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn of(
        &mut self,
        fs: &impl FileSystem,
        path: &EspPath,
        present: Present,
    ) -> io::Result<[u8; 32]> {
        let known = self.seen.get(path.as_str());
        let believed = known.or_else(|| self.believed(path));
        if let Some((record, sha256)) = believed.and_then(|record| record.holds(present)) {
            let record = record.clone();
            self.seen.insert(path.as_str().to_owned(), record);
            return Ok(sha256);
        }
        let sha256 = digest(fs, path)?;
        self.learn(path, present, sha256);
        Ok(sha256)
    }

    /// A file that goes, or is replaced.
    pub(crate) fn forget(&mut self, path: &EspPath) {
        self.seen.remove(path.as_str());
    }

    fn believed(&self, path: &EspPath) -> Option<&Record> {
        let (uncounted, _) = names::split(path);
        let doubted = self.trust.nothing || self.trust.always.contains(&uncounted);
        match doubted {
            true => None,
            false => self.records.get(path.as_str()),
        }
    }

    fn learn(&mut self, path: &EspPath, present: Present, sha256: [u8; 32]) {
        let Some(modified) = since_1970(present.modified) else {
            return;
        };
        let record = Record {
            size: present.size,
            modified,
            sha256: HEXLOWER.encode(&sha256),
        };
        self.seen.insert(path.as_str().to_owned(), record);
    }

    /// Records the files that a transaction wrote, each of which was compared with its digest before it was published.
    ///
    /// # Errors
    /// Those of the file system: then they are hashed at the next run.
    pub fn written(&mut self, fs: &impl FileSystem, plan: &Plan<'_>) -> io::Result<()> {
        let mut folders = BTreeMap::new();
        let writes = plan.writes().iter();
        for write in writes.filter(|write| write.phase.names_tell_content()) {
            let folder = write.path.folder();
            folders.entry(folder).or_insert_with(Vec::new).push(write);
        }
        for (folder, writes) in folders {
            let listed = fs.list(folder.as_ref())?;
            for write in writes {
                let name = write.path.name();
                if let Some(found) = listed.iter().find(|found| found.name == name) {
                    let (size, modified) = (found.size, found.modified);
                    self.learn(&write.path, Present { size, modified }, write.sha256);
                }
            }
        }
        Ok(())
    }
}

impl Record {
    /// Itself and its digest, if it is about a file of this size and time stamp.
    fn holds(&self, present: Present) -> Option<(&Self, [u8; 32])> {
        let same = self.size == present.size && Some(self.modified) == since_1970(present.modified);
        let sha256 = HEXLOWER.decode(self.sha256.as_bytes()).ok()?;
        let sha256 = sha256.try_into().ok()?;
        same.then_some((self, sha256))
    }
}

fn since_1970(time: SystemTime) -> Option<(u64, u32)> {
    let since = time.duration_since(UNIX_EPOCH).ok()?;
    Some((since.as_secs(), since.subsec_nanos()))
}

/// SHA-256 of a file, read now.
pub(crate) fn digest(fs: &impl FileSystem, path: &EspPath) -> io::Result<[u8; 32]> {
    sha256(fs.open(path)?)
}
