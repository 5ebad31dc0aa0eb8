//! What is looked at in a kernel before it goes into a UKI.

use std::fmt;
use std::io::{Read, Seek, SeekFrom};

use scroll::{LE, Pread};

use super::{KernelError, SBAT_LIMIT};
use crate::io::{CHUNK, read_at, read_chunk};
use crate::layout::Content;
use crate::sbat::Entries;
use crate::{Image, Machine, ReadError};

/// A kernel: looked at while a UKI is planned, copied when it is written.
pub struct Kernel<'a> {
    source: Box<dyn Source + 'a>,
}

trait Source: Read + Seek {}
impl<T: Read + Seek> Source for T {}

/// What planning needs to know about a kernel.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub sbat: Option<Entries>,
    pub uname: Option<String>,
    pub lacks_nx_compat: bool,
}

/// The Linux/x86 boot protocol: the magic number `HdrS`, and where the version's text lies, from
/// 0x200.
const SETUP_MAGIC: (u64, &[u8]) = (0x202, b"HdrS");
const SETUP_VERSION: (u64, u64) = (0x20e, 0x200);
/// Linux, `drivers/firmware/efi/libstub/zboot-header.S`.
const ZBOOT_MAGIC: (u64, &[u8]) = (4, b"zimg");
/// Longer than any version text (its parts have at most 64 bytes each).
const VERSION_LIMIT: usize = 512;
/// What stands before the version in the kernel's banner.
const BANNER: &[u8] = b"Linux version ";

impl<'a> Kernel<'a> {
    /// The kernel that `source` holds from its start to its end.
    pub fn new(source: impl Read + Seek + 'a) -> Self {
        Self {
            source: Box::new(source),
        }
    }

    /// Checks the kernel against the stub's architecture. Returns the content of `.linux`.
    pub(super) fn inspect(
        mut self,
        stub: Machine,
        detect_uname: bool,
    ) -> Result<(Content<'a>, Facts), KernelError> {
        let image = Image::read(&mut self.source).map_err(|error| self.not_pe(error))?;
        if image.machine() != stub {
            return Err(KernelError::Architecture {
                kernel: image.machine(),
                stub,
            });
        }
        let nx_compat = goblin::pe::dll_characteristic::IMAGE_DLLCHARACTERISTICS_NX_COMPAT;
        let facts = Facts {
            sbat: self.sbat(&image)?,
            uname: if detect_uname { self.uname()? } else { None },
            lacks_nx_compat: image.dll_characteristics() & nx_compat == 0,
        };
        self.source
            .seek(SeekFrom::Start(0))
            .map_err(ReadError::Io)?;
        Ok((Content::reader(image.len(), Box::new(self.source)), facts))
    }

    /// Says what a file that is no PE image is instead.
    fn not_pe(&mut self, error: ReadError) -> KernelError {
        if !matches!(error, ReadError::NotPe(_)) {
            return KernelError::Read(error);
        }
        match read_at(&mut self.source, 0, 4, "its start").as_deref() {
            Ok([0x1f, 0x8b, ..]) => KernelError::Compressed("gzip"),
            Ok([0x28, 0xb5, 0x2f, 0xfd]) => KernelError::Compressed("zstd"),
            Ok([0xfd, b'7', b'z', b'X']) => KernelError::Compressed("xz"),
            Ok([0x02, 0x21, 0x4c, 0x18]) => KernelError::Compressed("lz4"),
            _ => KernelError::NotPe(error),
        }
    }

    fn sbat(&mut self, image: &Image) -> Result<Option<Entries>, KernelError> {
        let Some(section) = image.section(".sbat") else {
            return Ok(None);
        };
        let bytes = image.section_bytes(&mut self.source, section, SBAT_LIMIT)?;
        Entries::parse(&bytes).map(Some).map_err(KernelError::Sbat)
    }

