//! Profiles: images that `--profile` makes, whose sections go into a UKI behind its own.
//!
//! Source: UAPI.5 (multi-profile UKIs), `ukify(1)`, `--join-profile=`, and what ukify 257 and 262 copy: of the first `.profile` and
//! what follows it, the sections that a profile may have of its own. `.osrel` is taken if the UKI has one, too; `.pcrpkey` stays that
//! of the UKI, and a `.pcrsig` is left behind, for it speaks about other sections. What else the image has belongs to its stub.

use std::fmt;
use std::io::{Read, Seek};

use super::parts::check_lines;
use super::shared::{Shared, Source};
use super::{CODE, Compat, DATA, Kernel, ProfileError};
use crate::layout::{Content, NewSection};
use crate::{Image, Machine, ReadError, Section};

/// What is copied, by both releases.
const COPIED: [&str; 9] = [
    ".profile", ".cmdline", ".dtb", ".uname", ".splash", ".linux", ".initrd", ".ucode", ".sbat",
];
/// Sections of UKIs that are left behind, for the UKI has its own.
const LEFT: [&str; 2] = [".pcrpkey", ".pcrsig"];
/// Copied into a UKI that has one of its own.
const OS_RELEASE: &str = ".osrel";
/// Sections of UKIs that nobody would replace: `ukify` loses them without a word.
const LOST: [&str; 2] = [".dtbauto", ".hwids"];
/// Copied by ukify 262, lost by 257.
const FIRMWARE: &str = ".efifw";

/// A profile, to be joined to a UKI: an image that holds one, or its texts.
pub struct Profile<'a> {
    origin: Origin<'a>,
    pcrsig: Option<Content<'a>>,
}

/// Whence the sections come.
enum Origin<'a> {
    /// An image, as `--profile` makes it.
    Image(Box<dyn Source + 'a>),
    /// `.profile` and `.cmdline`: what an image with these would give, without the image.
    Texts { profile: String, cmdline: String },
}

/// What is taken from a profile.
#[derive(Default)]
pub(super) struct Joined<'a> {
    pub sections: Vec<NewSection<'a>>,
    /// The signatures of the PCR 11 values that it gives.
    pub pcrsig: Option<Content<'a>>,
    /// Its own kernel, where it has one, lacks it.
    pub lacks_nx_compat: bool,
}

impl<'a> Profile<'a> {
    /// The image that `source` holds from its start to its end.
    pub fn new(source: impl Read + Seek + 'a) -> Self {
        Self {
            origin: Origin::Image(Box::new(source)),
            pcrsig: None,
        }
    }

    /// The profile that an image of these two sections would hold: it boots with another command line.
    pub fn of_texts(profile: impl Into<String>, cmdline: impl Into<String>) -> Self {
        Self {
            origin: Origin::Texts {
                profile: profile.into(),
                cmdline: cmdline.into(),
            },
            pcrsig: None,
        }
    }

    /// With signatures of the PCR 11 values that the UKI has when it is booted with this profile: a `.pcrsig` behind the
    /// profile's other sections.
    #[must_use]
    pub fn with_pcrsig(mut self, pcrsig: Content<'a>) -> Self {
        self.pcrsig = Some(pcrsig);
        self
    }

    /// The sections to copy, in their order, into a UKI of that architecture, with or without an `.osrel`.
    pub(super) fn sections(
        self,
        stub: Machine,
        compat: Compat,
        os_release: bool,
    ) -> Result<Joined<'a>, ProfileError> {
        let joined = match self.origin {
            Origin::Image(source) => of_image(source, stub, compat, os_release)?,
            Origin::Texts { profile, cmdline } => of_texts(profile, cmdline)?,
        };
        Ok(Joined {
            pcrsig: self.pcrsig,
            ..joined
        })
    }
}

fn of_image<'a>(
    mut source: Box<dyn Source + 'a>,
    stub: Machine,
    compat: Compat,
    os_release: bool,
) -> Result<Joined<'a>, ProfileError> {
    let image = Image::read(&mut *source)?;
    if image.machine() != stub {
        return Err(ProfileError::Architecture {
            profile: image.machine(),
            stub,
        });
    }
    let copied = copied(&image, compat, os_release)?;
    let source = Shared::new(source);
    let mut joined = Joined::default();
    for section in copied {
        let (content, lacks_nx_compat) = read(&source, section, stub)?;
        joined.lacks_nx_compat |= lacks_nx_compat;
        let is_kernel = section.name.as_str() == ".linux";
        joined.sections.push(NewSection {
            name: section.name,
            content,
            characteristics: if is_kernel { CODE } else { DATA },
        });
    }
    Ok(joined)
}

fn of_texts<'a>(profile: String, cmdline: String) -> Result<Joined<'a>, ProfileError> {
    if check_lines(profile.as_bytes()).is_err() || profile.is_empty() || cmdline.contains('\0') {
        return Err(ProfileError::Texts);
    }
    let section = |name: &str, text: String| -> Result<NewSection<'a>, ProfileError> {
        let name = name.parse().map_err(|_| ProfileError::Texts)?;
        Ok(NewSection {
            name,
            content: Content::bytes(text.into_bytes()),
            characteristics: DATA,
        })
    };
    Ok(Joined {
        sections: vec![section(".profile", profile)?, section(".cmdline", cmdline)?],
        ..Joined::default()
    })
}

/// Which sections are copied; refuses an image that is not one profile.
fn copied(image: &Image, compat: Compat, os_release: bool) -> Result<Vec<&Section>, ProfileError> {
    let all = || image.sections().iter();
    let known = [&COPIED[..], &LEFT, &LOST, &[FIRMWARE, OS_RELEASE]].concat();
    let ours = |section: &&Section| known.contains(&section.name.as_str());
    match all().find(ours) {
        Some(first) if first.name.as_str() == ".profile" => {}
        first => {
            return Err(ProfileError::NoProfile {
                first: first.map(|section| section.name),
            });
        }
    }
    let profiles = all().filter(|section| section.name.as_str() == ".profile");
    if profiles.count() > 1 {
        return Err(ProfileError::SeveralProfiles);
    }
    let lost = |section: &&Section| {
        let name = section.name.as_str();
        LOST.contains(&name) || (name == FIRMWARE && compat == Compat::Ukify257)
    };
    if let Some(section) = all().find(lost) {
        return Err(ProfileError::Lost(section.name));
    }
    let copied = all().filter(|section| {
        let name = section.name.as_str();
        COPIED.contains(&name) || name == FIRMWARE || (os_release && name == OS_RELEASE)
    });
    Ok(copied.collect())
}

/// A section's content, and whether it is a kernel without `NX_COMPAT`.
fn read<'a>(
    source: &Shared<'a>,
    section: &Section,
    stub: Machine,
) -> Result<(Content<'a>, bool), ProfileError> {
    let len = u64::from(section.virtual_size);
    if section.virtual_size > section.raw_size {
        return Err(ProfileError::NotStored(section.name));
    }
    let window = source.window(u64::from(section.raw_offset), len);
    if section.name.as_str() != ".linux" {
        return Ok((Content::reader(len, Box::new(window)), false));
    }
    let (content, facts) = Kernel::new(window).inspect(stub, false)?;
    Ok((content, facts.lacks_nx_compat))
}

impl From<std::io::Error> for ProfileError {
    fn from(error: std::io::Error) -> Self {
        Self::Read(ReadError::Io(error))
    }
}

impl fmt::Debug for Profile<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Profile")
    }
}
