//! What a UKI is made of.

use super::{Compat, Device, Firmware, Kernel, Profile, UkiError};
use crate::SectionName;
use crate::layout::Content;

/// Where the kernel version in `.uname` comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Uname {
    /// From the kernel image, as `ukify` does; left out if it is not found there.
    #[default]
    Detect,
    /// This one.
    Given(String),
    /// No `.uname` section.
    Omit,
}

/// What goes into a UKI. What is given gets a section, also when it is empty; an empty version or profile is as good as none.
#[derive(Debug, Default)]
pub struct UkiParts<'a> {
    /// `.linux`; without it, the image is an addon.
    pub linux: Option<Kernel<'a>>,
    /// `.initrd`: an only one as it is, several joined, each padded to 4 bytes; left out if several are empty.
    pub initrds: Vec<Content<'a>>,
    /// `.cmdline`, byte for byte (see [`cmdline_from_words`]). `ukify` leaves an empty one out when it is given as an argument, and keeps
    /// that of an empty file; likewise `.osrel`.
    pub cmdline: Option<String>,
    /// `.osrel`
    pub os_release: Option<Vec<u8>>,
    /// `.uname`
    pub uname: Uname,
    /// SBAT texts, each with its header line. None: the default entry for UKIs or addons.
    pub sbat: Vec<String>,
    /// `.splash`, a BMP.
    pub splash: Option<Content<'a>>,
    /// `.ucode`, an initrd with microcode.
    pub ucode: Option<Content<'a>>,
    /// `.dtb`
    pub dtb: Option<Content<'a>>,
    /// `.dtbauto`, one section each.
    pub dtbauto: Vec<Content<'a>>,
    /// `.hwids`, which device trees and firmware are for which machine. `None`: no such section.
    pub hwids: Option<Vec<Device>>,
    /// `.efifw`, one section each.
    pub efifw: Vec<Firmware<'a>>,
    /// `.pcrpkey`, a public key in PEM.
    pub pcrpkey: Option<Content<'a>>,
    /// `.profile`. With profiles in [`joined`](Self::joined), that of the UKI itself (`ID=main` if there is none); without, this image
    /// is a profile, to be joined to a UKI, and keeps the stub's `.sbat` as it is.
    pub profile: Option<String>,
    /// More profiles, behind all other sections.
    pub joined: Vec<Profile<'a>>,
    /// `.pcrsig`, the signatures of the UKI's own PCR 11 values.
    pub pcrsig: Option<Content<'a>>,
    /// More sections, behind all others but `.sbat`.
    pub extra: Vec<(SectionName, Content<'a>)>,
    /// Whose byte rules are followed.
    pub compat: Compat,
    /// Write the header's `CheckSum`; firmware ignores it and `ukify` leaves it zero.
    pub checksum: bool,
}

/// What `ukify` has for the UKI's own profile when others are joined.
const MAIN_PROFILE: &str = "ID=main";

impl UkiParts<'_> {
    /// Whether the image is a profile to be joined elsewhere.
    pub(super) fn is_profile(&self) -> bool {
        self.joined.is_empty() && self.own_profile().is_some()
    }

    fn own_profile(&self) -> Option<&str> {
        self.profile.as_deref().filter(|text| !text.is_empty())
    }

    /// The UKI's own profile, if others are joined to it.
    pub(super) fn main_profile(&self) -> Option<String> {
        if self.joined.is_empty() {
            return None;
        }
        Some(self.own_profile().unwrap_or(MAIN_PROFILE).to_owned())
    }

    /// The checks that need no other file.
    pub(super) fn check(&self) -> Result<(), UkiError> {
        if let Some(at) = self.cmdline.as_deref().and_then(|text| text.find('\0')) {
            return Err(UkiError::CmdlineNul(at));
        }
        if self.is_profile() && !self.sbat.is_empty() {
            return Err(UkiError::SbatOfProfile);
        }
        if self.is_profile() && self.pcrsig.is_some() {
            return Err(UkiError::PcrsigOfProfile);
        }
        if self.compat == Compat::Ukify257 && !self.efifw.is_empty() {
            return Err(UkiError::NotIn257(".efifw".parse()?));
        }
        let os_release = self.os_release.as_deref().unwrap_or_default();
        check_lines(os_release).map_err(|line| UkiError::OsRelease { line })?;
        let profile = self.profile.as_deref().unwrap_or_default();
        check_lines(profile.as_bytes()).map_err(|line| UkiError::ProfileText { line })?;
        match &self.uname {
            Uname::Given(version)
                if version.chars().any(|c| c.is_whitespace() || c.is_control()) =>
            {
                Err(UkiError::Uname(version.clone()))
            }
            _ => Ok(()),
        }
    }
}

/// What `ukify` makes of a command line that is given as an argument: its words, joined by one
/// space. One that is given as a file stays as it is.
pub fn cmdline_from_words(argument: &str) -> String {
    // Python's idea of white space: Unicode's, and four separators of ASCII.
    let between = |c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c);
    let words = argument.split(between).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a text is made of `KEY=value` lines; the first line that is none, counted from 1. Source: os-release(5).
pub(super) fn check_lines(bytes: &[u8]) -> Result<(), usize> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (index, line) in lines {
        let wrong = || index + 1;
        let line = std::str::from_utf8(line).map_err(|_| wrong())?.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(wrong)?;
        let letters = key
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if key.is_empty() || !letters || value.contains('\0') {
            return Err(wrong());
        }
    }
    Ok(())
}
