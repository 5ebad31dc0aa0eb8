//! Profiles, changed exactly as Nix changes them.
//!
//! A profile is a link to one of its generations, `<name>-<number>-link`, which are links to store paths and lie beside it. Source: Nix 2.3 to 2.31,
//! `nix-env --set`, `--rollback` and `--list-generations`, by their behaviour (a test compares).

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use touchstone_store::StorePath;

use super::lock::{self, Lock};
use crate::Host;

/// What a profile cannot be changed for.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The name is none of a profile.
    #[error("{0:?} is no name of a profile\n  help: it must not be empty, `.`, `..` or hold a `/`")]
    Name(String),
    /// Reading or changing the file system failed.
    #[error("cannot {what} {}: {source}\n  help: run this as root, and look whether the disk is full or read-only", file.display())]
    Io {
        /// What was to be done.
        what: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// There is nothing to go back to.
    #[error("the profile {} has no generation before its current one{}\n  help: `ls -l` of its folder shows which there are", profile.display(), current.map(|n| format!(", {n}")).unwrap_or_default())]
    NothingBefore {
        /// The profile.
        profile: PathBuf,
        /// Its current generation.
        current: Option<u64>,
    },
    /// The store path went away before the profile named it.
    #[error("{0} is no longer in the store: a garbage collection took it\n  help: bring it again")]
    Collected(StorePath),
    /// A generation has the highest number that there is.
    #[error("the profile {} has no number left for another generation\n  help: remove the link with the highest one", .0.display())]
    NumbersUsedUp(PathBuf),
}

/// A profile of systems.
#[derive(Clone, Debug)]
pub struct Profile {
    host: Host,
    /// As the machine names it.
    path: PathBuf,
    /// Where its folder lies.
    folder: PathBuf,
    name: String,
}

/// A generation of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// The name of its link, in the profile's folder.
    pub link: String,
}

/// The generations of a profile, by number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generations {
    /// All that there are.
    pub all: Vec<Generation>,
    /// The one that the profile leads to.
    pub current: Option<u64>,
}

impl Profile {
    /// The profile of the system, or another by its name.
    ///
    /// # Errors
    /// [`ProfileError::Name`], [`ProfileError::Io`].
    pub fn of(host: &Host, name: Option<&str>) -> Result<Self, ProfileError> {
        let path = match name {
            None | Some("system") => host.system_profile(),
            Some(name) if matches!(name, "" | "." | "..") || name.contains('/') => {
                return Err(ProfileError::Name(name.to_owned()));
            }
            Some(name) => host.system_profiles().join(name),
        };
        let parent = path.parent().unwrap_or(Path::new("/"));
        let folder = match host.resolve(parent) {
            Err(error) if error.kind() == ErrorKind::NotFound => host.at(parent),
            other => other.map_err(failed("find", parent))?,
        };
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        Ok(Self {
            host: host.clone(),
            name: name.to_owned(),
            folder,
            path,
        })
    }

    /// The profile's link, as the machine names it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The link of a generation, as the machine names it.
    pub fn link(&self, generation: &Generation) -> PathBuf {
        self.path.with_file_name(&generation.link)
    }

    /// Makes the profile's folder, if it is not there: that of the other profiles is made when it is first needed, as Nix does.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn make_folder(&self) -> Result<(), ProfileError> {
        fs::create_dir_all(&self.folder).map_err(failed("make the folder", &self.folder))
    }

    /// What the profile has; nothing where it is not there.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn generations(&self) -> Result<Generations, ProfileError> {
        let mut all = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Generations::default());
            }
            other => other.map_err(failed("list", &self.folder))?,
        };
        for entry in entries {
            let name = entry.map_err(failed("list", &self.folder))?.file_name();
            let Some(link) = name.to_str() else { continue };
            let number = self.number(link);
            all.extend(number.map(|number| Generation {
                number,
                link: link.to_owned(),
            }));
        }
        all.sort_by(|one, other| (one.number, &one.link).cmp(&(other.number, &other.link)));
        let current = self.target()?;
        let current = current.as_deref().and_then(Path::to_str);
        Ok(Generations {
            all,
            current: current.and_then(|link| self.number(link)),
        })
    }

    /// The number in a link's name, as Nix reads it: whatever follows `-link` is passed over.
    fn number(&self, link: &str) -> Option<u64> {
        let rest = link.strip_prefix(&self.name)?.strip_prefix('-')?;
        let (digits, _) = rest.split_once("-link")?;
        let number = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|_| number)
    }

    /// Refuses a profile that has no current generation, before anything is made for it.
    ///
    /// # Errors
    /// [`ProfileError::NothingBefore`], [`ProfileError::Io`].
    pub fn must_be_there(&self) -> Result<(), ProfileError> {
        match self.generations()?.current {
            Some(_) => Ok(()),
            None => Err(ProfileError::NothingBefore {
                profile: self.path.clone(),
                current: None,
            }),
        }
    }

    /// Takes the profile for this program alone, as Nix does. `wait` is told when another has it.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn lock(&self, wait: &dyn Fn(&str)) -> Result<Locked<'_>, ProfileError> {
        let file = self.folder.join(format!("{}.lock", self.name));
        let waiting = format!("waiting for lock on profile '{}'", self.path.display());
        let lock = Lock::take(&file, || wait(&waiting)).map_err(failed("lock", &file))?;
        Ok(Locked {
            profile: self,
            _lock: lock,
        })
    }

    /// What the profile's link holds, if there is one.
    fn target(&self) -> Result<Option<PathBuf>, ProfileError> {
        let link = self.folder.join(&self.name);
        match fs::read_link(&link) {
            Ok(target) => Ok(Some(target)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(failed("read the link", &link)(source)),
        }
    }
}

