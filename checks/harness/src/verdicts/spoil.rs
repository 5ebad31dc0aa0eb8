//! Images that were good until somebody touched them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::bytes::{CHECKSUM, Image, SECOND_POINTER, TIME, entry, first_data};

/// A byte of the text that the program prints.
const IN_A_SECTION: usize = 0x240;
/// `WIN_CERT_TYPE_EFI_GUID`
const GUID_TYPE: u16 = 0x0ef1;
/// `WIN_CERT_TYPE_X509`, which nobody uses.
const OTHER_TYPE: u16 = 0x0001;
/// `WIN_CERT_TYPE_PKCS_SIGNED_DATA`
const PKCS: u16 = 0x0002;
/// `EFI_CERT_TYPE_PKCS7_GUID`
const PKCS7: [u8; 16] = [
    0x9d, 0xd2, 0xaf, 0x4a, 0xdf, 0x68, 0xee, 0x49, 0x8a, 0xa9, 0x34, 0x7d, 0x37, 0x56, 0x65, 0xa7,
];

/// Makes them all from the signed images in `folder`.
pub(super) fn all(folder: &Path) -> Result<()> {
    let read = |name: &str| {
        let bytes = fs::read(folder.join(name));
        bytes.map(Image).with_context(|| name.to_owned())
    };
    let own = read("own.efi")?;
    let spoiled = bytes_changed(&own)?
        .into_iter()
        .chain(table_changed(&own)?)
        .chain(signature_changed(&own, &read("other-signed.efi")?)?);
    for (name, image) in spoiled {
        fs::write(folder.join(format!("{name}.efi")), image.0)?;
    }
    Ok(())
}

/// The program with bytes between its two sections that belong to none. (Signing tools other than sbsign refuse it or hash it
/// otherwise.)
pub(super) fn with_hole(plain: &Image) -> Result<Image> {
    const SECOND_SECTION: usize = 0x400;
    const HOLE: u8 = 0xee;
    let moved = u32::try_from(SECOND_SECTION + 0x200)?;
    let mut image = plain.clone().put(SECOND_POINTER, &moved.to_le_bytes())?;
    let rest = image.0.split_off(SECOND_SECTION);
    image.0.resize(SECOND_SECTION + 0x200, HOLE);
    image.0.extend(rest);
    Ok(image)
}

type Spoiled = Vec<(&'static str, Image)>;

fn bytes_changed(own: &Image) -> Result<Spoiled> {
    let (unsigned, table) = own.split()?;
    let mut longer = unsigned.clone();
    longer.0.extend([0; 8]);
    Ok(vec![
        ("byte-in-section", own.clone().flip(IN_A_SECTION)?),
        ("byte-in-header", own.clone().flip(TIME)?),
        ("byte-in-dos-header", own.clone().flip(4)?),
        (
            "byte-in-checksum",
            own.clone().put(CHECKSUM, &[1, 2, 3, 4])?,
        ),
        ("zeros-before-table", longer.with_table(&table)?),
    ])
}

fn table_changed(own: &Image) -> Result<Spoiled> {
    let (unsigned, table) = own.split()?;
    let length = table.len();
    let with = |table: &[u8]| unsigned.clone().with_table(table);
    let and = |more: &[u8]| with(&[&table[..], more].concat());
    let mut behind = own.clone();
    behind.0.extend(b"appended");
    let mut cut = own.clone();
    cut.0.truncate(own.0.len() - 64);
    let too_long = u32::try_from(length + 8)?.to_le_bytes();
    let data = first_data(&table)?;
    Ok(vec![
        ("data-behind-table", behind),
        ("file-cut-off", cut),
        (
            "table-size-too-small",
            own.clone().with_table_size(length - 8)?,
        ),
        ("table-without-padding", with(&unpadded(&data)?)?),
        ("garbage-in-table", and(b"garbage!")?),
        ("zeros-in-table", and(&[0; 16])?),
        ("entry-too-long", own.clone().put(own.table()?, &too_long)?),
        (
            "entry-too-short",
            and(&[&4_u32.to_le_bytes(), &[0, 2, 1, 0][..], &[0; 8]].concat())?,
        ),
        (
            "entry-of-guid-type",
            with(&entry(GUID_TYPE, &[&PKCS7[..], &data].concat())?)?,
        ),
        (
            "entry-of-other-guid",
            with(&entry(GUID_TYPE, &[&[7; 16][..], &data].concat())?)?,
        ),
        ("entry-of-other-type", with(&entry(OTHER_TYPE, &data)?)?),
        (
            "other-type-and-own",
            with(&[entry(OTHER_TYPE, b"whatever")?, table.clone()].concat())?,
        ),
        ("own-twice", and(&table)?),
    ])
}

/// One entry as long as its data say, and nothing to fill it up: for that, its length must not be a multiple of 8.
fn unpadded(data: &[u8]) -> Result<Vec<u8>> {
    let data = match data.len() % 8 {
        0 => [data, &[0]].concat(),
        _ => data.to_vec(),
    };
    let mut table = entry(PKCS, &data)?;
    table.truncate(8 + data.len());
    Ok(table)
}

fn signature_changed(own: &Image, other: &Image) -> Result<Spoiled> {
    let (unsigned, table) = own.split()?;
    let data = first_data(&table)?;
    let with = |data: &[u8]| unsigned.clone().with_table(&entry(PKCS, data)?);
    // The last bytes are the signature's own; where no digest algorithm stands, firmware looks no further.
    let last = data.len() - 1 - data.iter().rev().take_while(|byte| **byte == 0).count();
    let mut wrong = data.clone();
    *wrong.get_mut(last).context("empty")? ^= 1;
    let digest = own.sha256()?;
    let place = find(&data, &digest).context("the digest is not in its signature")?;
    let mut stated = data.clone();
    stated
        .get_mut(place..place + 1)
        .context("empty")?
        .copy_from_slice(&[0x55]);
    let mut damaged = data.clone();
    damaged.truncate(data.len() / 2);
    Ok(vec![
        ("signature-bit", with(&wrong)?),
        ("stated-digest", with(&stated)?),
        ("half-a-signature", with(&damaged)?),
        ("noise-as-signature", with(&[0x5a; 512])?),
        (
            "zeros-behind-signature",
            with(&[&data[..], &[0; 64]].concat())?,
        ),
        (
            "of-another-image",
            unsigned.clone().with_table(&other.split()?.1)?,
        ),
    ])
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|part| part == needle)
}
