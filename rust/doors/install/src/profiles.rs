//! The profiles of systems, and the generations that they hold.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use crate::Host;

/// A profile: the generations of one line of systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Its name below `system-profiles`; none for the system's own.
    pub name: Option<String>,
    /// The number of the generation to which the profile leads.
    pub current: Option<u64>,
    /// Its generations, the newest first.
    pub generations: Vec<Link>,
}

/// A generation in a profile: a link to a toplevel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub number: u64,
    /// Where the link is.
    pub path: PathBuf,
    /// Where it leads, as the machine reads it.
    pub toplevel: PathBuf,
}

/// Why the profiles cannot be listed.
#[derive(Debug, thiserror::Error)]
pub enum ProfilesError {
    /// A folder or a link cannot be read.
    #[error("{} cannot be read: {source}\n  help: run this as root, on the machine itself or with --root", .path.display())]
    Read {
        /// The folder or link.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// A profile has a name that no file name of an entry can hold.
    #[error("the profile {} has a name that is no text\n  help: rename it: its entry in the boot menu is named after it", .path.display())]
    Name {
        /// The profile.
        path: PathBuf,
    },
}

/// Every profile of the machine: the system's own first, the others by name. A profile without generations is left out.
///
/// # Errors
/// [`ProfilesError`].
pub fn all(host: &Host) -> Result<Vec<Profile>, ProfilesError> {
    let system = host.system_profile();
    let own = system.parent().unwrap_or(Path::new("/"));
    let own = named(host, own)?;
    let mut profiles: Vec<Profile> = own
        .into_iter()
        .filter(|profile| profile.name.as_deref() == Some("system"))
        .map(|profile| Profile {
            name: None,
            ..profile
        })
        .collect();
    let mut others = named(host, &host.system_profiles())?;
    others.sort_by(|one, other| one.name.cmp(&other.name));
    profiles.extend(others);
    Ok(profiles)
}

/// The profiles in a folder, each with its name.
fn named(host: &Host, folder: &Path) -> Result<Vec<Profile>, ProfilesError> {
    let failed = |path: &Path, source| ProfilesError::Read {
        path: path.to_owned(),
        source,
    };
    let mut profiles: Vec<Profile> = Vec::new();
    let place = host.resolve(folder);
    let entries = match place.and_then(std::fs::read_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(profiles),
        Err(error) => return Err(failed(folder, error)),
    };
    for entry in entries {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let name = entry.file_name();
        let Some((profile, number)) = split(&name) else {
            continue;
        };
        let path = folder.join(&name);
        let Some(profile) = profile.to_str() else {
            return Err(ProfilesError::Name { path });
        };
        let toplevel = toplevel_of(host, &path).map_err(|source| failed(&path, source))?;
        let link = Link {
            number,
            path,
            toplevel,
        };
        match profiles
            .iter_mut()
            .find(|known| known.name.as_deref() == Some(profile))
        {
            Some(known) => known.generations.push(link),
            None => profiles.push(Profile {
                name: Some(profile.to_owned()),
                current: current(host, &folder.join(profile)),
                generations: vec![link],
            }),
        }
    }
    for profile in &mut profiles {
        profile
            .generations
            .sort_by_key(|link| u64::MAX - link.number);
    }
    Ok(profiles)
}

/// Profile and number of a link `<profile>-<number>-link`.
fn split(name: &OsStr) -> Option<(&OsStr, u64)> {
    let bytes = name.as_encoded_bytes().strip_suffix(b"-link")?;
    let dash = bytes.iter().rposition(|byte| *byte == b'-')?;
    let (profile, number) = bytes.split_at_checked(dash)?;
    let number = std::str::from_utf8(number.get(1..)?).ok()?;
    // As Nix writes it: no sign, no zero in front.
    let number = number
        .parse()
        .ok()
        .filter(|parsed: &u64| parsed.to_string() == number)?;
    use std::os::unix::ffi::OsStrExt;
    (!profile.is_empty()).then(|| (OsStr::from_bytes(profile), number))
}

/// Where a generation's link leads: what Nix wrote into it, and what that leads to where it is no store path itself.
fn toplevel_of(host: &Host, link: &Path) -> io::Result<PathBuf> {
    let target = host.read_link(link)?;
    let in_store = target
        .strip_prefix("/nix/store")
        .is_ok_and(|rest| rest.components().count() == 1);
    match in_store {
        true => Ok(target),
        // A generation whose closure is gone stays in the list, to be reported.
        false => host.canonical(link).or(Ok(target)),
    }
}

/// The generation to which a profile's own link leads.
fn current(host: &Host, profile: &Path) -> Option<u64> {
    let target = host.read_link(profile).ok()?;
    split(target.file_name()?).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_comes_from_the_link() {
        let of =
            |name| split(OsStr::new(name)).map(|(profile, number)| (profile.to_owned(), number));
        assert_eq!(of("system-12-link"), Some(("system".into(), 12)));
        assert_eq!(of("a-1-link-7-link"), Some(("a-1-link".into(), 7)));
        for other in [
            "system",
            "system-link",
            "system-x-link",
            "-3-link",
            "system-+3-link",
            "system-03-link",
        ] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
