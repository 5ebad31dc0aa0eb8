//! The boot loader.

use std::io::{Read, Seek};

use touchstone_pe::Image;

use super::{Authority, BootPathError, StartedImage};
use crate::bank::Bank;
use crate::version::{Component, Version};

/// The boot loader that the firmware starts: systemd-boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// Its PE image.
    pub image: StartedImage,
    /// Its version, from `.sdmagic`.
    pub version: Version,
    /// The content of `loader/loader.conf` on the ESP; none where there is no such file.
    pub configuration: Option<Vec<u8>>,
}

impl Loader {
    /// A boot loader in a file. Refuses anything but systemd-boot of a known version.
    pub fn from_file<S: Read + Seek>(
        source: &mut S,
        banks: &[Bank],
        authority: Option<Authority>,
    ) -> Result<Loader, BootPathError> {
        let image = Image::read(source)?;
        let version = Version::of_image(Component::Boot, &image, source)??;
        let name = format!("systemd-boot {version}");
        Ok(Loader {
            image: StartedImage::of(name, &image, source, banks, authority)?,
            version,
            configuration: None,
        })
    }
}
