//! The stub: the program that starts the kernel of a UKI.

use std::io::{Read, Seek};

use super::UkiError;
use crate::{Image, ReadError};

const MAGIC: &str = ".sdmagic";
const MAGIC_LIMIT: u64 = 4096;

/// Who an EFI program of systemd is, from its `.sdmagic` section:
/// `#### LoaderInfo: systemd-stub 257.13-1~deb13u1 ####`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoaderInfo {
    /// `systemd-stub`, `systemd-addon` or `systemd-boot`.
    pub program: String,
    /// Its version, such as `257.13-1~deb13u1`.
    pub version: String,
}

/// What `image` says in its `.sdmagic` section; `None` if it has no such section or says nothing.
pub fn loader_info<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Option<LoaderInfo>, ReadError> {
    let Some(section) = image.section(MAGIC) else {
        return Ok(None);
    };
    let bytes = image.section_bytes(source, section, MAGIC_LIMIT)?;
    Ok(parse(&String::from_utf8_lossy(&bytes)))
}

fn parse(text: &str) -> Option<LoaderInfo> {
    let text = text
        .trim_end_matches('\0')
        .strip_prefix("#### LoaderInfo: ")?
        .strip_suffix(" ####")?;
    let (program, version) = text.split_once(' ')?;
    Some(LoaderInfo {
        program: program.to_owned(),
        version: version.to_owned(),
    })
}

/// The version of systemd whose stub (of a UKI, too) `image` is; `None` if it is none.
pub fn stub_version<S: Read + Seek + ?Sized>(
    image: &Image,
    source: &mut S,
) -> Result<Option<String>, ReadError> {
    let info = loader_info(image, source)?;
    Ok(info
        .filter(|info| info.program == "systemd-stub")
        .map(|info| info.version))
}

/// Reads a stub's headers, with errors that name the stub.
pub fn read_stub<S: Read + Seek + ?Sized>(source: &mut S) -> Result<Image, UkiError> {
    Image::read(source).map_err(|error| match error {
        ReadError::NotPe(_) => UkiError::StubNotPe(error),
        other => UkiError::Stub(other),
    })
}

/// Refuses what is no stub for this purpose: with a kernel, only `systemd-stub` will do.
pub(super) fn check<S: Read + Seek + ?Sized>(
    stub: &Image,
    source: &mut S,
    kernel: bool,
) -> Result<(), UkiError> {
    let wanted: &[&str] = if kernel {
        &["systemd-stub"]
    } else {
        &["systemd-addon", "systemd-stub"]
    };
    let found = match loader_info(stub, source).map_err(UkiError::Stub)? {
        Some(info) if wanted.contains(&info.program.as_str()) => return Ok(()),
        Some(info) => format!("it is {}", info.program),
        None => "it has no .sdmagic section that says so".to_owned(),
    };
    Err(UkiError::NotAStub { found })
}
