//! What systemd-boot reads in the `.osrel` of a unified kernel image.
//!
//! Sources: UAPI.1 Boot Loader Specification, "Type #2 EFI Unified Kernel Images"; os-release(5); the behaviour of systemd-boot.

use crate::lines::settings;

/// What the boot loader shows of a unified kernel image, and sorts it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OsRelease {
    /// What the menu shows.
    pub title: String,
    /// Sorts images of one sort key.
    pub version: Option<String>,
    /// Sorts entries, before anything else but their being bad.
    pub sort_key: Option<String>,
}

impl OsRelease {
    /// Reads an os-release file. Without a name of any kind systemd-boot does not list the image.
    pub fn read(text: &str) -> Option<Self> {
        let first_of = |keys: &[&str]| keys.iter().find_map(|key| value(text, key));
        Some(Self {
            title: first_of(&["PRETTY_NAME", "IMAGE_ID", "NAME", "ID"])?,
            version: first_of(&["IMAGE_VERSION", "VERSION", "VERSION_ID", "BUILD_ID"]),
            sort_key: first_of(&["IMAGE_ID", "ID"]),
        })
    }
}

/// The value of a key that counts: the last one.
fn value(text: &str, key: &str) -> Option<String> {
    settings(text, &['='])
        .filter(|(found, _)| *found == key)
        .last()
        .map(|(_, value)| value.to_owned())
}
