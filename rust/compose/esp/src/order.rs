//! The order of entries in systemd-boot's menu, and which of them it starts by itself.
//!
//! Sources: UAPI.1 Boot Loader Specification, "Sorting"; UAPI.10 Version Format Specification; loader.conf(5); the behaviour of
//! systemd-boot 252 to 262.

mod selection;
mod version;

use std::cmp::{Ordering, Reverse};

pub use selection::{LoaderVersion, Selection, Wishes, matches, selected};
pub use version::compare_versions;

use crate::counter::join;
use crate::{Assessment, BootCount, OsRelease, type1};

/// An entry, as systemd-boot sorts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The file's name without the counter.
    pub id: String,
    /// Which profile of a unified kernel image it is; the first has the number 0, as has whatever is no such image.
    pub profile: u32,
    /// The sort key.
    pub sort_key: Option<String>,
    /// The machine's identity; unified kernel images have none.
    pub machine_id: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The boot counter.
    pub count: Option<BootCount>,
}

impl Listed {
    /// A unified kernel image with this file name, and this in `.osrel`.
    pub fn image(file_name: &str, os_release: &OsRelease) -> Self {
        let (id, count) = identify(file_name);
        Self {
            id,
            profile: 0,
            sort_key: os_release.sort_key.clone(),
            machine_id: None,
            version: os_release.version.clone(),
            count,
        }
    }

    /// An entry of Type #1 in a file with this name.
    pub fn text(file_name: &str, entry: &type1::Type1) -> Self {
        let (id, count) = identify(file_name);
        let value = |key| entry.value(&key).map(str::to_owned);
        Self {
            id,
            profile: 0,
            sort_key: value(type1::Key::SortKey),
            machine_id: value(type1::Key::MachineId),
            version: value(type1::Key::Version),
            count,
        }
    }

    /// Whether it has no attempt left.
    pub fn is_bad(&self) -> bool {
        BootCount::assessment(self.count) == Assessment::Bad
    }

    /// The file's name, with the counter.
    fn file_name(&self) -> String {
        join(&self.id, self.count)
    }
}

/// By what the boot loader knows the entry in a file: its name in lower case without the counter, and the counter.
pub fn identify(file_name: &str) -> (String, Option<BootCount>) {
    BootCount::split(&file_name.to_ascii_lowercase())
}

/// Orders two entries: what is less comes first in the menu.
pub fn compare(one: &Listed, other: &Listed) -> Ordering {
    one.is_bad()
        .cmp(&other.is_bad())
        .then_with(|| by_sort_key(one, other))
        .then_with(|| compare_versions(&other.id, &one.id))
        .then_with(|| one.profile.cmp(&other.profile))
        .then_with(|| by_count(one, other))
}

/// With a sort key comes before without; equal ones are parted by machine and version.
fn by_sort_key(one: &Listed, other: &Listed) -> Ordering {
    let (Some(key), Some(other_key)) = (&one.sort_key, &other.sort_key) else {
        return one.sort_key.is_none().cmp(&other.sort_key.is_none());
    };
    let version = |listed: &Listed| listed.version.clone().unwrap_or_default();
    units(key)
        .cmp(units(other_key))
        .then_with(|| machine(one).cmp(&machine(other)))
        .then_with(|| compare_versions(&version(other), &version(one)))
}

/// UTF-16 units, which is what the loader compares.
fn units(text: &str) -> impl Iterator<Item = u16> + '_ {
    text.encode_utf16()
}

fn machine(listed: &Listed) -> Option<Vec<u16>> {
    listed.machine_id.as_deref().map(|id| units(id).collect())
}

/// More attempts left come first, then fewer made. Only where both are counted.
fn by_count(one: &Listed, other: &Listed) -> Ordering {
    let (Some(one), Some(other)) = (one.count, other.count) else {
        return Ordering::Equal;
    };
    let key = |count: BootCount| (Reverse(count.left), count.done.unwrap_or(0));
    key(one).cmp(&key(other))
}
