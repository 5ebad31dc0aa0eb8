//! A UKI in a file.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use touchstone_pe::{Image, Section, authenticode, observe_sections};

use super::{Authority, BootPathError, Companions, Content, StartedImage, authenticode_digests};
use crate::bank::Bank;
use crate::hash::Digests;
use crate::measured::MeasuredUki;
use crate::profiles::PROFILE;
use crate::uki::UkiMeasurer;
use crate::window::Window;

/// A UKI on its way: the image that the loader starts, and what its stub measures.
#[derive(Clone, Debug)]
pub struct Uki {
    /// Its PE image.
    pub image: StartedImage,
    /// Its sections.
    pub measured: MeasuredUki,
    /// The Authenticode digests of the kernel inside: needed for PCR 4 without Secure Boot and with stubs before 262,
    /// which let the firmware load it.
    pub kernel: Option<Digests>,
    /// The files in `<UKI>.extra.d` on the ESP.
    pub extra: Companions,
    /// Which of its profiles is started, counted from 0; every one of them is a leaf of its own when none is said.
    pub profile: Option<usize>,
    /// Which of its sections `.dtbauto` the machine takes; needed for PCR 11 where there are some.
    pub device_tree: Option<DeviceTree>,
    /// The whole file: needed for PCR 9 where the stub serves the initrd in another order than the sections passed in.
    pub content: Option<Arc<dyn Content>>,
}

/// A choice that the stub makes by the machine's hardware, among the sections `.dtbauto`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceTree {
    /// None is the machine's.
    Nothing,
    /// This one, counted from 0 in the order of the section table.
    Numbered(usize),
}

impl Uki {
    /// A UKI in a file. Reads it three times: for its sections, its own and its kernel's Authenticode digest. A build
    /// has all of them from its one pass ([`UkiMeasurer`]) and needs none of this.
    pub fn from_file<S: Read + Seek>(
        name: impl Into<String>,
        source: &mut S,
        banks: &[Bank],
        authority: Option<Authority>,
    ) -> Result<Uki, BootPathError> {
        let image = Image::read(source)?;
        let measured = measure_uki(&image, source, banks)?;
        let kernel = match image.section(".linux").cloned() {
            Some(section) => kernel_digests(source, &section, banks)?,
            None => None,
        };
        Ok(Uki {
            image: StartedImage::of(name.into(), &image, source, banks, authority)?,
            measured,
            kernel,
            extra: Companions::default(),
            profile: None,
            device_tree: None,
            content: None,
        })
    }
}

/// The sections of a UKI in a file, in one pass; its microcode, when there is some, is read before as well.
pub fn measure_uki<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    banks: &[Bank],
) -> Result<MeasuredUki, BootPathError> {
    let mut measurer = UkiMeasurer::new(banks);
    let common = image.sections().iter();
    let mut common = common.take_while(|section| section.name.as_str() != PROFILE);
    if let Some(section) =
        common.find(|section| section.name.as_str() == ".ucode" && section.virtual_size > 0)
    {
        source.seek(SeekFrom::Start(u64::from(section.raw_offset)))?;
        let stored = u64::from(section.virtual_size.min(section.raw_size));
        let missing = u64::from(section.virtual_size).saturating_sub(stored);
        measurer.announce_microcode(&mut source.take(stored).chain(io::repeat(0).take(missing)))?;
    }
    observe_sections(image, source, &mut [&mut measurer])?;
    Ok(measurer.finish()?)
}

/// The Authenticode digests of the kernel inside a UKI; none when the section is no PE image that the firmware could
/// load (then nobody may ask for them).
fn kernel_digests<S: Read + Seek>(
    source: &mut S,
    section: &Section,
    banks: &[Bank],
) -> Result<Option<Digests>, BootPathError> {
    if section.raw_size < section.virtual_size {
        return Ok(None);
    }
    let mut window = Window::new(
        source,
        u64::from(section.raw_offset),
        u64::from(section.virtual_size),
    );
    match Image::read(&mut window) {
        Ok(image) if !authenticode::is_padded(&image) => {
            Ok(Some(authenticode_digests(&image, &mut window, banks)?))
        }
        _ => Ok(None),
    }
}
