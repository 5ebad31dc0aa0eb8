//! shim, the loader that firmware starts by Microsoft's signature.

use std::io::{Read, Seek};

use touchstone_pe::Image;
use touchstone_sign::esl::{self, Signature, SignatureList};
use uuid::{Uuid, uuid};

use super::{Authority, BootPathError, StartedImage};
use crate::bank::Bank;

/// shim in front of the boot loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shim {
    /// Its PE image.
    pub image: StartedImage,
    /// Its version, such as `16.1`.
    pub version: String,
    /// The variables that its owner set.
    pub variables: ShimVariables,
    /// The vendor's certificate in it, as a list of one entry.
    vendor: Vec<u8>,
    /// The vendor's list of what may not start.
    vendor_denied: Vec<u8>,
    /// The minimum generations that it brings along and sets by itself (`.sbatlevel`, "automatic").
    level: Vec<u8>,
}

/// shim's variables, as the firmware holds them when the machine starts; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShimVariables {
    /// Content of `MokList`: signature lists of what the machine's owner lets start.
    pub mok_list: Vec<u8>,
    /// Content of `MokListX`: what the owner does not let start.
    pub mok_list_x: Vec<u8>,
    /// Content of `SbatLevel`: the minimum generations of boot components.
    pub sbat_level: Vec<u8>,
}

/// Why a file is no shim whose measurements are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShimError {
    /// It is something else.
    #[error(
        "it is no shim: its section .data.ident does not say `UEFI SHIM`, so nothing is known of what it measures"
    )]
    NoShim,
    /// Its behaviour has not been compared with real boots.
    #[error(
        "what shim {0} measures is not known here: only 16.1 was compared with real boots; use it"
    )]
    Unknown(String),
    /// Whoever built it may have built more certificates in than can be found.
    #[error(
        "it was not built by Debian (its section .sbat does not name shim.debian), and builds of others may have further certificates in them, which were never compared with a real boot; use Debian's shim, signed by your own key where you like"
    )]
    Builder,
    /// A section is missing, or is not laid out as it was.
    #[error("its section {0} is missing or malformed")]
    Section(&'static str),
}

/// The owner of the entries that shim makes of its own certificates.
const SHIM_LOCK: Uuid = uuid!("605dab50-e046-4300-abb6-3dd810dd8b23");
/// The only version whose measurements are known.
const KNOWN: &str = "16.1";
/// More than any of the sections has, in bytes.
const LIMIT: u64 = 1 << 20;
/// The level of a machine on which nobody raised it, and that shim sets without Secure Boot.
const ORIGINAL_LEVEL: &[u8] = b"sbat,1,2021030218\n";

impl Shim {
    /// shim in a file. `promised` is the certificate by which it will be signed, when it is not signed yet.
    ///
    /// # Errors
    /// [`BootPathError`], with [`ShimError`] for anything but a shim whose measurements are known.
    pub fn from_file<S: Read + Seek>(
        source: &mut S,
        banks: &[Bank],
        promised: Option<Authority>,
        variables: ShimVariables,
    ) -> Result<Shim, BootPathError> {
        let image = Image::read(source)?;
        let version =
            version(&section(&image, source, ".data.ident").map_err(|_| ShimError::NoShim)?)?;
        let sbat = section(&image, source, ".sbat")?;
        if !sbat
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"shim.debian,"))
        {
            return Err(ShimError::Builder.into());
        }
        let (vendor, vendor_denied) = vendor_lists(&section(&image, source, ".vendor_cert")?)
            .ok_or(ShimError::Section(".vendor_cert"))?;
        let level = automatic_level(&section(&image, source, ".sbatlevel")?)
            .ok_or(ShimError::Section(".sbatlevel"))?;
        Ok(Shim {
            image: StartedImage::of(format!("shim {version}"), &image, source, banks, promised)?,
            version,
            variables,
            vendor,
            vendor_denied,
            level,
        })
    }

    /// What shim makes of `MokList`: the vendor's certificate, then the owner's.
    pub(crate) fn mok_list(&self) -> Vec<u8> {
        [&self.vendor[..], &self.variables.mok_list].concat()
    }

    /// What shim makes of `MokListX`, likewise.
    pub(crate) fn mok_list_x(&self) -> Vec<u8> {
        [&self.vendor_denied[..], &self.variables.mok_list_x].concat()
    }

    /// What `SbatLevel` holds once shim has run: its own level where the variable has none or an older one. Without
    /// Secure Boot shim sets it back.
    pub(crate) fn sbat_level(&self, secure_boot: bool) -> &[u8] {
        let held = self.variables.sbat_level.as_slice();
        match secure_boot {
            false => ORIGINAL_LEVEL,
            true if is_kept(held, &self.level) => held,
            true => &self.level,
        }
    }
}

/// Whether shim keeps the level that the variable holds, beside its own: one of a greater version, or whose date is no
/// earlier.
fn is_kept(held: &[u8], own: &[u8]) -> bool {
    let kept =
        |held: Level<'_>, own: Level<'_>| held.version > own.version || held.date >= own.date;
    let long_enough = held.len() >= ORIGINAL_LEVEL.len();
    long_enough
        && Level::read(held)
            .zip(Level::read(own))
            .is_some_and(|(held, own)| kept(held, own))
}

/// The first line of a level.
struct Level<'a> {
    /// Its length, then its digits: longer numbers are greater ones.
    version: (usize, &'a [u8]),
    /// Year, month, day and a counter: ten digits.
    date: &'a [u8],
}

