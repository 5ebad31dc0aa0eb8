//! Where checkpoints are signed and written out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

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
    /// The newest note.
    pub(super) last: Option<String>,
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
        }
    }

    /// The checkpoints of this log that lie in its folder and, the newest of each, in the folders of exports: those that its key signed.
    pub(super) fn known(&self, log: &str) -> Result<Vec<(PathBuf, Checkpoint)>, LogError> {
        let own = self.folder.join(NEWEST);
        let mut files: Vec<PathBuf> = own.exists().then_some(own).into_iter().collect();
        for Export { folder, .. } in &self.exports {
            files.extend(newest(folder, log)?);
        }
        let keys = [self.signer.public_key().clone()];
        let mut known = Vec::new();
        for file in files {
            let note =
                read(&file).map_err(LogError::system("a checkpoint cannot be read", &file))?;
            // Others may write into a folder of exports: only what the key has signed counts.
            if let Ok(checkpoint) = Checkpoint::open(&note, &keys)
                && checkpoint.log == log
            {
                known.push((file, checkpoint));
            }
        }
        Ok(known)
    }

    /// Signs the checkpoint and writes it into the log's own folder.
    ///
    /// # Errors
    /// [`LogError::Signer`]; [`LogError::System`].
    pub(super) fn keep(&mut self, checkpoint: &Checkpoint) -> Result<String, LogError> {
        let note = checkpoint.sign(&*self.signer)?;
        let own = self.folder.join(NEWEST);
        let kept = replace(&own, note.as_bytes(), 0o600);
        kept.map_err(LogError::system("the checkpoint cannot be written", &own))?;
        self.last = Some(note.clone());
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

/// The newest checkpoint of this log in a folder of exports.
fn newest(folder: &Path, log: &str) -> Result<Option<PathBuf>, LogError> {
    let failed = |source| LogError::system("a folder of exports cannot be read", folder)(source);
    let prefix = checkpoint::prefix(log);
    let mut newest: Option<String> = None;
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(name) = name.to_str() else { continue };
        let ours = name.starts_with(&prefix) && name.ends_with(checkpoint::SUFFIX);
        if ours && newest.as_deref().is_none_or(|newest| newest < name) {
            newest = Some(name.to_owned());
        }
    }
    Ok(newest.map(|name| folder.join(name)))
}

/// A note from a file.
pub(super) fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut note = Vec::new();
    let mut bounded = io::Read::take(File::open(file)?, NOTE_LIMIT as u64 + 1);
    io::Read::read_to_end(&mut bounded, &mut note)?;
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

/// Writes a file whole or not at all.
fn replace(file: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    let unfinished = PathBuf::from(unfinished);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(mode);
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
