//! `/nix/store` is mounted read-only on NixOS. Nix writes to it in a mount namespace of its own, where the mount is writable.

use std::io;
use std::path::Path;

use rustix::fs::{StatVfsMountFlags, statvfs};
use rustix::mount::{MountFlags, mount_remount};
use rustix::thread::UnshareFlags;

use super::error::{ImportError, failed};

/// Makes the store writable for the calling thread, and the threads that it starts, alone; where it is writable, does nothing.
///
/// # Errors
/// [`ImportError::ReadOnly`] when that is not allowed, or when the file system itself is read-only.
pub(super) fn ensure(store: &Path) -> Result<(), ImportError> {
    let flags = flags(store)?;
    if !flags.contains(StatVfsMountFlags::RDONLY) {
        return Ok(());
    }
    let refused = |source: io::Error| ImportError::ReadOnly {
        store: store.to_owned(),
        source,
    };
    remount(store, flags).map_err(|error| refused(error.into()))?;
    match self::flags(store)?.contains(StatVfsMountFlags::RDONLY) {
        false => Ok(()),
        true => Err(refused(io::ErrorKind::ReadOnlyFilesystem.into())),
    }
}

#[expect(
    deprecated,
    reason = "what is unsafe about it are descriptors that are not shared any more (CLONE_FILES), and they stay shared"
)]
fn remount(store: &Path, flags: StatVfsMountFlags) -> rustix::io::Result<()> {
    rustix::thread::unshare(UnshareFlags::NEWNS)?;
    mount_remount(store, MountFlags::BIND | kept(flags), "")
}

fn flags(store: &Path) -> Result<StatVfsMountFlags, ImportError> {
    let stat = statvfs(store).map_err(io::Error::from);
    Ok(stat.map_err(failed("looking at", store))?.f_flag)
}

/// What the mount refuses besides writing stays refused.
fn kept(flags: StatVfsMountFlags) -> MountFlags {
    let pairs = [
        (StatVfsMountFlags::NOSUID, MountFlags::NOSUID),
        (StatVfsMountFlags::NODEV, MountFlags::NODEV),
        (StatVfsMountFlags::NOEXEC, MountFlags::NOEXEC),
        (StatVfsMountFlags::NOATIME, MountFlags::NOATIME),
        (StatVfsMountFlags::NODIRATIME, MountFlags::NODIRATIME),
        (StatVfsMountFlags::RELATIME, MountFlags::RELATIME),
    ];
    let set = pairs.into_iter().filter(|(seen, _)| flags.contains(*seen));
    set.fold(MountFlags::empty(), |all, (_, flag)| all | flag)
}
