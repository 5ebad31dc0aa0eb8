//! What lies beside a UKI on the ESP, as its stub takes it: addons, credentials, extensions.
//!
//! Every rule here was seen on real boots (`tests/real_boots/stub*`).

use std::io;

use super::{PredictError, authorities};
use crate::addon::AddonSections;
use crate::bank::Bank;
use crate::boot_path::{Addon, BootPath, Companion, Companions, Uki};
use crate::content::Rewind;
use crate::cpio::{self, Folder};
use crate::hash::{Digests, Hashers};
use crate::measured::Profile;
use crate::measurement::{Event, EventKind};
use crate::version::Release;

/// An addon that the stub uses, with what it brings.
pub(super) struct Used<'a> {
    pub(super) addon: &'a Addon,
    pub(super) sections: AddonSections,
}

/// The addons that the stub has loaded, in its order: those for all UKIs first, each place sorted by the bytes of the
/// names. 252 knows no addons.
pub(super) fn loaded(boot: &BootPath) -> Vec<&Addon> {
    let uki = boot.program.uki();
    let uki = uki.filter(|uki| uki.measured.stub().release > Release::V252);
    let places = uki.map(|uki| [&boot.shared, &uki.extra]);
    let places = places.into_iter().flatten();
    places.flat_map(sorted_addons).collect()
}

fn sorted_addons(companions: &Companions) -> Vec<&Addon> {
    let mut addons: Vec<&Addon> = companions.addons.iter().collect();
    addons.sort_by_key(|addon| &addon.name);
    addons
}

/// The loaded addons that the stub does not pass over.
pub(super) fn used<'a>(
    boot: &'a BootPath,
    profile: &Profile<'_>,
) -> Result<Vec<Used<'a>>, PredictError> {
    let mut used = Vec::new();
    for addon in loaded(boot) {
        let refused = |why: String| PredictError::Addon {
            name: addon.name.clone(),
            why,
        };
        let mut source = Rewind::new(&*addon.content).map_err(|why| refused(why.to_string()))?;
        let sections = AddonSections::read(&mut source).map_err(|why| refused(why.to_string()))?;
        if fits(profile.text(".uname"), sections.uname.as_deref()).map_err(refused)? {
            used.push(Used { addon, sections });
        }
    }
    Ok(used)
}

/// Refuses addons that the firmware does not let start: the stub passes them over without a word to the user.
pub(super) fn check_admission(boot: &BootPath) -> Result<(), PredictError> {
    if !boot.variables.secure_boot {
        return Ok(());
    }
    for addon in loaded(boot) {
        match &boot.shim {
            None => authorities::of_firmware(&addon.image, &boot.variables)?,
            Some(shim) => authorities::of_shim(&addon.image, &boot.variables, shim)?,
        };
    }
    Ok(())
}

/// Whether an addon for one kernel release goes with this UKI.
fn fits(uki: Option<&[u8]>, addon: Option<&[u8]>) -> Result<bool, String> {
    match (uki, addon) {
        (_, None) => Ok(true),
        (Some(uki), Some(addon)) if uki == addon => Ok(true),
        (Some(uki), Some(addon)) if !uki.starts_with(addon) && !addon.starts_with(uki) => Ok(false),
        _ => Err(
            "its .uname is neither that of the UKI nor another one: write both alike".to_owned(),
        ),
    }
}

/// Files that the stub hands to the initrd in an archive of their own.
pub(super) struct Archive<'a> {
    /// The register in which it is measured.
    pub(super) pcr: u32,
    kind: EventKind,
    /// In words.
    pub(super) what: &'static str,
    folder: Folder,
    files: Vec<&'a Companion>,
}

/// The archives that this stub makes, in their order.
pub(super) fn archives<'a>(boot: &'a BootPath, uki: &'a Uki) -> Vec<Archive<'a>> {
    use EventKind::{ConfigurationExtensions, Credentials, SystemExtensions};
    let release = uki.measured.stub().release;
    let (own, shared) = (&uki.extra, &boot.shared);
    // 252 takes all *.raw for system extensions; of extensions for all UKIs only 262 knows.
    let all = match release {
        Release::V252 => own.configuration_extensions.as_slice(),
        _ => &[],
    };
    let since = |first: Release, files: &'a [Companion]| match release >= first {
        true => files,
        false => &[],
    };
    let archive = |pcr, kind, what, folder, files: Vec<&'a Companion>| Archive {
        pcr,
        kind,
        what,
        folder,
        files,
    };
    let archives = [
        archive(
            12,
            Credentials,
            "the UKI's credentials",
            cpio::CREDENTIALS,
            sorted(&own.credentials, &[]),
        ),
        archive(
            12,
            Credentials,
            "the credentials for all UKIs",
            cpio::GLOBAL_CREDENTIALS,
            sorted(&shared.credentials, &[]),
        ),
        archive(
            13,
            SystemExtensions,
            "the UKI's system extensions",
            cpio::SYSEXT,
            sorted(&own.system_extensions, all),
        ),
        archive(
            13,
            SystemExtensions,
            "the system extensions for all UKIs",
            cpio::GLOBAL_SYSEXT,
            sorted(since(Release::V262, &shared.system_extensions), &[]),
        ),
        archive(
            12,
            ConfigurationExtensions,
            "the UKI's configuration extensions",
            cpio::CONFEXT,
            sorted(since(Release::V257, &own.configuration_extensions), &[]),
        ),
        archive(
            12,
            ConfigurationExtensions,
            "the configuration extensions for all UKIs",
            cpio::GLOBAL_CONFEXT,
            sorted(since(Release::V262, &shared.configuration_extensions), &[]),
        ),
    ];
    let there = archives
        .into_iter()
        .filter(|archive| !archive.files.is_empty());
    there.collect()
}

