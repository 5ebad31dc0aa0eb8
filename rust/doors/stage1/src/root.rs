//! What must not lie on the root file system, and what must: looked at before anything is hashed.
//!
//! Paths are resolved as they will be once the root is `/`: links in them do not lead into the initrd.

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
        if root.find(file, OFlags::NOFOLLOW)?.is_some() {
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
    fn find(&self, file: &str, link: OFlags) -> Result<Option<OwnedFd>, Error> {
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
        if let Some(found) = self.find(FOLDER, OFlags::NOFOLLOW)?
            && !self.is_folder(&found, FOLDER)?
        {
            return Err(Error::Forbidden {
                file: FOLDER,
                why: "it is no folder, and leads to what nobody looks at",
            });
        }
        for file in EMPTY {
            if let Some(found) = self.find(file, OFlags::NOFOLLOW)?
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
        let below = |name: &str| {
            let path = toplevel.as_str().trim_start_matches('/');
            format!("{path}/{name}")
        };
        let lacks = |fact| Error::NoSystem {
            toplevel: toplevel.to_string(),
            fact,
        };
        let init = self.find(&below("init"), OFlags::empty())?;
        let init = init.ok_or(lacks("it has no init, or one that leads nowhere"))?;
        if !self.is_program(init, &below("init"))? {
            return Err(lacks("its init is no program"));
        }
        let version = self.find(&below("nixos-version"), OFlags::NOFOLLOW)?;
        version.map(|_| ()).ok_or(lacks("it has no nixos-version"))
    }

    fn is_program(&self, file: OwnedFd, name: &str) -> Result<bool, Error> {
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
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    const NAME: &str = "0123456789abcdfghijklmnpqrsvwxyz-nixos-system";

    fn toplevel() -> StorePath {
        StorePath::parse(&format!("/nix/store/{NAME}")).unwrap()
    }

    fn system() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("nix/store").join(NAME);
        fs::create_dir_all(&folder).unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(folder.join("init"), "").unwrap();
        fs::set_permissions(folder.join("init"), fs::Permissions::from_mode(0o555)).unwrap();
        fs::write(folder.join("nixos-version"), "25.11").unwrap();
        root
    }

    #[test]
    fn a_system_on_a_clean_root_passes() {
        judge(system().path(), &toplevel()).unwrap();
    }

    #[test]
    fn an_init_that_is_a_link_of_the_roots_passes() {
        let root = system();
        let folder = root.path().join("nix/store").join(NAME);
        fs::rename(folder.join("init"), root.path().join("nix/store/init")).unwrap();
        symlink("/nix/store/init", folder.join("init")).unwrap();
        judge(root.path(), &toplevel()).unwrap();
    }

    #[test]
    fn what_is_loaded_into_every_program_is_refused() {
        for (file, why) in [
            ("etc/ld-nix.so.preload", "into every program"),
            (".rw-etc/upper/ld-nix.so.preload", "upper layer"),
            ("nix/var/nix/profiles/default/lib/systemd", "takes units"),
        ] {
            let root = system();
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("/{file} is on the root")),
                "{error}"
            );
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_preload_file_behind_links_is_found_where_the_system_would_find_it() {
        let root = system();
        fs::remove_dir(root.path().join("etc")).unwrap();
        fs::create_dir_all(root.path().join("var/evil")).unwrap();
        symlink("/var/evil", root.path().join("etc")).unwrap();
        judge(root.path(), &toplevel()).unwrap();
        // Even one that leads nowhere now.
        symlink("/later", root.path().join("var/evil/ld-nix.so.preload")).unwrap();
        assert!(matches!(
            judge(root.path(), &toplevel()),
            Err(Error::Forbidden { .. })
        ));
        // What cannot be told is no "no".
        fs::remove_file(root.path().join("etc")).unwrap();
        symlink("etc", root.path().join("etc")).unwrap();
        assert!(matches!(
            judge(root.path(), &toplevel()),
            Err(Error::Unreadable { .. })
        ));
    }

    #[test]
    fn what_systemd_reads_below_usr_must_be_empty() {
        let root = system();
        let usr = root.path().join("usr");
        fs::create_dir_all(usr.join("bin")).unwrap();
        fs::write(usr.join("bin/env"), "").unwrap();
        for folder in ["lib", "local"] {
            fs::create_dir_all(usr.join(folder)).unwrap();
        }
        judge(root.path(), &toplevel()).unwrap();
        let assert_refused = |file: &str, why: &str| {
            let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
            let says = format!("/{file} is on the root");
            assert!(error.starts_with(&says) && error.contains(why), "{error}");
        };
        for (folder, file) in [
            ("usr/lib", "udev/rules.d/99.rules"),
            ("usr/local", "lib/systemd/system-generators/evil"),
        ] {
            let path = root.path().join(folder).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
            assert_refused(folder, "which start programs");
            fs::remove_dir_all(root.path().join(folder)).unwrap();
            // Nor a link to wherever something is mounted later.
            symlink("/later", root.path().join(folder)).unwrap();
            assert_refused(folder, "which start programs");
            fs::remove_file(root.path().join(folder)).unwrap();
        }
        fs::remove_dir_all(&usr).unwrap();
        symlink("/later", &usr).unwrap();
        assert_refused("usr", "it is no folder");
    }

    #[test]
    fn a_path_that_is_no_system_is_refused() {
        let folder = |root: &tempfile::TempDir| root.path().join("nix/store").join(NAME);
        for (lacks, take) in [
            ("it has no init", "init"),
            ("it has no nixos-version", "nixos-version"),
        ] {
            let root = system();
            fs::remove_file(folder(&root).join(take)).unwrap();
            let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
            assert!(error.contains(lacks), "{error}");
            assert!(error.contains("is no NixOS system"), "{error}");
        }
        let root = system();
        fs::set_permissions(
            folder(&root).join("init"),
            fs::Permissions::from_mode(0o444),
        )
        .unwrap();
        let error = judge(root.path(), &toplevel()).unwrap_err().to_string();
        assert!(error.contains("its init is no program"), "{error}");
    }
}
