//! Unified kernel images and addons: which sections, in which order, under which rules.
//!
//! In this order, left out where nothing is given: `.profile` (of an image that is to be joined to a UKI), `.osrel`, `.cmdline`,
//! `.dtb`, each `.dtbauto`, `.hwids`, `.uname`, `.splash`, `.pcrpkey`, `.linux`, `.initrd`, each `.efifw`, `.ucode`, additional
//! sections, `.sbat` (in the stub's place, if it has one), `.profile` (of a UKI to which others are joined), `.pcrsig`, then the
//! sections of each joined profile, each with a `.pcrsig` of its own at its end.
//!
//! Source: UAPI.5 (Unified Kernel Image), `ukify(1)`, `systemd-stub(7)`. The images are
//! byte-identical to those of `ukify build` of the version that [`Compat`] names.

mod error;
mod firmware;
mod hwids;
mod join;
mod kernel;
mod parts;
mod sections;
mod shared;
mod stub;
mod unwrap;
mod version;

use std::io::{Read, Seek};

pub use error::{KernelError, ProfileError, UkiError};
pub use firmware::Firmware;
pub use hwids::{Device, HwidsError, Target};
pub use join::Profile;
pub use kernel::Kernel;
pub use parts::{UkiParts, Uname, cmdline_from_words};
pub use stub::{LoaderInfo, loader_info, read_stub, stub_version};
pub use unwrap::Compression;

use crate::Image;
use crate::layout::{Content, Layout, NewSection, Options};
use crate::sbat::{self, Entries};
use sections::Sections;

/// Whose byte rules are followed: they differ in the end of `.sbat`, and so in PCR 11.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    /// ukify 257 (Debian trixie).
    Ukify257,
    /// ukify 262 (Debian sid).
    #[default]
    Ukify262,
}

/// Initialized data, readable.
const DATA: u32 = goblin::pe::section_table::IMAGE_SCN_CNT_INITIALIZED_DATA
    | goblin::pe::section_table::IMAGE_SCN_MEM_READ;
/// Code, readable.
const CODE: u32 =
    goblin::pe::section_table::IMAGE_SCN_CNT_CODE | goblin::pe::section_table::IMAGE_SCN_MEM_READ;
/// The stub's reader of initrds wants each one 4-aligned.
const INITRD_ALIGNMENT: u64 = 4;
/// SBAT texts have some hundred bytes.
const SBAT_LIMIT: u64 = 64 * 1024;

/// Plans a UKI (or, without a kernel, an addon) of `stub` and `parts`.
///
/// Everything is checked here, before a byte is written: see [`UkiError`].
pub fn plan<'a, S: Read + Seek + ?Sized>(
    stub: &Image,
    stub_source: &mut S,
    parts: UkiParts<'a>,
) -> Result<Layout<'a>, UkiError> {
    parts.check()?;
    // Nobody starts a profile: its kernel is started by the stub of the UKI to which it is joined.
    stub::check(
        stub,
        stub_source,
        parts.linux.is_some() && !parts.is_profile(),
    )?;
    let sbat = stub_sbat(stub, stub_source, &parts)?;
    let mut sections = Sections::default();
    let options = add_parts(&mut sections, sbat, stub, parts)?;
    Ok(Layout::plan(stub, sections.for_stub(stub)?, options)?)
}

/// The stub's entries. An addon is data: its stub is never run, and `ukify` leaves its entries out.
fn stub_sbat<S: Read + Seek + ?Sized>(
    stub: &Image,
    source: &mut S,
    parts: &UkiParts<'_>,
) -> Result<Vec<Entries>, UkiError> {
    if parts.linux.is_none() && parts.joined.is_empty() {
        return Ok(Vec::new());
    }
    let Some(section) = stub.section(".sbat") else {
        return Ok(Vec::new());
    };
    let bytes = stub
        .section_bytes(source, section, SBAT_LIMIT)
        .map_err(UkiError::Stub)?;
    Ok(vec![Entries::parse(&bytes).map_err(UkiError::StubSbat)?])
}

