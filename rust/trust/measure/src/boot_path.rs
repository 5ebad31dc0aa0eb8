//! One way in which a machine may boot: what the firmware starts, under which settings.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom};

use touchstone_pe::{Image, ReadError, Section, authenticode, observe_sections};
use touchstone_sign::esl;
use uuid::Uuid;

use crate::bank::{Bank, Digest};
use crate::hash::Digests;
use crate::measured::MeasuredUki;
use crate::uki::{UkiError, UkiMeasurer};
use crate::version::{Component, Version, VersionError};
use crate::window::Window;

/// The Secure Boot variables as the firmware holds them when the machine starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    /// Content of `PK`: signature lists (`EFI_SIGNATURE_LIST`) without authentication header; empty when absent.
    pub pk: Vec<u8>,
    /// Content of `KEK`, likewise.
    pub kek: Vec<u8>,
    /// Content of `db`, likewise.
    pub db: Vec<u8>,
    /// Content of `dbx`, likewise.
    pub dbx: Vec<u8>,
    /// Whether the firmware enforces signatures: the variable `SecureBoot`.
    pub secure_boot: bool,
}

impl Variables {
    /// The first entry of `db` that is this certificate (DER).
    ///
    /// The firmware may also accept an image through a certificate further up in the signer's chain: then that one is
    /// to be given.
    pub fn authority(&self, certificate: &[u8]) -> Result<Authority, AuthorityError> {
        let lists = esl::parse(&self.db)?;
        let certificates = lists
            .into_iter()
            .filter(|list| list.kind == esl::X509)
            .flat_map(|list| list.signatures);
        let found = certificates
            .into_iter()
            .find(|entry| entry.data == certificate);
        found
            .map(|entry| Authority {
                owner: entry.owner,
                certificate: entry.data,
            })
            .ok_or(AuthorityError::NotInDb)
    }
}

/// Why `db` has no entry for a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// The variable's content is no sequence of signature lists.
    #[error("the content of db is malformed: {0}")]
    Malformed(#[from] esl::EslError),
    /// The certificate is not there.
    #[error(
        "the certificate is not in db, so the firmware would refuse what it signed: enrol it, or sign with another key"
    )]
    NotInDb,
}

/// The entry of `db` that lets an image start: one `EFI_SIGNATURE_DATA`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The entry's owner.
    pub owner: Uuid,
    /// The entry's data: the certificate's DER, as it stands in `db`.
    pub certificate: Vec<u8>,
}

impl Authority {
    /// The entry's bytes: owner in little-endian form, then the certificate (UEFI specification, `EFI_SIGNATURE_DATA`).
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.owner.to_bytes_le().to_vec();
        bytes.extend_from_slice(&self.certificate);
        bytes
    }
}

/// A PE image that the firmware loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedImage {
    /// How it is called in explanations, such as `systemd-boot 257.13-1~deb13u1` or a path.
    pub name: String,
    /// Its Authenticode digest in each bank that will be asked for.
    pub authenticode: Digests,
    /// The entry of `db` that vouches for it; needed for PCR 7 under Secure Boot.
    pub authority: Option<Authority>,
    /// Whether firmware hashes the file otherwise than a signer does, so that PCR 4 is refused: it is not signed and will not
    /// be, and its length is no multiple of 8 ([`authenticode::is_padded`]).
    pub hashed_otherwise: bool,
}

impl StartedImage {
    /// An image in a file.
    pub fn from_file<S: Read + Seek>(
        name: impl Into<String>,
        source: &mut S,
        banks: &[Bank],
        authority: Option<Authority>,
    ) -> Result<StartedImage, BootPathError> {
        let image = Image::read(source)?;
        StartedImage::of(name.into(), &image, source, banks, authority)
    }

    /// An image whose headers are read.
    fn of<S: Read + Seek>(
        name: String,
        image: &Image,
        source: &mut S,
        banks: &[Bank],
        authority: Option<Authority>,
    ) -> Result<StartedImage, BootPathError> {
        Ok(StartedImage {
            name,
            authenticode: authenticode_digests(image, source, banks)?,
            hashed_otherwise: authority.is_none() && authenticode::is_padded(image),
            authority,
        })
    }
}

/// The boot loader that the firmware starts: systemd-boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loader {
    /// Its PE image.
    pub image: StartedImage,
    /// Its version, from `.sdmagic`.
    pub version: Version,
    /// See [`Loader::without_boot_secret`].
    pub(crate) no_boot_secret: bool,
}

impl Loader {
    /// A boot loader in a file. Refuses anything but systemd-boot of a known version.
    pub fn from_file<S: Read + Seek>(
        source: &mut S,
        banks: &[Bank],
        authority: Option<Authority>,
    ) -> Result<Loader, BootPathError> {
        let image = Image::read(source)?;
        let section = image
            .section(".sdmagic")
            .cloned()
            .ok_or(VersionError::Missing(Component::Boot))?;
        let magic = image.section_bytes(source, &section, 4096)?;
        let version = Version::of_sdmagic(Component::Boot, &magic)?;
        let name = format!("systemd-boot {version}");
        Ok(Loader {
            image: StartedImage::of(name, &image, source, banks, authority)?,
            version,
            no_boot_secret: false,
        })
    }

