//! What must not lie on the root file system, and what must: looked at before anything is hashed.
//!
//! Paths are resolved as they will be once the root is `/`: links in them do not lead into the initrd. On the way to what must not be there, links
//! count in the store alone (`root/way.rs`).

mod way;

use std::path::{Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, fstat, open, openat, openat2};
use rustix::io::Errno;
use touchstone_store::StorePath;

/// What would be loaded into every program, or started by systemd, although no closure holds it.
const FORBIDDEN: [(&str, &str); 3] = [
    (
        "etc/ld-nix.so.preload",
        "the dynamic linker loads what it names into every program of the system",
    ),
    (
        ".rw-etc/upper/ld-nix.so.preload",
        "it lies in the upper layer of /etc, and the dynamic linker loads what it names into every program of the system",
    ),
    (
        "nix/var/nix/profiles/default/lib/systemd",
        "NixOS' systemd takes units from there, before its own",
    ),
];

/// Folders that no NixOS has anything in, and that its systemd and udev read beside `/etc`. Source: systemd, `CONF_PATHS`, which NixOS does not change:
/// rules of udev, settings of the kernel and temporary files, whose lines start programs, and generators.
const EMPTY: [&str; 2] = ["usr/lib", "usr/local"];
/// The folder of both: a link would lead to wherever something is mounted later.
const FOLDER: &str = "usr";

/// Why a root is not what a verified system may run on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something of the root cannot be looked at.
    #[error("{} cannot be looked at: {source}", .file.display())]
    Unreadable {
        /// The file, as the initrd sees it.
        file: PathBuf,
        /// What the system answered.
        source: std::io::Error,
    },
    /// Something is there that must not be.
    #[error(
        "/{file} is on the root file system: {why}; remove it (nothing of a verified system needs it)"
    )]
    Forbidden {
        /// The file, as the system would see it.
        file: &'static str,
        /// Why it must not be there.
        why: &'static str,
    },
    /// A link on the way to what must not be there.
    #[error(
        "/{} is a link on the root file system, which {leads}: /{file} could be there when the check is over; remove it, or make it a folder",
        .link.display()
    )]
    Astray {
        /// The link, as the system would see it.
        link: PathBuf,
        /// What is wrong with where it leads.
        leads: &'static str,
        /// What is looked for, as the system would see it.
        file: &'static str,
    },
    /// The toplevel is no system.
    #[error(
        "{toplevel} is no NixOS system, however well it is signed: {fact}; init= must name the toplevel of a system"
    )]
    NoSystem {
        /// What `init=` names.
        toplevel: String,
        /// What it lacks.
        fact: &'static str,
    },
}

/// Looks at the root that is mounted at `sysroot`.
///
/// # Errors
/// [`Error`].
pub fn judge(sysroot: &Path, toplevel: &StorePath) -> Result<(), Error> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = open(sysroot, flags, Mode::empty()).map_err(unreadable(sysroot))?;
    let root = Root {
        folder: sysroot,
        root,
    };
    for (file, why) in FORBIDDEN {
        if root.way(file)?.is_some() {
            return Err(Error::Forbidden { file, why });
        }
    }
    root.judge_usr()?;
    root.judge_system(toplevel)
}

struct Root<'a> {
    folder: &'a Path,
    root: OwnedFd,
}

impl Root<'_> {
    /// A file by its path from the root on; none where there is none.
    fn find(&self, file: &Path, link: OFlags) -> Result<Option<OwnedFd>, Error> {
        let flags = OFlags::PATH | OFlags::CLOEXEC | link;
        // Links that the kernel makes lead anywhere.
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        match openat2(&self.root, file, flags, Mode::empty(), resolve) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(None),
            Err(error) => Err(unreadable(&self.folder.join(file))(error)),
        }
    }

    /// Whether `/usr` is a folder of the root, in which nothing lies that systemd would read.
    fn judge_usr(&self) -> Result<(), Error> {
        if let Some(found) = self.way(FOLDER)?
            && !self.is_folder(&found, FOLDER)?
        {
            return Err(Error::Forbidden {
                file: FOLDER,
                why: "it is no folder, and leads to what nobody looks at",
            });
        }
        for file in EMPTY {
            if let Some(found) = self.way(file)?
                && !self.is_empty(&found, file)?
            {
                let why = "systemd and udev take rules and settings from there, which start programs, and an immutable /etc does not help";
                return Err(Error::Forbidden { file, why });
            }
        }
        Ok(())
    }

    /// Whether it is a folder with nothing in it. A link is none.
    fn is_empty(&self, file: &OwnedFd, name: &str) -> Result<bool, Error> {
        if !self.is_folder(file, name)? {
            return Ok(false);
        }
        let wrong = unreadable(&self.folder.join(name));
        // The descriptor only names the folder: to be read, it must be opened.
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = openat(file, ".", flags, Mode::empty()).map_err(&wrong)?;
        for entry in Dir::new(folder).map_err(&wrong)? {
            let entry = entry.map_err(&wrong)?;
            if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn is_folder(&self, file: &OwnedFd, name: &str) -> Result<bool, Error> {
        let facts = fstat(file).map_err(unreadable(&self.folder.join(name)))?;
        Ok(FileType::from_raw_mode(facts.st_mode).is_dir())
    }

    /// Whether the toplevel has what every NixOS system has: a program `init`, and its version.
    fn judge_system(&self, toplevel: &StorePath) -> Result<(), Error> {
        let path = Path::new(toplevel.as_str().trim_start_matches('/'));
        let lacks = |fact| Error::NoSystem {
            toplevel: toplevel.to_string(),
            fact,
        };
        let init = self.find(&path.join("init"), OFlags::empty())?;
        let init = init.ok_or(lacks("it has no init, or one that leads nowhere"))?;
        if !self.is_program(init, &path.join("init"))? {
            return Err(lacks("its init is no program"));
        }
        let version = self.find(&path.join("nixos-version"), OFlags::NOFOLLOW)?;
        version.map(|_| ()).ok_or(lacks("it has no nixos-version"))
    }

    fn is_program(&self, file: OwnedFd, name: &Path) -> Result<bool, Error> {
        let facts = fstat(&file).map_err(unreadable(&self.folder.join(name)))?;
        let mode = facts.st_mode;
        Ok(FileType::from_raw_mode(mode).is_file() && mode & 0o100 != 0)
    }
}

fn unreadable(file: &Path) -> impl Fn(Errno) -> Error + use<> {
    let file = file.to_owned();
    move |error| Error::Unreadable {
        file: file.clone(),
        source: error.into(),
    }
}

#[cfg(test)]
mod tests;
