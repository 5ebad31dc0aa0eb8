//! A PE image that firmware, shim or boot loader start.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use touchstone_pe::{Image, ReadError, authenticode};

use super::{Authority, BootPathError, Vouching};
use crate::bank::{Bank, Digest};
use crate::hash::Digests;

/// A PE image that the firmware loads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartedImage {
    /// How it is called in explanations, such as `systemd-boot 257.13-1~deb13u1` or a path.
    pub name: String,
    /// Its Authenticode digest in each bank that will be asked for.
    pub authenticode: Digests,
    /// What speaks for it; needed for PCR 7 under Secure Boot.
    pub vouching: Vouching,
}

impl StartedImage {
    /// An image in a file. `promised` is the certificate by which it will be signed, when it is not signed yet.
    pub fn from_file<S: Read + Seek>(
        name: impl Into<String>,
        source: &mut S,
        banks: &[Bank],
        promised: Option<Authority>,
    ) -> Result<StartedImage, BootPathError> {
        let image = Image::read(source)?;
        StartedImage::of(name.into(), &image, source, banks, promised)
    }

    /// An image whose headers are read.
    pub(super) fn of<S: Read + Seek>(
        name: String,
        image: &Image,
        source: &mut S,
        banks: &[Bank],
        promised: Option<Authority>,
    ) -> Result<StartedImage, BootPathError> {
        let signed = promised.is_some() || image.certificate_table().is_some();
        let authenticode = match signed {
            true => authenticode_digests(image, source, banks)?,
            false => stored_digests(image, source, banks)?,
        };
        let vouching = Vouching::of(image, source, promised, &authenticode)?;
        Ok(StartedImage {
            name,
            authenticode,
            vouching,
        })
    }
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

/// The digests that firmware computes of an image which nobody will sign: signers hash it as if zeros filled its file up
/// to a multiple of 8 bytes.
pub(super) fn stored_digests<S: Read + Seek>(
    image: &Image,
    source: &mut S,
    banks: &[Bank],
) -> Result<Digests, ReadError> {
    let mut digests = Vec::new();
    for bank in banks {
        let bytes = match bank {
            Bank::Sha1 => authenticode::stored_digest::<sha1::Sha1, S>(image, source)?.to_vec(),
            Bank::Sha256 => authenticode::stored_digest::<sha2::Sha256, S>(image, source)?.to_vec(),
            Bank::Sha384 => authenticode::stored_digest::<sha2::Sha384, S>(image, source)?.to_vec(),
            Bank::Sha512 => authenticode::stored_digest::<sha2::Sha512, S>(image, source)?.to_vec(),
        };
        digests.extend(Digest::from_bytes(&bytes));
    }
    Ok(digests.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use uuid::Uuid;

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
    fn hashes_an_image_as_firmware_does_that_stays_unsigned_and_as_a_signer_does_that_will_be_signed()
     {
        let mut file = Cursor::new(image_of_1025_bytes());
        let mut digest = |promised| {
            let image = StartedImage::from_file("odd", &mut file, &[Bank::Sha256], promised);
            image.unwrap().authenticode.get(Bank::Sha256)
        };
        let (bytes, sum, entry) = (image_of_1025_bytes(), 0x98..0x9c, 0xe8..0xf0);
        let hashed = [
            &bytes[..sum.start],
            &bytes[sum.end..entry.start],
            &bytes[entry.end..],
        ]
        .concat();
        assert_eq!(digest(None), Some(Bank::Sha256.hash(&hashed)));
        // Signing writes the zeros that were hashed.
        let promised = Authority {
            owner: Uuid::nil(),
            data: vec![0x30],
        };
        let padded = [&hashed[..], &[0; 7]].concat();
        assert_eq!(digest(Some(promised)), Some(Bank::Sha256.hash(&padded)));
    }
}