    /// Says that the ESP which the loader is started from has a file `loader/boot-secret-mixin` of 1 to 31 bytes.
    ///
    /// Where the firmware has random numbers, stub 262 hands the initrd a secret of its own making, so that PCR 9 is
    /// another on every machine; without this promise it is refused for that stub. The stub neither uses nor replaces
    /// a file of that length, and then makes no secret (seen on real boots). systemd offers the secret to machines
    /// without a TPM.
    #[must_use]
    pub fn without_boot_secret(self) -> Loader {
        Loader {
            no_boot_secret: true,
            ..self
        }
    }
}

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
        })
    }
}

/// One way in which a machine may boot: firmware, systemd-boot, a UKI.
#[derive(Clone, Debug)]
pub struct BootPath {
    /// What was chosen to come here, in words: the first elements of each leaf's path.
    pub path: Vec<String>,
    /// The firmware's Secure Boot settings.
    pub variables: Variables,
    /// What the firmware starts.
    pub loader: Loader,
    /// What the loader starts.
    pub uki: Uki,
}

/// Why a boot path cannot be read from files.
#[derive(Debug, thiserror::Error)]
pub enum BootPathError {
    /// The file is no PE image, or ends too early.
    #[error(transparent)]
    Image(#[from] ReadError),
    /// The version of loader or stub is missing or unknown.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The UKI cannot be measured.
    #[error(transparent)]
    Uki(#[from] UkiError),
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Read(#[from] io::Error),
}

/// The sections of a UKI in a file, in one pass; its microcode, when there is some, is read before as well.
pub fn measure_uki<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    banks: &[Bank],
) -> Result<MeasuredUki, BootPathError> {
    let mut measurer = UkiMeasurer::new(banks);
    if let Some(section) = image
        .section(".ucode")
        .filter(|section| section.virtual_size > 0)
    {
        source.seek(SeekFrom::Start(u64::from(section.raw_offset)))?;
        let stored = u64::from(section.virtual_size.min(section.raw_size));
        let missing = u64::from(section.virtual_size).saturating_sub(stored);
        measurer.announce_microcode(&mut source.take(stored).chain(io::repeat(0).take(missing)))?;
    }
    observe_sections(image, source, &mut [&mut measurer])?;
    Ok(measurer.finish()?)
}

/// The Authenticode digests of an image in these banks.
pub fn authenticode_digests<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    banks: &[Bank],
) -> Result<Digests, ReadError> {
    let mut digests = BTreeMap::new();
    for bank in banks {
        let bytes = match bank {
            Bank::Sha1 => authenticode::digest::<sha1::Sha1, S>(image, source)?.to_vec(),
            Bank::Sha256 => authenticode::digest::<sha2::Sha256, S>(image, source)?.to_vec(),
            Bank::Sha384 => authenticode::digest::<sha2::Sha384, S>(image, source)?.to_vec(),
            Bank::Sha512 => authenticode::digest::<sha2::Sha512, S>(image, source)?.to_vec(),
        };
        if let Ok(digest) = Digest::from_bytes(&bytes) {
            digests.insert(*bank, digest);
        }
    }
    Ok(digests.into_values().collect())
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

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A PE32+ image with one section of 512 bytes, and one byte behind it.
    fn image_of_1025_bytes() -> Vec<u8> {
        let mut bytes = vec![0; 1025];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0, b"MZ");
        put(0x3c, &0x40_u32.to_le_bytes());
        put(0x40, b"PE\0\0");
        put(0x44, &0x8664_u16.to_le_bytes());
        put(0x46, &1_u16.to_le_bytes()); // sections
        put(0x54, &240_u16.to_le_bytes()); // size of the optional header
        put(0x58, &0x20b_u16.to_le_bytes());
        put(0x78, &4096_u32.to_le_bytes()); // section alignment
        put(0x7c, &512_u32.to_le_bytes()); // file alignment
        put(0x90, &8192_u32.to_le_bytes()); // size of the image
        put(0x94, &512_u32.to_le_bytes()); // size of the headers
        put(0xc4, &16_u32.to_le_bytes()); // data directories
        put(0x148, b".text");
        put(0x150, &512_u32.to_le_bytes()); // size in memory
        put(0x154, &4096_u32.to_le_bytes()); // address
        put(0x158, &512_u32.to_le_bytes()); // size in the file
        put(0x15c, &512_u32.to_le_bytes()); // place in the file
        bytes
    }

    #[test]
    fn knows_an_unsigned_image_that_firmware_and_signers_hash_differently() {
        let mut file = Cursor::new(image_of_1025_bytes());
        let mut hashed_otherwise = |authority| {
            let image = StartedImage::from_file("odd", &mut file, &[Bank::Sha256], authority);
            image.unwrap().hashed_otherwise
        };
        assert!(hashed_otherwise(None));
        // Signing writes the zeros that were hashed.
        assert!(!hashed_otherwise(Some(Authority {
            owner: Uuid::nil(),
            certificate: vec![0x30],
        })));
    }

    #[test]
    fn writes_an_authority_as_the_firmware_stores_it() {
        let owner = Uuid::from_u128(0x77fa9abd_0359_4d32_bd60_28f4e78f784b);
        let bytes = Authority {
            owner,
            certificate: vec![0x30],
        }
        .to_bytes();
        assert_eq!(bytes.get(..4), Some(&[0xbd, 0x9a, 0xfa, 0x77][..]));
        assert_eq!(bytes.len(), 17);
    }
}
