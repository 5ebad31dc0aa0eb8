//! The version of a kernel, found where `ukify` finds it: in the x86 setup header, or in the banner of an uncompressed kernel or of
//! what a zboot image has in it.

use std::io::{BufReader, Read, SeekFrom};

use scroll::{LE, Pread};

use super::KernelError;
use super::shared::Source;
use super::unwrap::{Compression, Decoder};
use crate::ReadError;
use crate::io::{CHUNK, read_at, read_chunk};

/// The Linux/x86 boot protocol: the magic number `HdrS`, and where the version's text lies, from
/// 0x200.
const SETUP_MAGIC: (u64, &[u8]) = (0x202, b"HdrS");
const SETUP_VERSION: (u64, u64) = (0x20e, 0x200);
/// Linux, `drivers/firmware/efi/libstub/zboot-header.S`: the magic number, then the payload's offset and length, two reserved words,
/// and the name of its compression.
const ZBOOT_MAGIC: (u64, &[u8]) = (4, b"zimg");
const ZBOOT_PAYLOAD: u64 = 8;
const ZBOOT_COMPRESSION: (u64, usize) = (0x18, 0x20);
/// Longer than any version text (its parts have at most 64 bytes each).
const VERSION_LIMIT: usize = 512;
/// What stands before the version in the kernel's banner.
const BANNER: &[u8] = b"Linux version ";

/// The version of the kernel in `source`; `None` if there is none to be found.
pub(super) fn detect(source: &mut dyn Source) -> Result<Option<String>, KernelError> {
    if let Some(version) = setup_version(source) {
        return Ok(Some(version));
    }
    if is_zboot(source)? {
        return zboot_version(source);
    }
    source.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
    banner_version(source).map_err(|error| ReadError::Io(error).into())
}

/// Whether the kernel is wrapped by the kernel's own EFI decompressor (`CONFIG_EFI_ZBOOT`).
fn is_zboot(source: &mut dyn Source) -> Result<bool, ReadError> {
    let (at, magic) = ZBOOT_MAGIC;
    Ok(read_at(source, at, magic.len(), "the zboot header")? == magic)
}

/// From what the zboot image starts.
fn zboot_version(source: &mut dyn Source) -> Result<Option<String>, KernelError> {
    let what = "the zboot header";
    let place = read_at(source, ZBOOT_PAYLOAD, 8, what)?;
    let word = |at| place.pread_with::<u32>(at, LE).unwrap_or(0);
    let (start, len) = (u64::from(word(0)), u64::from(word(4)));
    let name = read_at(source, ZBOOT_COMPRESSION.0, ZBOOT_COMPRESSION.1, what)?;
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = String::from_utf8_lossy(name);
    let compression = Compression::of_zboot(&name)
        .ok_or_else(|| KernelError::Zboot(name.escape_debug().to_string()))?;
    let damaged = |source| KernelError::Damaged {
        compression,
        source,
    };
    source.seek(SeekFrom::Start(start)).map_err(damaged)?;
    let payload = BufReader::with_capacity(CHUNK, source.take(len));
    let mut payload = Decoder::of_payload(payload, compression).map_err(damaged)?;
    banner_version(&mut payload).map_err(damaged)
}

/// From the x86 setup header.
fn setup_version(source: &mut dyn Source) -> Option<String> {
    let (at, magic) = SETUP_MAGIC;
    if read_at(source, at, magic.len(), "the setup header").ok()? != magic {
        return None;
    }
    let pointer = read_at(source, SETUP_VERSION.0, 2, "the setup header").ok()?;
    let pointer: u16 = pointer.pread_with(0, LE).ok()?;
    let place = SeekFrom::Start(SETUP_VERSION.1 + u64::from(pointer));
    source.seek(place).ok()?;
    let mut text = Vec::new();
    let limit = VERSION_LIMIT as u64;
    source.take(limit).read_to_end(&mut text).ok()?;
    let text = text.split(|byte| *byte == 0).next()?;
    version_of(std::str::from_utf8(text).ok()?)
}

/// From the banner in the data of a kernel, which is read to its end or to the banner.
fn banner_version<R: Read + ?Sized>(source: &mut R) -> std::io::Result<Option<String>> {
    let mut chunk = vec![0; CHUNK];
    // The last bytes seen, in which a banner may begin that the next chunk continues.
    let mut window = Vec::new();
    loop {
        let bytes = read_chunk(source, &mut chunk, u64::MAX)?;
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
