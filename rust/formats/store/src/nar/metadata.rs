//! What a NAR does not hold: owners, set-ID bits, capabilities, access lists, who may write.

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{self, Mode, Stat};
use rustix::io::Errno;

use super::NarError;

/// Linux lists no more than this many bytes of attributes' names (`XATTR_LIST_MAX`).
const LIST_MAX: usize = 65_536;
/// Attributes that give rights: capabilities to whoever runs the file, access to whom the mode refuses it.
const RIGHTS: [&str; 3] = [
    "security.capability",
    "system.posix_acl_access",
    "system.posix_acl_default",
];

/// Looks at one file after the other.
pub(super) struct Guard {
    /// Who asks, beside root the only owner that is trusted: whoever asks could change the answer anyway.
    user: u32,
    names: Vec<u8>,
}

impl Guard {
    pub(super) fn new() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
            names: vec![0; LIST_MAX],
        }
    }

    /// Why an open file or directory is not trusted.
    pub(super) fn open_file(&mut self, file: BorrowedFd<'_>, stat: &Stat) -> Result<(), String> {
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

    fn attributes(&mut self, file: BorrowedFd<'_>) -> Result<(), String> {
        let length = match fs::flistxattr(file, &mut self.names) {
            // A file system without attributes gives no rights by them.
            Err(Errno::OPNOTSUPP) => 0,
            other => {
                other.map_err(|error| format!("has attributes that cannot be listed ({error})"))?
            }
        };
        let names = self.names.get(..length).unwrap_or_default();
        for name in RIGHTS {
            let mut listed = names.split(|&byte| byte == 0);
            if listed.any(|listed| listed == name.as_bytes()) {
                return Err(format!("has the extended attribute {name}"));
            }
        }
        Ok(())
    }
}

/// Judges a folder by its owner and by whether everybody may write to it. A group may: Nix lets its builders.
pub(super) fn folder(folder: &Path) -> Result<(), NarError> {
    let stat = fs::stat(folder).map_err(|error| NarError::Read {
        path: folder.to_owned(),
        source: error.into(),
    })?;
    let verdict = Guard::new().owner(&stat);
    let open = Mode::from_raw_mode(stat.st_mode).contains(Mode::WOTH);
    let verdict = match open {
        true => Err("may be written to by everybody".to_owned()),
        false => verdict,
    };
    verdict.map_err(|fact| NarError::Metadata {
        path: folder.to_owned(),
        fact,
    })
}
