//! What a UKI is made of.

use super::{Compat, Kernel, UkiError};
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
    /// `.pcrpkey`, a public key in PEM.
    pub pcrpkey: Option<Content<'a>>,
    /// `.profile`: this image is a profile, to be joined to a UKI. It keeps the stub's `.sbat` as
    /// it is.
    pub profile: Option<String>,
    /// More sections, behind all others but `.sbat`.
    pub extra: Vec<(SectionName, Content<'a>)>,
    /// Whose byte rules are followed.
    pub compat: Compat,
}

impl UkiParts<'_> {
    pub(super) fn is_profile(&self) -> bool {
        self.profile.as_deref().is_some_and(|text| !text.is_empty())
    }

    /// The checks that need no other file.
    pub(super) fn check(&self) -> Result<(), UkiError> {
        if let Some(at) = self.cmdline.as_deref().and_then(|text| text.find('\0')) {
            return Err(UkiError::CmdlineNul(at));
        }
        if self.is_profile() && !self.sbat.is_empty() {
            return Err(UkiError::SbatOfProfile);
        }
        check_os_release(self.os_release.as_deref().unwrap_or_default())?;
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

/// Source: os-release(5).
fn check_os_release(bytes: &[u8]) -> Result<(), UkiError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    for (index, line) in lines {
        let wrong = || UkiError::OsRelease { line: index + 1 };
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
