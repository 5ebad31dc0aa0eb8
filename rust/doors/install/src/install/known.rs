//! What earlier runs found out, kept beside the state of the partitions: reading a hundred generations anew, and hashing their kernels, would cost
//! seconds at each run.
//!
//! A file is believed by its size and its time stamp. All of it can be lost: then it is found out again.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use touchstone_esp::{sha256, write_whole};

use crate::Host;
use crate::generation::{Generation, Malformed, StoredFile, read};

/// What is known, and where it is kept.
#[derive(Debug)]
pub struct Known {
    file: PathBuf,
    /// What the file held when the run began.
    before: Facts,
    /// What this run used or found out.
    now: Facts,
    /// Nothing is believed.
    nothing: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Facts {
    /// Which program wrote it: another one may read generations otherwise.
    program: String,
    generations: BTreeMap<PathBuf, KnownGeneration>,
    files: BTreeMap<PathBuf, KnownFile>,
    /// Images that were assembled, by what they were made of.
    images: BTreeMap<String, Image>,
    /// Files that were put on partitions under fixed names, by partition and path: SHA-256 of each.
    placed: BTreeMap<String, BTreeMap<String, Placed>>,
    /// Files of the configuration, by partition and path: SHA-256 of each.
    extra: BTreeMap<String, BTreeMap<String, String>>,
    /// The policy, by what it was made of: SHA-256 of it.
    policy: Option<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct KnownGeneration {
    document: Option<Stamp>,
    generation: Generation,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct KnownFile {
    stamp: Stamp,
    sha256: String,
}

/// An image that was assembled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// SHA-256 of it, in hex.
    pub sha256: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A file with a fixed name on a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placed {
    /// What it was made of.
    pub of: String,
    /// SHA-256 of it, in hex.
    pub sha256: String,
}

/// Size and time stamp of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u64, i64, i64);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.len(), metadata.mtime(), metadata.mtime_nsec())
    }
}

impl Known {
    /// What was written beside this state file. What cannot be read is not known.
    pub fn open(state: &Path, nothing: bool) -> Self {
        let file = state.with_extension("known.json");
        let read = std::fs::read(&file).ok();
        let before: Option<Facts> = read.and_then(|text| serde_json::from_slice(&text).ok());
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let before = before.filter(|facts| facts.program == program);
        Self {
            file,
            now: Facts {
                program,
                placed: before
                    .as_ref()
                    .map(|facts| facts.placed.clone())
                    .unwrap_or_default(),
                extra: before
                    .as_ref()
                    .map(|facts| facts.extra.clone())
                    .unwrap_or_default(),
                ..Facts::default()
            },
            before: before.unwrap_or_default(),
            nothing,
        }
    }

    /// The generation of this toplevel; read again where that is asked for.
    ///
    /// # Errors
    /// [`Malformed`].
    pub fn generation(
        &mut self,
        host: &Host,
        toplevel: &Path,
        again: bool,
    ) -> Result<Generation, Malformed> {
        let place = host.resolve(toplevel.join("boot.json"));
        let document = place.and_then(std::fs::metadata).ok();
        let document = document.as_ref().map(Stamp::of);
        let believed = self.before.generations.get(toplevel);
        let believed = believed
            .filter(|known| !again && !self.nothing && known.document == document)
            // One without a document depends on more than can be seen at a glance.
            .filter(|known| known.document.is_some());
        let known = match believed {
            Some(known) => known.clone(),
            None => KnownGeneration {
                generation: read(host, toplevel)?,
                document,
            },
        };
        let generation = known.generation.clone();
        self.now.generations.insert(toplevel.to_owned(), known);
        Ok(generation)
    }

    /// Digest and size of a file of the machine.
    ///
    /// # Errors
    /// Those of reading it.
    pub fn file(&mut self, host: &Host, path: &Path) -> io::Result<StoredFile> {
        let place = host.resolve(path)?;
        let metadata = std::fs::metadata(&place)?;
        if !metadata.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let stamp = Stamp::of(&metadata);
        let known = self.now.files.get(path).or_else(|| {
            let nothing = self.nothing;
            self.before.files.get(path).filter(|_| !nothing)
        });
        let known = match known.filter(|known| known.stamp == stamp) {
            Some(known) => known.clone(),
            None => KnownFile {
                sha256: HEXLOWER.encode(&sha256(File::open(&place)?)?),
                stamp,
            },
        };
        let file = StoredFile {
            path: path.to_owned(),
            sha256: known.sha256.clone(),
            size: metadata.len(),
        };
        self.now.files.insert(path.to_owned(), known);
        Ok(file)
    }

    /// What was made of these parts before.
    pub fn image(&mut self, of: &str) -> Option<Image> {
        let found = self.now.images.get(of).or_else(|| {
            let nothing = self.nothing;
            self.before.images.get(of).filter(|_| !nothing)
        });
        let found = found.cloned()?;
        self.now.images.insert(of.to_owned(), found.clone());
        Some(found)
    }

    /// Keeps what was made of these parts.
    pub fn made(&mut self, of: String, image: Image) {
        self.now.images.insert(of, image);
    }

    /// What was put under this name.
    pub fn placed(&self, volume: &str, path: &str) -> Option<&Placed> {
        self.now.placed.get(volume)?.get(path)
    }

    /// The files of the configuration that earlier runs put on a partition: path, and SHA-256 in hex.
    pub fn extra(&self, volume: &str) -> BTreeMap<String, String> {
        self.before.extra.get(volume).cloned().unwrap_or_default()
    }

    /// Keeps which files of the configuration are on a partition.
    pub fn keep_extra(&mut self, volume: &str, files: BTreeMap<String, String>) {
        if files.is_empty() {
            self.now.extra.remove(volume);
        } else {
            self.now.extra.insert(volume.to_owned(), files);
        }
    }

    /// Keeps what is put under this name.
    pub fn place(&mut self, volume: &str, path: &str, placed: Placed) {
        let on = self.now.placed.entry(volume.to_owned()).or_default();
        on.insert(path.to_owned(), placed);
    }

    /// Whether the policy of these parts was made already, and its digest.
    pub fn policy(&self, of: &str) -> Option<&str> {
        let (parts, sha256) = self.before.policy.as_ref()?;
        (parts == of && !self.nothing).then_some(sha256)
    }

    /// Keeps the policy's digest.
    pub fn keep_policy(&mut self, of: String, sha256: String) {
        self.now.policy = Some((of, sha256));
    }

    /// Writes what this run used or found out, whole or not at all; not when it is what was there.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&self) -> io::Result<()> {
        if self.now == self.before {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.now)?;
        write_whole(&self.file, &text)
    }
}

/// SHA-256 of some bytes, in hex.
pub fn hex_of(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