impl Level<'_> {
    fn read(text: &[u8]) -> Option<Level<'_>> {
        let mut fields = text
            .strip_prefix(b"sbat,")?
            .split(|byte| matches!(byte, b',' | b'\n'));
        let (version, date) = (fields.next()?, fields.next()?);
        Some(Level {
            version: (version.len(), version),
            date: date.get(..10).unwrap_or(date),
        })
    }
}

/// `UEFI SHIM`, then a line `$Version: 16.1 $`.
fn version(ident: &[u8]) -> Result<String, ShimError> {
    let text = String::from_utf8_lossy(ident);
    let version = text
        .strip_prefix("UEFI SHIM\n$Version: ")
        .and_then(|rest| rest.split_once(" $"))
        .map(|(version, _)| version.to_owned())
        .ok_or(ShimError::NoShim)?;
    match version == KNOWN {
        true => Ok(version),
        false => Err(ShimError::Unknown(version)),
    }
}

/// The content of a section, whose name may be longer than those of other images.
fn section<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    name: &'static str,
) -> Result<Vec<u8>, BootPathError> {
    for section in image.sections() {
        if image.full_name(source, section)? == name {
            return Ok(image.section_bytes(source, section, LIMIT)?);
        }
    }
    Err(ShimError::Section(name).into())
}

/// The table in `.vendor_cert`: sizes, then offsets, of what the vendor allows (a certificate) and denies (lists).
fn vendor_lists(table: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let part = |size: usize, offset: usize| {
        let start = usize::try_from(number(table, offset)?).ok()?;
        let size = usize::try_from(number(table, size)?).ok()?;
        table.get(start..start.checked_add(size)?)
    };
    let (allowed, denied) = (part(0, 8)?, part(4, 12)?);
    // Else it would be lists, by which shim goes in another way.
    allowed.starts_with(&[0x30, 0x82]).then_some(())?;
    esl::parse(denied).ok().filter(|lists| !lists.is_empty())?;
    let list = SignatureList {
        kind: esl::X509,
        header: Vec::new(),
        signatures: vec![Signature {
            owner: SHIM_LOCK,
            data: allowed.to_vec(),
        }],
    };
    Some((list.to_bytes().ok()?, denied.to_vec()))
}

/// The table in `.sbatlevel`: its version, then offsets, counted from behind it, of two texts that end with NUL.
fn automatic_level(table: &[u8]) -> Option<Vec<u8>> {
    (number(table, 0)? == 0).then_some(())?;
    let texts = table.get(4..)?;
    let text = texts.get(usize::try_from(number(table, 4)?).ok()?..)?;
    let end = text.iter().position(|byte| *byte == 0)?;
    let level = text.get(..end)?;
    level.starts_with(b"sbat,1,").then(|| level.to_vec())
}

fn number(table: &[u8], at: usize) -> Option<u32> {
    let bytes = table.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &[u8] = b"sbat,1,2025021800\nshim,4\n";

    #[test]
    fn keeps_a_level_of_the_same_date_or_a_later_one() {
        for (held, kept) in [
            (&b"sbat,1,2025021800\n"[..], true),
            (b"sbat,1,2099010100\nshim,9\n", true),
            (b"sbat,2,2021030218\n", true),
            (b"sbat,10,2021030218\n", true),
            (b"sbat,0,2099010100\n", true),
            (b"sbat,1,2025021799\nshim,9\n", false),
            (b"sbat,1,2099010100", false), // shorter than the shortest
            (b"", false),
            (b"something else altogether", false),
        ] {
            assert_eq!(
                is_kept(held, OWN),
                kept,
                "{}",
                String::from_utf8_lossy(held)
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_any_bytes_without_panicking(bytes: Vec<u8>) {
            let _ = (version(&bytes), vendor_lists(&bytes), automatic_level(&bytes));
            let _ = is_kept(&bytes, OWN);
        }
    }

    #[test]
    fn reads_the_version_and_refuses_unknown_ones() {
        assert_eq!(
            version(b"UEFI SHIM\n$Version: 16.1 $\n$Commit: x $\n\0"),
            Ok("16.1".to_owned())
        );
        assert_eq!(
            version(b"UEFI SHIM\n$Version: 15.8 $\n"),
            Err(ShimError::Unknown("15.8".to_owned()))
        );
        assert_eq!(version(b"something"), Err(ShimError::NoShim));
    }

    #[test]
    fn reads_the_tables_in_its_sections() {
        let level = [
            &[0, 0, 0, 0, 8, 0, 0, 0, 20, 0, 0, 0][..],
            b"sbat,1,x\n\0",
            b"sbat,1,y\n\0",
        ]
        .concat();
        assert_eq!(automatic_level(&level).unwrap(), b"sbat,1,x\n");
        let denied = SignatureList {
            kind: esl::SHA256,
            header: Vec::new(),
            signatures: vec![Signature {
                owner: Uuid::nil(),
                data: vec![7; 32],
            }],
        }
        .to_bytes()
        .unwrap();
        let numbers = [4_u32, denied.len() as u32, 16, 20];
        let mut table: Vec<u8> = numbers.into_iter().flat_map(u32::to_le_bytes).collect();
        table.extend([0x30, 0x82, 0, 0]);
        table.extend(&denied);
        let (allowed, read) = vendor_lists(&table).unwrap();
        assert_eq!((read, allowed.len()), (denied, 28 + 16 + 4));
        assert_eq!(
            esl::parse(&allowed).unwrap()[0].signatures[0].owner,
            SHIM_LOCK
        );
        assert_eq!(vendor_lists(&table[..60]), None);
        table[16] = 0;
        assert_eq!(vendor_lists(&table), None);
    }
}
