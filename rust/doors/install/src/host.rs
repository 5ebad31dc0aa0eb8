//! Where everything of the machine is found: below one root, which is `/` on the machine itself.

use std::io;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

/// The profile of the system, and the folder of the others.
const PROFILES: &str = "/nix/var/nix/profiles";
/// How often links may lead to links: what Linux itself follows.
const LINKS: usize = 40;

/// A machine. Every other part of the program asks it for places and names no path of the machine by itself.
///
/// The root is another than `/` for a machine that does not run yet (`--root /mnt`), and in tests. Links on it that are absolute are meant from
/// that root on, as they will be read by the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    root: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self::new("/")
    }
}

impl Host {
    /// The machine below this folder.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Whether this is the machine that the program runs on. What only a running machine has (EFI variables, a booted system) is asked for on
    /// that alone, or where tests put it.
    fn is_this_machine(&self) -> bool {
        self.root == Path::new("/")
    }

    /// The root.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where a path of the machine lies, without following links: `/boot` below the root.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Where a path of the machine lies, with every link followed as the machine will follow it. On this machine that is the path itself: the
    /// system follows its links.
    ///
    /// # Errors
    /// Those of reading links; [`io::ErrorKind::NotFound`] when a component is missing; an error when links lead round in a circle.
    pub fn resolve(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let path = path.as_ref();
        if self.is_this_machine() {
            return Ok(path.to_owned());
        }
        match self.without_links(path) {
            Some(place) => Ok(place),
            None => self.follow(path).map(|inside| self.at(inside)),
        }
    }

    /// Where a path lies on whose way there is no link, which the kernel says in one call; none where it says no, or cannot say.
    fn without_links(&self, path: &Path) -> Option<PathBuf> {
        let upwards = |component: Component<'_>| component == Component::ParentDir;
        if path.components().any(upwards) {
            return None;
        }
        let place = self.at(path);
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        openat2(CWD, &place, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS).ok()?;
        Some(place)
    }

    /// What a link of the machine holds: a path as the machine reads it.
    ///
    /// # Errors
    /// Those of reading a link.
    pub fn read_link(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let path = path.as_ref();
        let target = match path.parent() {
            Some(folder) => self
                .resolve(folder)?
                .join(path.file_name().unwrap_or_default()),
            None => self.at(path),
        };
        std::fs::read_link(target)
    }

    /// A path of the machine without links in it, as the machine reads it.
    ///
    /// # Errors
    /// As [`Host::resolve`].
    pub fn canonical(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        if self.is_this_machine() {
            return std::fs::canonicalize(path);
        }
        self.follow(path.as_ref())
    }

    /// The profile of the system; its generations lie beside it, as `system-12-link`.
    pub fn system_profile(&self) -> PathBuf {
        Path::new(PROFILES).join("system")
    }

    /// The folder of the other profiles of systems.
    pub fn system_profiles(&self) -> PathBuf {
        Path::new(PROFILES).join("system-profiles")
    }

    /// The link to the generation that was booted.
    pub fn booted_system(&self) -> PathBuf {
        PathBuf::from("/run/booted-system")
    }

    /// The link to the generation that is activated.
    pub fn current_system(&self) -> PathBuf {
        PathBuf::from("/run/current-system")
    }

    /// The firmware's variables.
    pub fn efi_variables(&self) -> PathBuf {
        PathBuf::from("/sys/firmware/efi/efivars")
    }

    /// What the program keeps between runs, beside the file that [`settings`](crate::settings) names.
    pub fn state(&self) -> PathBuf {
        PathBuf::from("/var/lib/touchstone")
    }

    /// Follows the links of a path by the rules of a root: `..` of the root is the root.
    fn follow(&self, path: &Path) -> io::Result<PathBuf> {
        let mut done = PathBuf::from("/");
        let mut rest: Vec<PathBuf> = components(path);
        let mut links = 0;
        while let Some(next) = rest.pop() {
            if next == Path::new("..") {
                done.pop();
                continue;
            }
            let candidate = done.join(&next);
            let here = self.at(&candidate);
            if !std::fs::symlink_metadata(&here)?.is_symlink() {
                done = candidate;
                continue;
            }
            links += 1;
            if links > LINKS {
                return Err(io::Error::other(format!(
                    "the links of {} lead round in a circle",
                    path.display()
                )));
            }
            let target = std::fs::read_link(&here)?;
            if target.is_absolute() {
                done = PathBuf::from("/");
            }
            rest.extend(components(&target));
        }
        Ok(done)
    }
}

/// The names of a path, the first one last.
fn components(path: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = path
        .components()
        .filter(|component| matches!(component, Component::Normal(_) | Component::ParentDir))
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect();
    names.reverse();
    names
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    fn machine() -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("nix/store/a/bin")).unwrap();
        fs::write(root.path().join("nix/store/a/boot.json"), "a").unwrap();
        let host = Host::new(root.path());
        (root, host)
    }

    #[test]
    fn absolute_links_are_meant_from_the_root_on() {
        let (root, host) = machine();
        fs::create_dir_all(root.path().join("run")).unwrap();
        symlink("/nix/store/a", root.path().join("run/booted-system")).unwrap();
        let found = host.resolve("/run/booted-system/boot.json").unwrap();
        assert_eq!(fs::read(found).unwrap(), b"a");
        assert_eq!(
            host.canonical("/run/booted-system/bin").unwrap(),
            Path::new("/nix/store/a/bin")
        );
        assert_eq!(
            host.read_link("/run/booted-system").unwrap(),
            Path::new("/nix/store/a")
        );
    }

    #[test]
    fn no_link_leaves_the_root() {
        let (root, host) = machine();
        symlink("../../../../nix/store/a", root.path().join("up")).unwrap();
        assert_eq!(host.canonical("/up").unwrap(), Path::new("/nix/store/a"));
    }

    #[test]
    fn a_circle_of_links_is_an_error() {
        let (root, host) = machine();
        symlink("/there", root.path().join("here")).unwrap();
        symlink("/here", root.path().join("there")).unwrap();
        assert!(
            host.resolve("/here")
                .unwrap_err()
                .to_string()
                .contains("circle")
        );
    }
}
