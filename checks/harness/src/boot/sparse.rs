//! Copies of disk images that take no more room than the images.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use anyhow::{Context, Result};
use rustix::fs::SeekFrom as Sparse;
use rustix::io::Errno;

/// Copies what the file `from` holds, but for its holes, to the place `at` in another, which is empty there.
pub(super) fn copy_into(from: &Path, to: &File, at: u64) -> Result<()> {
    let copied = File::open(from).and_then(|mut file| copy(&mut file, 0..u64::MAX, to, at));
    copied.with_context(|| format!("copying {}", from.display()))
}

/// Makes `to` a copy of a part of `from`.
pub(super) fn extract(from: &Path, part: Range<u64>, to: &Path) -> Result<()> {
    let copied = File::create(to).and_then(|file| {
        file.set_len(part.end - part.start)?;
        copy(&mut File::open(from)?, part, &file, 0)
    });
    copied.with_context(|| format!("copying a part of {}", from.display()))
}

/// Makes `to` a copy of `from`.
pub(super) fn duplicate(from: &Path, to: &Path) -> Result<()> {
    let made = File::create(to).and_then(|file| {
        file.set_len(std::fs::metadata(from)?.len())?;
        Ok(file)
    });
    let file = made.with_context(|| format!("writing {}", to.display()))?;
    copy_into(from, &file, 0)
}

fn copy(from: &mut File, part: Range<u64>, mut to: &File, at: u64) -> io::Result<()> {
    let mut place = part.start;
    loop {
        let begin = match rustix::fs::seek(&*from, Sparse::Data(place)) {
            Ok(begin) => begin,
            // Nothing but a hole is left.
            Err(Errno::NXIO) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        if begin >= part.end {
            return Ok(());
        }
        let end = rustix::fs::seek(&*from, Sparse::Hole(begin))?.min(part.end);
        from.seek(SeekFrom::Start(begin))?;
        to.seek(SeekFrom::Start(at + begin - part.start))?;
        io::copy(&mut Read::by_ref(from).take(end - begin), &mut to)?;
        to.flush()?;
        place = end;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt, MetadataExt};

    use super::*;

    #[test]
    fn a_copy_has_the_same_bytes_and_the_same_holes() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let file = File::create(at("from")).unwrap();
        file.set_len(32 << 20).unwrap();
        file.write_all_at(b"first", 0).unwrap();
        file.write_all_at(b"later", 20 << 20).unwrap();
        duplicate(&at("from"), &at("to")).unwrap();
        assert!(std::fs::read(at("from")).unwrap() == std::fs::read(at("to")).unwrap());
        assert!(std::fs::metadata(at("to")).unwrap().blocks() * 512 < 1 << 20);
        let mut options = File::options();
        options.read(true).write(true).create_new(true);
        let other = options.open(at("other")).unwrap();
        copy_into(&at("from"), &other, 100).unwrap();
        let mut bytes = [0; 5];
        other.read_exact_at(&mut bytes, (20 << 20) + 100).unwrap();
        assert_eq!(&bytes, b"later");
        let at_later = 20 << 20;
        extract(&at("from"), at_later - 1..at_later + 3, &at("part")).unwrap();
        assert_eq!(std::fs::read(at("part")).unwrap(), b"\0lat");
    }
}