/// A profile that nobody else changes.
pub struct Locked<'a> {
    profile: &'a Profile,
    _lock: Lock,
}

/// What a change of a profile replaced, to be put back when what follows fails.
#[derive(Debug)]
pub struct Before {
    target: Option<PathBuf>,
    made: Option<Generation>,
}

impl Locked<'_> {
    /// The profile.
    pub fn profile(&self) -> &Profile {
        self.profile
    }

    /// Makes a store path the profile's current generation, as `nix-env --set` does: the newest generation is used again when it is that path. The
    /// second answer is for [`Locked::restore`].
    ///
    /// # Errors
    /// [`ProfileError`]; the profile is as it was then.
    pub fn set(
        &self,
        path: &StorePath,
        wait: &dyn Fn(&str),
    ) -> Result<(Generation, Before), ProfileError> {
        let target = self.profile.target()?;
        let newest = self.profile.generations()?.all.pop();
        let same = newest.clone().filter(|newest| self.is(newest, path));
        let (generation, made) = match same {
            Some(newest) => (newest, None),
            None => {
                let made = self.create(path, newest.as_ref(), wait)?;
                (made.clone(), Some(made))
            }
        };
        let before = Before { target, made };
        match self.switch(&generation) {
            Ok(()) => Ok((generation, before)),
            Err(error) => {
                self.restore(&before)?;
                Err(error)
            }
        }
    }

    /// Goes back to the generation before the current one, as `nix-env --rollback` does.
    ///
    /// # Errors
    /// [`ProfileError`]; the profile is as it was then.
    pub fn rollback(&self) -> Result<(Generation, Before), ProfileError> {
        let target = self.profile.target()?;
        let generations = self.profile.generations()?;
        let current = generations.current;
        let before = |generation: &&Generation| current.is_some_and(|n| generation.number < n);
        let chosen = generations.all.iter().rfind(before);
        let chosen = chosen.ok_or_else(|| ProfileError::NothingBefore {
            profile: self.profile.path.clone(),
            current,
        })?;
        self.switch(chosen)?;
        let before = Before { target, made: None };
        Ok((chosen.clone(), before))
    }

    /// Puts back what was there before a change.
    ///
    /// # Errors
    /// [`ProfileError::Io`].
    pub fn restore(&self, before: &Before) -> Result<(), ProfileError> {
        match &before.target {
            Some(target) => self.point(target)?,
            None => remove(&self.profile.folder.join(&self.profile.name))?,
        }
        if let Some(made) = &before.made {
            remove(&self.profile.folder.join(&made.link))?;
        }
        self.sync()
    }

    fn is(&self, generation: &Generation, path: &StorePath) -> bool {
        let target = fs::read_link(self.profile.folder.join(&generation.link));
        target.is_ok_and(|target| target == Path::new(path.as_str()))
    }

    fn create(
        &self,
        path: &StorePath,
        newest: Option<&Generation>,
        wait: &dyn Fn(&str),
    ) -> Result<Generation, ProfileError> {
        let number = newest.map_or(0, |newest| newest.number).checked_add(1);
        let number =
            number.ok_or_else(|| ProfileError::NumbersUsedUp(self.profile.path.clone()))?;
        let link = format!("{}-{number}-link", self.profile.name);
        let file = self.profile.folder.join(&link);
        // While Nix collects garbage it does not look at new links: it is waited for, and what it took is noticed.
        let waiting = "waiting for the garbage collector of Nix";
        let collector = lock::share(&self.profile.host.at(lock::COLLECTOR), || wait(waiting));
        let _collector = collector.map_err(failed("lock", Path::new(lock::COLLECTOR)))?;
        if !self.profile.host.at(path.as_str()).exists() {
            return Err(ProfileError::Collected(path.clone()));
        }
        symlink(path.as_str(), &file).map_err(failed("make the link", &file))?;
        self.sync()?;
        Ok(Generation { number, link })
    }

    fn switch(&self, generation: &Generation) -> Result<(), ProfileError> {
        self.point(Path::new(&generation.link))?;
        self.sync()
    }

    /// Replaces the profile's link in one step.
    fn point(&self, target: &Path) -> Result<(), ProfileError> {
        let link = self.profile.folder.join(&self.profile.name);
        for number in 0_u32.. {
            let name = format!(".{number}_{}", self.profile.name);
            let temporary = self.profile.folder.join(name);
            match symlink(target, &temporary) {
                Ok(()) => return fs::rename(&temporary, &link).map_err(failed("replace", &link)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => (),
                Err(source) => return Err(failed("make the link", &temporary)(source)),
            }
        }
        Ok(())
    }

    /// Links are on the disk before anything relies on them.
    fn sync(&self) -> Result<(), ProfileError> {
        let folder = &self.profile.folder;
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(failed("sync", folder))
    }
}

fn remove(file: &Path) -> Result<(), ProfileError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", file)(error)),
        _ => Ok(()),
    }
}

fn failed(what: &'static str, file: &Path) -> impl FnOnce(io::Error) -> ProfileError {
    move |source| ProfileError::Io {
        what,
        file: file.to_owned(),
        source,
    }
}