fn sorted<'a>(files: &'a [Companion], more: &'a [Companion]) -> Vec<&'a Companion> {
    let mut files: Vec<&Companion> = files.iter().chain(more).collect();
    files.sort_by_key(|file| &file.name);
    files
}

impl Archive<'_> {
    /// Writes its bytes.
    pub(super) fn write(&self, sink: &mut dyn FnMut(&[u8])) -> Result<(), PredictError> {
        let mut archive = cpio::Archive::new(self.folder, sink);
        for file in &self.files {
            let length = file.content.length();
            let length = length.and_then(|length| {
                u32::try_from(length).map_err(|_| io::Error::other("it is 4 GiB or longer"))
            });
            length
                .and_then(|length| archive.file(&file.name, length, &mut file.content.open()?))
                .map_err(|why| unreadable(&file.name, &why))?;
        }
        archive.finish();
        Ok(())
    }

    /// The event by which the stub measures it.
    pub(super) fn event(&self, banks: &[Bank]) -> Result<Event, PredictError> {
        let mut hashers = Hashers::new(banks);
        self.write(&mut |bytes| hashers.update(bytes))?;
        Ok(Event {
            pcr: self.pcr,
            kind: self.kind,
            why: self.words(),
            digests: hashers.finish(),
        })
    }

    /// What it is, with the names of its files.
    pub(super) fn words(&self) -> String {
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        format!("{}, in a cpio archive: {}", self.what, names.join(", "))
    }
}

/// The digests of a section that an addon brings.
pub(super) fn digests(
    used: &Used<'_>,
    section: &touchstone_pe::Section,
    banks: &[Bank],
) -> Result<Digests, PredictError> {
    crate::content::digests(&*used.addon.content, section, banks)
        .map_err(|why| unreadable(&used.addon.name, &why))
}

pub(super) fn unreadable(name: &str, why: &io::Error) -> PredictError {
    PredictError::Unreadable {
        name: name.to_owned(),
        why: why.to_string(),
    }
}

/// Refuses files that a stub would pass over because of their name.
pub(super) fn check_names(boot: &BootPath) -> Result<(), PredictError> {
    let Some(uki) = boot.program.uki() else {
        return Ok(());
    };
    for companions in [&boot.shared, &uki.extra] {
        let addons = companions.addons.iter().map(|addon| &addon.name);
        let named = addons
            .map(|name| (name, ".addon.efi"))
            .chain(names(&companions.credentials).map(|name| (name, ".cred")))
            .chain(names(&companions.system_extensions).map(|name| (name, ".raw")))
            .chain(names(&companions.configuration_extensions).map(|name| (name, ".confext.raw")));
        for (name, end) in named {
            let system = companions
                .system_extensions
                .iter()
                .any(|file| file.name == *name);
            let wrong = system && ends_with(name, ".confext.raw");
            if wrong || !ends_with(name, end) || !is_seen(name) {
                return Err(PredictError::Name {
                    name: name.clone(),
                    end,
                });
            }
        }
    }
    Ok(())
}

fn names(files: &[Companion]) -> impl Iterator<Item = &String> {
    files.iter().map(|file| &file.name)
}

/// Capital letters count as small ones.
fn ends_with(name: &str, end: &str) -> bool {
    name.to_ascii_lowercase().ends_with(end)
}

/// Hidden names, longer ones than Linux has, and those with other characters than ASCII's are passed over.
fn is_seen(name: &str) -> bool {
    let strange = |byte: u8| !byte.is_ascii_graphic() && byte != b' ' || b"/\\".contains(&byte);
    !name.starts_with('.') && name.len() <= 255 && !name.bytes().any(strange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_addon_for_another_kernel_is_passed_over() {
        assert_eq!(fits(Some(b"6.12"), Some(b"6.12")), Ok(true));
        assert_eq!(fits(Some(b"6.12"), None), Ok(true));
        assert_eq!(fits(Some(b"6.12"), Some(b"5.0")), Ok(false));
        // What stubs make of the front of a release was never seen.
        assert!(fits(Some(b"6.12"), Some(b"6.1")).is_err());
        assert!(fits(None, Some(b"6.12")).is_err());
    }

    #[test]
    fn knows_the_names_that_stubs_see() {
        assert!(is_seen("C.CRED") && ends_with("C.CRED", ".cred"));
        for hidden in [".a.cred", "ä.cred", "a/b.cred", &"a".repeat(256)] {
            assert!(!is_seen(hidden), "{hidden}");
        }
    }
}
