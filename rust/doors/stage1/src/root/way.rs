//! The way to what must not be there, name by name.
//!
//! A link may lead to a folder that is empty now, and that a file system hides or brings when the check is over. Where it leads is for whoever can write
//! to the disk to say; what is mounted is in the signed configuration, which mounts nothing inside of the store.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Component, Path, PathBuf};

use rustix::fd::OwnedFd;
use rustix::fs::{FileType, OFlags, fstat, readlinkat};
use rustix::io::Errno;

use super::{Error, Root, unreadable};

/// Where links may lead.
const STORE: &str = "nix/store";
/// Where Nix has links to links: `default` to `default-7-link`, and that one into the store.
const PROFILES: &str = "nix/var/nix/profiles";
/// So many links are followed by the kernel on one way. Source: Linux, `MAXSYMLINKS`.
const LINKS_LIMIT: usize = 40;

const OUT: &str = "lies or leads out of the store";
const NOWHERE: &str = "leads nowhere";

impl Root<'_> {
    /// A file by its path from the root on; none where there is none. What its last name stands for may be a link, which is not followed.
    ///
    /// # Errors
    /// [`Error::Astray`] at a link before the last name that lies anywhere but in the store and among Nix' profiles, that leads out of the store, or that
    /// leads nowhere.
    pub(super) fn way(&self, file: &'static str) -> Result<Option<OwnedFd>, Error> {
        let mut way = Way {
            root: self,
            file,
            here: PathBuf::new(),
            links: 0,
        };
        let mut names = Path::new(file).iter();
        let last = names.next_back().unwrap_or_default();
        for name in names {
            if !way.enter(name)? {
                return Ok(None);
            }
        }
        self.find(&way.here.join(last), OFlags::NOFOLLOW)
    }
}

/// How far the way is gone.
struct Way<'r> {
    root: &'r Root<'r>,
    /// What is looked for.
    file: &'static str,
    /// A folder, from the root on, without links in it.
    here: PathBuf,
    /// Links that were followed.
    links: usize,
}

impl Way<'_> {
    /// Goes on to what a name stands for, through links; whether there is anything.
    fn enter(&mut self, name: &OsStr) -> Result<bool, Error> {
        let mut ahead = vec![name.to_owned()];
        let mut followed: Option<PathBuf> = None;
        while let Some(name) = ahead.pop() {
            if name == ".." {
                self.here.pop();
                continue;
            }
            self.here.push(name);
            match &followed {
                Some(link) if !is_known(&self.here) => return Err(self.astray(link, OUT)),
                _ => (),
            }
            let Some(found) = self.root.find(&self.here, OFlags::NOFOLLOW)? else {
                return followed.map_or(Ok(false), |link| Err(self.astray(&link, NOWHERE)));
            };
            if let Some(target) = self.target(&found)? {
                ahead.extend(names_backwards(&target));
                followed = Some(self.follow(&target)?);
            }
        }
        match followed {
            Some(link) if !self.here.starts_with(STORE) => Err(self.astray(&link, OUT)),
            _ => Ok(true),
        }
    }

    /// Where a link leads; none of what is no link.
    fn target(&self, found: &OwnedFd) -> Result<Option<PathBuf>, Error> {
        let wrong = unreadable(&self.root.folder.join(&self.here));
        let facts = fstat(found).map_err(&wrong)?;
        if !FileType::from_raw_mode(facts.st_mode).is_symlink() {
            return Ok(None);
        }
        let target = readlinkat(found, "", Vec::new()).map_err(&wrong)?;
        let target = OsString::from_vec(target.into_bytes());
        Ok(Some(target.into()))
    }

    /// Goes to where the names of a link's target begin; the answer is the link.
    fn follow(&mut self, target: &Path) -> Result<PathBuf, Error> {
        self.links += 1;
        if self.links > LINKS_LIMIT {
            return Err(unreadable(&self.root.folder.join(self.file))(Errno::LOOP));
        }
        let link = self.here.clone();
        if !is_inside(&link) {
            return Err(self.astray(&link, OUT));
        }
        match target.is_absolute() {
            true => self.here.clear(),
            false => _ = self.here.pop(),
        }
        Ok(link)
    }

    fn astray(&self, link: &Path, leads: &'static str) -> Error {
        let (link, file) = (link.to_owned(), self.file);
        Error::Astray { link, leads, file }
    }
}

/// Whether it lies in the store, or is one of Nix' profiles.
fn is_inside(place: &Path) -> bool {
    place.starts_with(STORE) || place.parent() == Some(Path::new(PROFILES))
}

/// The same, or a folder on the way there.
fn is_known(place: &Path) -> bool {
    is_inside(place)
        || [STORE, PROFILES]
            .iter()
            .any(|to| Path::new(to).starts_with(place))
}

/// The names of a link's target, the last one first.
fn names_backwards(target: &Path) -> impl Iterator<Item = OsString> {
    let names = target.components().rev();
    names.filter_map(|name| match name {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}
