//! What a PE addon brings.

use std::io::{Read, Seek};

use touchstone_pe::{Image, ReadError, Section};

/// The sections of an addon that a stub looks at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AddonSections {
    /// `.uname`: the addon is for UKIs of this kernel release alone.
    pub(crate) uname: Option<Vec<u8>>,
    /// `.cmdline`.
    pub(crate) cmdline: Option<Vec<u8>>,
    /// `.dtb`.
    pub(crate) device_tree: Option<Section>,
    /// `.ucode`.
    pub(crate) ucode: Option<Section>,
    /// `.initrd`.
    pub(crate) initrd: Option<Section>,
}

/// Why an addon's part in a measurement is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddonError {
    /// It is no PE image.
    #[error(transparent)]
    Image(#[from] ReadError),
    /// It has a section that was never seen in one.
    #[error("addons with a section {0} were never compared with a real boot")]
    NotCompared(&'static str),
    /// It has a section twice.
    #[error("it has more than one section {0}")]
    Twice(&'static str),
}

/// Command lines and releases are short.
const SHORT: u64 = 1 << 20;

/// Sections of UKIs that no real boot has shown in an addon.
const NEVER_SEEN: [&str; 5] = [".linux", ".profile", ".dtbauto", ".hwids", ".efifw"];

impl AddonSections {
    pub(crate) fn read<S: Read + Seek>(source: &mut S) -> Result<AddonSections, AddonError> {
        let image = Image::read(source)?;
        for name in NEVER_SEEN {
            if one(&image, name)?.is_some() {
                return Err(AddonError::NotCompared(name));
            }
        }
        let mut text = |name| match one(&image, name)? {
            Some(section) => Ok(Some(image.section_bytes(source, &section, SHORT)?)),
            None => Ok::<_, AddonError>(None),
        };
        Ok(AddonSections {
            uname: text(".uname")?,
            cmdline: text(".cmdline")?,
            device_tree: one(&image, ".dtb")?,
            ucode: one(&image, ".ucode")?,
            initrd: one(&image, ".initrd")?,
        })
    }
}

/// The only section of this name that is not empty.
fn one(image: &Image, name: &'static str) -> Result<Option<Section>, AddonError> {
    let sections = image.sections().iter();
    let mut named =
        sections.filter(|section| section.name.as_str() == name && section.virtual_size > 0);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(AddonError::Twice(name)),
        (first, None) => Ok(first.cloned()),
    }
}