    /// The kernel's version, found where `ukify` finds it.
    fn uname(&mut self) -> Result<Option<String>, KernelError> {
        match self.setup_version() {
            Some(version) => Ok(Some(version)),
            None if self.is_zboot()? => Err(KernelError::ZbootVersion),
            None => Ok(self.banner_version()?),
        }
    }

    /// Whether the kernel is wrapped by the kernel's own EFI decompressor (`CONFIG_EFI_ZBOOT`).
    fn is_zboot(&mut self) -> Result<bool, ReadError> {
        let (at, magic) = ZBOOT_MAGIC;
        Ok(read_at(&mut self.source, at, magic.len(), "the zboot header")? == magic)
    }

    /// From the x86 setup header.
    fn setup_version(&mut self) -> Option<String> {
        let (at, magic) = SETUP_MAGIC;
        if read_at(&mut self.source, at, magic.len(), "the setup header").ok()? != magic {
            return None;
        }
        let pointer = read_at(&mut self.source, SETUP_VERSION.0, 2, "the setup header").ok()?;
        let pointer: u16 = pointer.pread_with(0, LE).ok()?;
        self.source
            .seek(SeekFrom::Start(SETUP_VERSION.1 + u64::from(pointer)))
            .ok()?;
        let mut text = Vec::new();
        (&mut self.source)
            .take(VERSION_LIMIT as u64)
            .read_to_end(&mut text)
            .ok()?;
        let text = text.split(|byte| *byte == 0).next()?;
        version_of(std::str::from_utf8(text).ok()?)
    }

    /// From the banner in the data of an uncompressed kernel.
    fn banner_version(&mut self) -> Result<Option<String>, ReadError> {
        self.source.seek(SeekFrom::Start(0))?;
        let mut chunk = vec![0; CHUNK];
        // The last bytes seen, in which a banner may begin that the next chunk continues.
        let mut window = Vec::new();
        loop {
            let bytes = read_chunk(&mut self.source, &mut chunk, u64::MAX)?;
            let at_end = bytes.is_empty();
            window.extend_from_slice(bytes);
            if let Some(version) = banner_in(&window, at_end) {
                return Ok(Some(version));
            }
            if at_end {
                return Ok(None);
            }
            let kept = BANNER.len() + VERSION_LIMIT;
            window.drain(..window.len().saturating_sub(kept));
        }
    }
}

/// The version in `VERSION (BUILDER) #…`.
fn version_of(text: &str) -> Option<String> {
    let (version, rest) = text.split_once(" (")?;
    let (builder, rest) = rest.split_once(") ")?;
    let lower =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._+-".contains(&byte);
    let plausible = !version.is_empty() && version.bytes().all(lower);
    let built = !builder.is_empty() && !builder.contains([' ', '(', ')']) && rest.starts_with('#');
    (plausible && built).then(|| version.to_owned())
}

/// The version of the first banner in `window`: `Linux version 6.12 (…`.
/// Banners near the window's end are left for the next window, unless there is none.
fn banner_in(window: &[u8], at_end: bool) -> Option<String> {
    let last = if at_end {
        window.len()
    } else {
        window.len().saturating_sub(VERSION_LIMIT)
    };
    let starts = window.windows(BANNER.len()).take(last).enumerate();
    let mut banners = starts.filter(|(_, candidate)| *candidate == BANNER);
    banners.find_map(|(at, _)| {
        let text = window.get(at + BANNER.len()..)?;
        let text = text.get(..text.len().min(VERSION_LIMIT))?;
        let end = text
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || *byte == 0x0b)?;
        let (version, rest) = text.split_at_checked(end)?;
        let numbered = matches!(version, [digit, b'.', _, ..] if digit.is_ascii_digit());
        let version = std::str::from_utf8(version).ok()?;
        (numbered && rest.starts_with(b" (")).then(|| version.to_owned())
    })
}

impl fmt::Debug for Kernel<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Kernel")
    }
}
