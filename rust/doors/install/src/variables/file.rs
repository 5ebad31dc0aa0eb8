//! One variable is one file: four bytes of attributes, then the value.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{IFlags, OFlags, ioctl_getflags, ioctl_setflags};
use rustix::io::Errno;

use super::{Variable, VariableError};

/// More than any variable has: the largest `dbx` in use has some tens of kilobytes.
const LIMIT: u64 = 1 << 20;

pub(super) fn read(path: &Path) -> Result<Option<Variable>, VariableError> {
    let mut bytes = Vec::new();
    let read = open(path).and_then(|file| file.take(LIMIT + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) if bytes.len() as u64 > LIMIT => Err(VariableError::Large {
            file: path.to_owned(),
            limit: LIMIT,
        }),
        Ok(_) => split(path, &bytes).map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(VariableError::Read {
            file: path.to_owned(),
            source,
        }),
    }
}

/// A link is an error: efivarfs has none.
fn open(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(no_follow());
    options.open(path)
}

fn split(path: &Path, bytes: &[u8]) -> Result<Variable, VariableError> {
    match bytes.split_first_chunk::<4>() {
        Some((attributes, value)) => Ok(Variable {
            attributes: u32::from_le_bytes(*attributes),
            value: value.to_vec(),
        }),
        None => Err(VariableError::Short {
            file: path.to_owned(),
            bytes: bytes.len(),
        }),
    }
}

pub(super) fn write(path: &Path, variable: &Variable) -> Result<bool, VariableError> {
    let before = read(path)?;
    match &before {
        Some(before) if before == variable => return Ok(false),
        Some(before) if before.attributes != variable.attributes => {
            return Err(VariableError::Attributes {
                file: path.to_owned(),
                found: before.attributes,
                wanted: variable.attributes,
            });
        }
        _ => (),
    }
    let written = Unlocked::when(before.is_some(), path).and_then(|unlocked| {
        let written = write_whole(path, variable);
        unlocked.lock_again().and(written)
    });
    written
        .map(|()| true)
        .map_err(|source| failed(path, source))
}

/// The kernel takes a variable in one call, or not at all.
fn write_whole(path: &Path, variable: &Variable) -> io::Result<()> {
    let mut bytes = variable.attributes.to_le_bytes().to_vec();
    bytes.extend(&variable.value);
    let mut options = File::options();
    options.write(true).create(true).mode(0o644);
    let mut file = options.custom_flags(no_follow()).open(path)?;
    loop {
        match file.write(&bytes) {
            Ok(count) if count == bytes.len() => return Ok(()),
            Ok(_) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn remove(path: &Path) -> Result<bool, VariableError> {
    match Unlocked::when(true, path).and_then(|_unlocked| std::fs::remove_file(path)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(failed(path, source)),
    }
}

fn failed(path: &Path, source: io::Error) -> VariableError {
    VariableError::Write {
        file: path.to_owned(),
        source,
    }
}

fn no_follow() -> i32 {
    // The flags are the system's own bits, which a signed number holds as well.
    OFlags::NOFOLLOW.bits().cast_signed()
}

/// A file whose flag "immutable" was taken off: efivarfs sets it, so that nobody ends a machine by `rm -rf`.
struct Unlocked(Option<(File, IFlags)>);

impl Unlocked {
    fn when(there: bool, path: &Path) -> io::Result<Self> {
        if !there {
            return Ok(Self(None));
        }
        let file = open(path)?;
        let flags = match ioctl_getflags(&file) {
            Ok(flags) => flags,
            // A file system without flags has none to take off.
            Err(Errno::NOTTY | Errno::OPNOTSUPP) => return Ok(Self(None)),
            Err(error) => return Err(error.into()),
        };
        if !flags.contains(IFlags::IMMUTABLE) {
            return Ok(Self(None));
        }
        ioctl_setflags(&file, flags - IFlags::IMMUTABLE)?;
        Ok(Self(Some((file, flags))))
    }

    fn lock_again(self) -> io::Result<()> {
        match self.0 {
            Some((file, flags)) => Ok(ioctl_setflags(&file, flags)?),
            None => Ok(()),
        }
    }
}
