//! Files of the machine itself, and what all files have: a digest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// What is read at once, in bytes.
const CHUNK: usize = 256 << 10;

/// SHA-256 of all that a reader has left.
///
/// # Errors
/// Those of reading.
pub fn sha256(mut reader: impl Read) -> io::Result<[u8; 32]> {
    let mut chunk = vec![0; CHUNK];
    let mut hash = Sha256::new();
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return Ok(hash.finalize().into()),
            Ok(count) => hash.update(chunk.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes a file that its owner alone reads, whole or not at all, and brings it to the disk. Its folder is made. Two that write the same file
/// must not do so at the same time.
///
/// # Errors
/// Those of the system; what was there before is there then.
pub fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let staged = staged(file);
    let written = stage(&staged, content).and_then(|()| fs::rename(&staged, file));
    if let Err(error) = written {
        // What remains is removed by the next that writes.
        let _ = fs::remove_file(&staged);
        return Err(error);
    }
    File::open(folder)?.sync_all()
}

fn stage(staged: &Path, content: &[u8]) -> io::Result<()> {
    // What an interrupted run left; whatever else is there is not written through.
    match fs::remove_file(staged) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let options = options.write(true).create_new(true).mode(0o600);
    let mut out = options.open(staged)?;
    out.write_all(content)?;
    out.sync_all()
}

fn staged(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

    use super::*;

    #[test]
    fn a_file_is_written_whole_or_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/state.json");
        write_whole(&file, b"one").unwrap();
        // A link that somebody put where it is staged is not followed.
        let other = folder.path().join("other");
        fs::write(&other, "untouched").unwrap();
        std::os::unix::fs::symlink(&other, staged(&file)).unwrap();
        write_whole(&file, b"two").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read(&other).unwrap(), b"untouched");
        fs::create_dir(staged(&file)).unwrap();
        assert!(write_whole(&file, b"three").is_err());
        assert_eq!(fs::read(&file).unwrap(), b"two");
    }

    #[test]
    fn the_digest_is_that_of_the_whole_content() {
        let content = vec![7; 3 * CHUNK / 2];
        assert_eq!(sha256(&content[..]).unwrap(), *Sha256::digest(&content));
    }
}
