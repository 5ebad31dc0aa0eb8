//! Where checkpoints are signed and written out.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::checkpoint::{self, Checkpoint};
use super::error::LogError;
use super::note::{CheckpointSigner, NOTE_LIMIT};
use super::segment::{UNFINISHED, sync_folder};

/// What the newest checkpoint is called, in the log's own folder.
pub const NEWEST: &str = "checkpoint";

/// Signs checkpoints and writes them out.
pub(super) struct Desk {
    pub(super) signer: Box<dyn CheckpointSigner>,
    folder: PathBuf,
    exports: Vec<Export>,
    /// The newest checkpoint that is kept, and its note.
    pub(super) last: Option<(Checkpoint, String)>,
    /// A checkpoint whose entry is written, and which could not be signed or kept yet.
    pub(super) owed: Option<Checkpoint>,
}

struct Export {
    folder: PathBuf,
    /// Whether the last one could not be written: said once.
    failing: bool,
}

/// A folder that did not take a checkpoint, for the first time.
pub(super) struct Failed {
    pub(super) folder: PathBuf,
    pub(super) source: io::Error,
}

impl Desk {
    pub(super) fn new(
        signer: Box<dyn CheckpointSigner>,
        folder: &Path,
        exports: &[PathBuf],
    ) -> Self {
        let exports = exports.iter().map(|folder| Export {
            folder: folder.clone(),
            failing: false,
        });
        Self {
            signer,
            folder: folder.to_owned(),
            exports: exports.collect(),
            last: None,
            owed: None,
        }
    }

    /// The checkpoints of this log that lie in its folder and, the newest of each, in the folders of exports: those that its key signed.
    ///
    /// Others may write into a folder of exports: what is not signed, or has another's name, or cannot be read, is passed over there.
    pub(super) fn known(&self, log: &str) -> Result<Vec<(PathBuf, Checkpoint)>, LogError> {
        let own = self.folder.join(NEWEST);
        let mut known = Vec::new();
        if own.exists() {
            let note = read(&own).map_err(LogError::system("a checkpoint cannot be read", &own))?;
            known.extend(self.signed(&note, log).map(|checkpoint| (own, checkpoint)));
        }
        for Export { folder, .. } in &self.exports {
            let newest = names(folder, log)?.into_iter().find_map(|name| {
                let file = folder.join(&name);
                let checkpoint = self.signed(&read(&file).ok()?, log)?;
                (checkpoint.file_name() == name).then_some((file, checkpoint))
            });
            known.extend(newest);
        }
        Ok(known)
    }

    /// The checkpoint of this log that its key has signed with this note.
    pub(super) fn signed(&self, note: &[u8], log: &str) -> Option<Checkpoint> {
        let keys = [self.signer.public_key().clone()];
        let checkpoint = Checkpoint::open(note, &keys).ok();
        checkpoint.filter(|checkpoint| checkpoint.log == log)
    }

    /// Signs the checkpoint and writes it into the log's own folder, unless it is there. While that fails, it is owed.
    ///
    /// # Errors
    /// [`LogError::Signer`]; [`LogError::System`].
    pub(super) fn keep(&mut self, checkpoint: &Checkpoint) -> Result<String, LogError> {
        self.owed = Some(checkpoint.clone());
        let note = checkpoint.sign(&*self.signer)?;
        let own = self.folder.join(NEWEST);
        // A full disk has no room to write again what is there.
        if read(&own).ok().as_deref() != Some(note.as_bytes()) {
            let kept = replace(&own, note.as_bytes(), 0o600);
            kept.map_err(LogError::system("the checkpoint cannot be written", &own))?;
        }
        self.owed = None;
        self.last = Some((checkpoint.clone(), note.clone()));
        Ok(note)
    }

    /// Writes the checkpoint into each folder of exports; the answer is the folders that begin to fail.
    pub(super) fn export(&mut self, checkpoint: &Checkpoint, note: &str) -> Vec<Failed> {
        let mut failed = Vec::new();
        for export in &mut self.exports {
            let file = export.folder.join(checkpoint.file_name());
            match add(&file, checkpoint, note.as_bytes()) {
                Ok(()) => export.failing = false,
                Err(_) if export.failing => {}
                Err(source) => {
                    export.failing = true;
                    let folder = export.folder.clone();
                    failed.push(Failed { folder, source });
                }
            }
        }
        failed
    }

    /// The folders of exports that did not take the last checkpoint.
    pub(super) fn failing(&self) -> Vec<PathBuf> {
        let failing = self.exports.iter().filter(|export| export.failing);
        failing.map(|export| export.folder.clone()).collect()
    }
}

/// The names in a folder of exports that checkpoints of this log have, the newest first.
fn names(folder: &Path, log: &str) -> Result<Vec<String>, LogError> {
    let failed = |source| LogError::system("a folder of exports cannot be read", folder)(source);
    let prefix = checkpoint::prefix(log);
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().into_string();
        let ours = |name: &String| name.starts_with(&prefix) && name.ends_with(checkpoint::SUFFIX);
        names.extend(name.ok().filter(ours));
    }
    names.sort_unstable_by(|one, other| other.cmp(one));
    Ok(names)
}

/// A note from a file: never through a link, and without waiting for whoever holds the other end of a pipe.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    let open = options
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(file)?;
    if !open.metadata()?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut note = Vec::new();
    open.take(NOTE_LIMIT as u64 + 1).read_to_end(&mut note)?;
    Ok(note)
}

/// Adds a checkpoint to a folder of exports. One of the same number that says the same may be there already.
fn add(file: &Path, checkpoint: &Checkpoint, note: &[u8]) -> io::Result<()> {
    match read(file) {
        Ok(there) if Checkpoint::unverified(&there).as_ref() == Ok(checkpoint) => Ok(()),
        Ok(_) => Err(io::Error::other(
            "another checkpoint of this number is there: the log was written twice from one state",
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => replace(file, note, 0o644),
        Err(error) => Err(error),
    }
}

/// Writes a file whole or not at all. What stands where it is made goes first, and is not written through: others may have put it there.
fn replace(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let written = options.open(&unfinished).and_then(|mut out| {
        out.write_all(content)?;
        out.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&unfinished, file));
    if placed.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    placed?;
    sync_folder(file)
}
