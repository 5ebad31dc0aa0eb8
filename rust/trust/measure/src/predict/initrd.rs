//! The initrd as it is served to the kernel.

use touchstone_pe::Section;

use super::beside::{self, Archive, Used, unreadable};
use super::{PredictError, not_compared};
use crate::boot_path::{BootPath, Linux, Uki};
use crate::cpio;
use crate::hash::{Digests, Hashers, feed};
use crate::initrd::ServedInitrd;
use crate::measured::Profile;
use crate::version::Release;

/// Small sections that stubs hand to the initrd as files `.extra/NAME`, in their order, and the first release that does.
const EXTRA_FILES: [(&str, &str, Release); 4] = [
    (".pcrsig", "tpm2-pcr-signature.json", Release::V252),
    (".pcrpkey", "tpm2-pcr-public-key.pem", Release::V252),
    (".osrel", "os-release", Release::V257),
    (".profile", "profile", Release::V257),
];

/// A piece of the initrd.
enum Piece<'a> {
    /// A section of the UKI: its row.
    Section(usize),
    /// An archive with one file.
    Meta(Vec<u8>),
    /// An archive of files from the ESP.
    Files(Archive<'a>),
    /// A section of an addon.
    Addon(&'a Used<'a>, Section),
}

/// An initrd: its digests, and its pieces in words.
pub(super) struct Initrd {
    pub(super) digests: Digests,
    pub(super) pieces: String,
}

/// What a stub serves: the addons' microcode, the last first; the UKI's own; its initrd; what the ESP and its sections
/// hold, as archives; the addons' initrds.
pub(super) fn of_uki(
    boot: &BootPath,
    uki: &Uki,
    profile: &Profile<'_>,
    used: &[Used<'_>],
) -> Result<Initrd, PredictError> {
    let pieces = pieces(boot, uki, profile, used);
    let words: Vec<String> = pieces.iter().map(|(words, _)| words.clone()).collect();
    let rows = pieces.iter().filter_map(|(_, piece)| match piece {
        Piece::Section(row) => Some(*row),
        _ => None,
    });
    let rows: Vec<usize> = rows.collect();
    let in_front = pieces
        .iter()
        .take_while(|(_, piece)| matches!(piece, Piece::Section(_)));
    let (mut served, done) = match &uki.measured.begun {
        Some(begun) if begun.sections == rows && in_front.count() == rows.len() => {
            (begun.state.clone(), rows.len())
        }
        _ => (ServedInitrd::new(uki.measured.banks()), 0),
    };
    for (_, piece) in pieces.iter().skip(done) {
        serve(uki, piece, &mut served)?;
    }
    Ok(Initrd {
        digests: served
            .finish()
            .ok_or_else(|| not_compared(9, "a UKI without an initrd"))?,
        pieces: words.join(", "),
    })
}

fn pieces<'a>(
    boot: &'a BootPath,
    uki: &'a Uki,
    profile: &Profile<'_>,
    used: &'a [Used<'a>],
) -> Vec<(String, Piece<'a>)> {
    let release = uki.measured.stub().release;
    let of_addon = |used: &'a Used<'a>, section: &Option<Section>| {
        let section = section.clone()?;
        let words = format!("{} of {}", section.name.as_str(), used.addon.name);
        Some((words, Piece::Addon(used, section)))
    };
    let last_first = used.iter().rev();
    let mut pieces: Vec<(String, Piece<'a>)> = last_first
        .filter_map(|used| of_addon(used, &used.sections.ucode))
        .collect();
    let own = [(".ucode", Release::V257), (".initrd", Release::V252)];
    let own = own.into_iter().filter(|(_, since)| release >= *since);
    pieces.extend(own.filter_map(|(name, _)| {
        let (row, section) = profile.section(name)?;
        Some((
            format!("{name} ({} bytes)", section.len),
            Piece::Section(row),
        ))
    }));
    let archives = beside::archives(boot, uki).into_iter();
    pieces.extend(archives.map(|archive| (archive.words(), Piece::Files(archive))));
    let extra = EXTRA_FILES
        .into_iter()
        .filter(|(_, _, since)| release >= *since);
    pieces.extend(extra.filter_map(|(section, name, _)| {
        let content = profile.text(section)?;
        let words = format!("{section} ({} bytes) in a cpio archive", content.len());
        Some((words, Piece::Meta(cpio::extra_file(name, content))))
    }));
    let initrds = used.iter();
    pieces.extend(initrds.filter_map(|used| of_addon(used, &used.sections.initrd)));
    pieces
}

fn serve(uki: &Uki, piece: &Piece<'_>, served: &mut ServedInitrd) -> Result<(), PredictError> {
    served.begin();
    match piece {
        Piece::Meta(bytes) => served.update(bytes),
        Piece::Files(archive) => archive.write(&mut |bytes| served.update(bytes))?,
        Piece::Addon(used, section) => crate::content::section(&*used.addon.content, section)
            .and_then(|mut source| feed(&mut source, |bytes| served.update(bytes)))
            .map_err(|why| unreadable(&used.addon.name, &why))?,
        Piece::Section(row) => {
            let lost = || PredictError::OrderLost;
            let section = uki.measured.table.get(*row).ok_or_else(lost)?;
            let content = uki.content.as_deref().ok_or_else(lost)?;
            crate::content::section(content, section)
                .and_then(|mut source| feed(&mut source, |bytes| served.update(bytes)))
                .map_err(|why| unreadable(&uki.image.name, &why))?;
        }
    }
    Ok(())
}

/// What systemd-boot serves: the entry's initrds one behind the other. From 257 on each but the last is filled to a
/// multiple of four bytes.
pub(super) fn of_linux(
    linux: &Linux,
    release: Release,
    banks: &[crate::Bank],
) -> Result<Initrd, PredictError> {
    let mut hashers = Hashers::new(banks);
    let mut length = 0_usize;
    for initrd in &linux.initrds {
        if release > Release::V252 {
            let missing = length.next_multiple_of(4) - length;
            hashers.update([0; 3].get(..missing).unwrap_or_default());
        }
        length = 0;
        initrd
            .content
            .open()
            .and_then(|mut source| {
                feed(&mut source, |bytes| {
                    hashers.update(bytes);
                    length = length.wrapping_add(bytes.len());
                })
            })
            .map_err(|why| unreadable(&initrd.name, &why))?;
        if length == 0 {
            return Err(not_compared(9, "a Type #1 entry with an empty initrd"));
        }
    }
    let names: Vec<&str> = linux
        .initrds
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    if names.is_empty() {
        return Err(not_compared(9, "a Type #1 entry without an initrd"));
    }
    Ok(Initrd {
        digests: hashers.finish(),
        pieces: names.join(", "),
    })
}
