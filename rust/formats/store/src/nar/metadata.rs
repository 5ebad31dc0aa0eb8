//! What a NAR does not hold: owners, set-ID bits, capabilities, access lists, who may write.

use std::os::fd::BorrowedFd;

use rustix::fs::{self, Mode, Stat};
use rustix::io::Errno;

/// Linux lists no more than this many bytes of attributes' names (`XATTR_LIST_MAX`).
const LIST_MAX: usize = 65_536;
/// Attributes that give rights: capabilities to whoever runs the file, access to whom the mode refuses it.
const RIGHTS: [&str; 3] = [
    "security.capability",
    "system.posix_acl_access",
    "system.posix_acl_default",
];

/// Looks at one file after the other.
#[derive(Clone, Copy)]
pub(crate) struct Guard {
    /// Who asks, beside root the only owner that is trusted: whoever asks could change the answer anyway.
    user: u32,
}

impl Guard {
    pub(crate) fn new() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
        }
    }

    /// Why an open file or directory is not trusted.
    pub(super) fn open_file(&self, file: BorrowedFd<'_>, stat: &Stat) -> Result<(), String> {
        self.owner(stat)?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.intersects(Mode::SUID | Mode::SGID) {
            return Err("has a set-user-ID or set-group-ID bit".to_owned());
        }
        if mode.intersects(Mode::WGRP | Mode::WOTH) {
            return Err("may be written to by others than its owner".to_owned());
        }
        self.attributes(file)
    }

    /// Why the owner is not trusted.
    pub(super) fn owner(&self, stat: &Stat) -> Result<(), String> {
        if stat.st_uid == 0 || stat.st_uid == self.user {
            return Ok(());
        }
        Err(format!("belongs to user {}, not to root", stat.st_uid))
    }

    fn attributes(&self, file: BorrowedFd<'_>) -> Result<(), String> {
        let listed = attributes(file);
        let names =
            listed.map_err(|error| format!("has attributes that cannot be listed ({error})"))?;
        for name in RIGHTS {
            let mut listed = names.split(|&byte| byte == 0);
            if listed.any(|listed| listed == name.as_bytes()) {
                return Err(format!("has the extended attribute {name}"));
            }
        }
        Ok(())
    }

    /// Why the folder that holds the store paths is not trusted. A group may write to it: Nix lets its builders.
    pub(crate) fn store(&self, folder: BorrowedFd<'_>) -> Result<(), String> {
        self.way(folder).map(drop)
    }

    /// Why a folder that a store lies below is not trusted. Nobody but its owner has to write to it.
    pub(crate) fn above_store(&self, folder: BorrowedFd<'_>) -> Result<(), String> {
        let mode = self.way(folder)?;
        if mode.contains(Mode::WGRP) {
            return Err("may be written to by its group".to_owned());
        }
        Ok(())
    }

    /// What no folder on the way to a store path may be, and else its mode.
    fn way(&self, folder: BorrowedFd<'_>) -> Result<Mode, String> {
        let stat = fs::fstat(folder).map_err(|error| format!("cannot be looked at ({error})"))?;
        let mode = Mode::from_raw_mode(stat.st_mode);
        if mode.contains(Mode::WOTH) {
            return Err("may be written to by everybody".to_owned());
        }
        self.owner(&stat)?;
        self.attributes(folder)?;
        Ok(mode)
    }
}

/// The names of a file's attributes, each with a zero byte behind it. Nearly no file of a store has any, so that memory for them is taken
/// late.
fn attributes(file: BorrowedFd<'_>) -> Result<Vec<u8>, Errno> {
    match fs::flistxattr_query(file) {
        // A file system without attributes gives no rights by them.
        Err(Errno::OPNOTSUPP) | Ok(0) => return Ok(Vec::new()),
        other => other?,
    };
    let mut names = vec![0; LIST_MAX];
    let length = fs::flistxattr(file, &mut names)?;
    names.truncate(length);
    Ok(names)
}