/// Adds all sections in their order; `sbat` holds the stub's entries.
fn add_parts<'a>(
    sections: &mut Sections<'a>,
    mut sbat: Vec<Entries>,
    stub: &Image,
    mut parts: UkiParts<'a>,
) -> Result<Options, UkiError> {
    let checksum = parts.checksum;
    let is_profile = parts.is_profile();
    let main_profile = parts.main_profile();
    let joined = std::mem::take(&mut parts.joined);
    let pcrsig = parts.pcrsig.take();
    let compat = parts.compat;
    let os_release = parts.os_release.is_some();
    let user_sbat = user_sbat(&parts.sbat, parts.linux.is_some())?;

    if is_profile {
        sections.text(".profile", parts.profile.take())?;
    }
    let facts = add_own(sections, stub, parts)?;
    // A profile is joined to a UKI that has the merged text.
    if !is_profile {
        sbat.extend(facts.sbat);
        sbat.extend(user_sbat);
        sections.bytes(".sbat", Some(sbat::merge(&sbat, compat)))?;
    }
    sections.text(".profile", main_profile)?;
    sections.content(".pcrsig", pcrsig)?;

    let mut clear_nx_compat = facts.lacks_nx_compat;
    for (index, profile) in joined.into_iter().enumerate() {
        let profile = profile
            .sections(stub.machine(), compat, os_release)
            .map_err(|source| UkiError::Profile { index, source })?;
        clear_nx_compat |= profile.lacks_nx_compat;
        sections.join(profile.sections);
        if let Some(content) = profile.pcrsig {
            sections.join(vec![NewSection {
                name: ".pcrsig".parse()?,
                content,
                characteristics: DATA,
            }]);
        }
    }
    Ok(Options {
        clear_nx_compat,
        checksum,
    })
}

/// Adds what describes the image itself, up to the additional sections.
fn add_own<'a>(
    sections: &mut Sections<'a>,
    stub: &Image,
    parts: UkiParts<'a>,
) -> Result<kernel::Facts, UkiError> {
    let (linux, mut facts) = match parts.linux {
        Some(kernel) => {
            let (content, facts) = kernel.inspect(stub.machine(), parts.uname == Uname::Detect)?;
            (Some(content), facts)
        }
        None => (None, kernel::Facts::default()),
    };
    let uname = match parts.uname {
        Uname::Given(version) => Some(version),
        Uname::Detect => facts.uname.take(),
        Uname::Omit => None,
    };
    let only = parts.initrds.len() == 1;
    let initrd = Content::joined(parts.initrds, INITRD_ALIGNMENT);
    let initrd = Some(initrd).filter(|joined| only || !joined.is_empty());
    let hwids = parts
        .hwids
        .map(|devices| hwids::table(devices, parts.compat));

    sections.content(".osrel", parts.os_release.map(Content::bytes))?;
    let cmdline = parts.cmdline.map(String::into_bytes);
    sections.content(".cmdline", cmdline.map(Content::bytes))?;
    sections.content(".dtb", parts.dtb)?;
    for dtb in parts.dtbauto {
        sections.content(".dtbauto", Some(dtb))?;
    }
    sections.bytes(".hwids", hwids.transpose()?)?;
    sections.text(".uname", uname)?;
    sections.content(".splash", parts.splash)?;
    sections.content(".pcrpkey", parts.pcrpkey)?;
    sections.add(".linux".parse()?, linux, CODE)?;
    sections.content(".initrd", initrd)?;
    for firmware in parts.efifw {
        sections.content(".efifw", Some(firmware.section()?))?;
    }
    sections.content(".ucode", parts.ucode)?;
    for (name, content) in parts.extra {
        sections.add(name, Some(content), DATA)?;
    }
    Ok(facts)
}

/// What the user gives, or else the default.
fn user_sbat(texts: &[String], has_kernel: bool) -> Result<Vec<Entries>, UkiError> {
    let default = if has_kernel {
        sbat::DEFAULT_UKI
    } else {
        sbat::DEFAULT_ADDON
    };
    let default = if texts.is_empty() {
        Some(default)
    } else {
        None
    };
    let texts = texts.iter().map(String::as_str).chain(default);
    texts
        .map(|text| Entries::parse(text.as_bytes()).map_err(UkiError::Sbat))
        .collect()
}
