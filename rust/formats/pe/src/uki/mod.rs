//! Unified kernel images and addons: which sections, in which order, under which rules.
//!
//! Source: UAPI.5 (Unified Kernel Image), `ukify(1)`, `systemd-stub(7)`. The images are
//! byte-identical to those of `ukify build` of the version that [`Compat`] names.

mod error;
mod kernel;
mod parts;
mod stub;

use std::io::{Read, Seek};

pub use error::{KernelError, UkiError};
pub use kernel::Kernel;
pub use parts::{UkiParts, Uname, cmdline_from_words};
pub use stub::{LoaderInfo, loader_info, read_stub, stub_version};

use crate::layout::{Content, Layout, NewSection, Options};
use crate::sbat::{self, Entries};
use crate::{Image, SectionName};

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
    stub::check(stub, stub_source, parts.linux.is_some())?;
    let mut sbat = stub_sbat(stub, stub_source)?;
    let mut sections = Sections::default();
    let options = add_parts(&mut sections, &mut sbat, stub, parts)?;
    sections.refuse_those_of(stub)?;
    Ok(Layout::plan(stub, sections.0, options)?)
}

fn stub_sbat<S: Read + Seek + ?Sized>(
    stub: &Image,
    source: &mut S,
) -> Result<Vec<Entries>, UkiError> {
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
    sbat: &mut Vec<Entries>,
    stub: &Image,
    parts: UkiParts<'a>,
) -> Result<Options, UkiError> {
    let has_kernel = parts.linux.is_some();
    let is_profile = parts.is_profile();
    let (linux, facts) = match parts.linux {
        Some(kernel) => {
            let (content, facts) = kernel.inspect(stub.machine(), parts.uname == Uname::Detect)?;
            (Some(content), facts)
        }
        None => (None, kernel::Facts::default()),
    };
    let uname = match parts.uname {
        Uname::Given(version) => Some(version),
        Uname::Detect => facts.uname,
        Uname::Omit => None,
    };
    let only = parts.initrds.len() == 1;
    let initrd = Content::joined(parts.initrds, INITRD_ALIGNMENT);
    let initrd = Some(initrd).filter(|joined| only || !joined.is_empty());

    sections.text(".profile", parts.profile)?;
    sections.content(".osrel", parts.os_release.map(Content::bytes))?;
    let cmdline = parts.cmdline.map(String::into_bytes);
    sections.content(".cmdline", cmdline.map(Content::bytes))?;
    sections.content(".dtb", parts.dtb)?;
    for dtb in parts.dtbauto {
        sections.content(".dtbauto", Some(dtb))?;
    }
    sections.text(".uname", uname)?;
    sections.content(".splash", parts.splash)?;
    sections.content(".pcrpkey", parts.pcrpkey)?;
    sections.add(".linux".parse()?, linux, CODE)?;
    sections.content(".initrd", initrd)?;
    sections.content(".ucode", parts.ucode)?;
    for (name, content) in parts.extra {
        sections.add(name, Some(content), DATA)?;
    }
    // A profile is joined to a UKI that has the merged text.
    if !is_profile {
        sbat.extend(facts.sbat);
        sbat.extend(user_sbat(&parts.sbat, has_kernel)?);
        sections.bytes(".sbat", Some(sbat::merge(sbat, parts.compat)))?;
    }
    Ok(Options {
        clear_nx_compat: facts.lacks_nx_compat,
        ..Options::default()
    })
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

/// The sections to add, in order.
#[derive(Default)]
struct Sections<'a>(Vec<NewSection<'a>>);

impl<'a> Sections<'a> {
    /// A text, left out if it is empty.
    fn text(&mut self, name: &str, text: Option<String>) -> Result<(), UkiError> {
        self.bytes(name, text.map(String::into_bytes))
    }

    /// Bytes, left out if they are empty.
    fn bytes(&mut self, name: &str, bytes: Option<Vec<u8>>) -> Result<(), UkiError> {
        self.content(
            name,
            bytes.filter(|bytes| !bytes.is_empty()).map(Content::bytes),
        )
    }

    fn content(&mut self, name: &str, content: Option<Content<'a>>) -> Result<(), UkiError> {
        self.add(name.parse()?, content, DATA)
    }

    fn add(
        &mut self,
        name: SectionName,
        content: Option<Content<'a>>,
        characteristics: u32,
    ) -> Result<(), UkiError> {
        let Some(content) = content else {
            return Ok(());
        };
        let taken = self.0.iter().any(|section| section.name == name);
        if taken && name.as_str() != ".dtbauto" {
            return Err(UkiError::DuplicateSection(name));
        }
        self.0.push(NewSection {
            name,
            content,
            characteristics,
        });
        Ok(())
    }

    /// Only `.sbat` is merged with the stub's own.
    fn refuse_those_of(&self, stub: &Image) -> Result<(), UkiError> {
        let mut ours = self.0.iter().map(|section| section.name);
        match ours.find(|name| name.as_str() != ".sbat" && stub.section(name.as_str()).is_some()) {
            Some(name) => Err(UkiError::SectionOfStub(name)),
            None => Ok(()),
        }
    }
}
