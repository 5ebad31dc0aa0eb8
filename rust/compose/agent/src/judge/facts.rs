//! What is read of an image once, whoever judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek};
use std::panic::resume_unwind;
use std::thread;

use sha2::{Digest, Sha256, Sha384};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::{Bank, SectionDigests};
use touchstone_pe::{Image, ReadError, Section, authenticode, observe_some_sections};
use touchstone_sign::authenticode::ImageDigest;

use super::refuse::refuse;
use crate::payload::{Payload, Reader};
use crate::protocol::Refusal;

/// Sections whose text decides something.
const TEXTS: [&str; 8] = [
    ".cmdline", ".osrel", ".uname", ".profile", ".pcrpkey", ".pcrsig", ".sbat", ".sdmagic",
];
/// Longest of them in bytes, and all of them together.
const TEXT_MAX: u64 = 1 << 20;
const TEXTS_MAX: u64 = 4 << 20;
/// Most sections: an image of many profiles has some dozens.
const SECTIONS_MAX: usize = 512;
/// How much more memory than file an image may take: stubs have some variables without a value.
const MEMORY_MAX: u64 = 64 << 20;
/// From this size in bytes on, a second thread hashes the whole image while its parts are judged.
const LARGE: u64 = 1 << 20;

/// An image: its headers, the digests of its sections, and its texts.
pub(super) struct Facts<'a> {
    source: &'a dyn Payload,
    pub(super) image: Image,
    /// `SizeOfHeaders` bytes.
    pub(super) headers: Vec<u8>,
    digests: SectionDigests,
    texts: BTreeMap<usize, Vec<u8>>,
}

/// Which digests of an image's sections somebody asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    /// Banks of all sections, for PCR 11.
    pub(super) banks: Vec<Bank>,
    /// The same, where the image has a `.pcrsig`, whose claims are to be compared.
    pub(super) banks_of_signatures: Vec<Bank>,
    /// Sections of which nobody asks for the digest, unless it is for PCR 11.
    pub(super) but: BTreeSet<&'static str>,
}

impl<'a> Facts<'a> {
    /// Reads an image. Sections are hashed in SHA-256, and in the banks that are wanted.
    ///
    /// # Errors
    /// [`Refusal`] when it is no image, or one of which two programs could see different things.
    pub(super) fn read(source: &'a dyn Payload, wanted: &Wanted) -> Result<Self, Refusal> {
        Self::of(image(source)?, source, wanted)
    }

    /// Judges an image, and computes the Authenticode digest that is to be signed: the two at the same time.
    ///
    /// # Errors
    /// As [`read`](Self::read) and `judge`.
    pub(super) fn judge<T>(
        source: &'a dyn Payload,
        wanted: &Wanted,
        hash: SignatureDigest,
        judge: impl FnOnce(&Self) -> Result<T, Refusal>,
    ) -> Result<(T, ImageDigest), Refusal> {
        let image = image(source)?;
        let digest = || authenticode(&image, source, hash);
        let judge = || judge(&Self::of(image.clone(), source, wanted)?);
        thread::scope(|scope| {
            let beside = match image.len() >= LARGE {
                true => thread::Builder::new().spawn_scoped(scope, digest).ok(),
                false => None,
            };
            let judged = judge().inspect_err(|_| source.give_up())?;
            let digest = match beside {
                Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
                None => digest(),
            };
            Ok((judged, digest?))
        })
    }

    fn of(image: Image, source: &'a dyn Payload, wanted: &Wanted) -> Result<Self, Refusal> {
        let mut reader = Reader::new(source);
        let mut banks = wanted.banks.clone();
        let is_signed = image.section(".pcrsig").is_some();
        if is_signed {
            banks.extend(&wanted.banks_of_signatures);
        }
        // PCR 11 has them all.
        let all = is_signed || !banks.is_empty();
        let asked = |section: &Section| all || !wanted.but.contains(section.name.as_str());
        let banks: BTreeSet<Bank> = banks.into_iter().chain([Bank::Sha256]).collect();
        let mut digests = SectionDigests::new(&banks.into_iter().collect::<Vec<_>>());
        observe_some_sections(&image, &mut reader, &asked, &mut [&mut digests])
            .map_err(malformed)?;
        Ok(Self {
            texts: texts(&image, &mut reader)?,
            headers: headers(&image, &mut reader)?,
            source,
            image,
            digests,
        })
    }

    /// The image's bytes.
    pub(super) fn reader(&self) -> Reader<'a> {
        Reader::new(self.source)
    }

    /// Somebody else has judged it, and would not have it signed.
    pub(super) fn judge_anew(&self) {
        self.source.forget_passed();
    }

    /// The bytes that a section has in the file, without its padding.
    pub(super) fn content_of(&self, section: &Section) -> Reader<'a> {
        let len = section.virtual_size.min(section.raw_size);
        Reader::part(self.source, section.raw_offset.into(), len.into())
    }

    /// The section table.
    pub(super) fn sections(&self) -> &[Section] {
        self.image.sections()
    }

    /// A section by its place in the table.
    pub(super) fn section(&self, index: usize) -> Option<&Section> {
        self.sections().get(index)
    }

    /// The digests of all sections that somebody asked for.
    pub(super) fn digests(&self) -> &SectionDigests {
        &self.digests
    }

    /// SHA-256 of a section's `VirtualSize` bytes.
    pub(super) fn content(&self, section: &Section) -> Option<[u8; 32]> {
        let digest = self.digests.of(section)?.get(Bank::Sha256)?;
        digest.as_bytes().try_into().ok()
    }

    /// The content of a section with a text, by its place in the table.
    pub(super) fn text(&self, index: usize) -> Option<&[u8]> {
        self.texts.get(&index).map(Vec::as_slice)
    }

    /// The texts of all sections of a name, in the order of the table.
    pub(super) fn texts<'b>(&'b self, name: &'b str) -> impl Iterator<Item = &'b [u8]> {
        let named = self.sections().iter().enumerate();
        let named = named.filter(move |(_, section)| section.name.as_str() == name);
        named.filter_map(|(index, _)| self.text(index))
    }

    /// The Authenticode digest.
    ///
    /// # Errors
    /// [`Refusal`] when it cannot be read.
    pub(super) fn sha256(&self) -> Result<[u8; 32], Refusal> {
        authenticode::sha256(&self.image, &mut self.reader()).map_err(malformed)
    }
}

/// An image of which everybody sees the same bytes.
fn image(source: &dyn Payload) -> Result<Image, Refusal> {
    let image = Image::read(&mut Reader::new(source)).map_err(malformed)?;
    // Refuses overlaps, gaps and tables in wrong places before anything is read twice.
    authenticode::check(&image).map_err(malformed)?;
    let memory: u64 = image
        .sections()
        .iter()
        .map(|section| u64::from(section.virtual_size))
        .sum();
    let texts = image.sections().iter().filter(|section| is_text(section));
    let texts: u64 = texts.map(|section| u64::from(section.virtual_size)).sum();
    let count = image.sections().len();
    let fact = if count > SECTIONS_MAX {
        format!("the image has {count} sections; at most {SECTIONS_MAX} are looked at")
    } else if memory > image.len().saturating_add(MEMORY_MAX) {
        let len = image.len();
        format!("the image's sections have {memory} bytes in memory and {len} in the file")
    } else if texts > TEXTS_MAX {
        format!("the image's texts have {texts} bytes; at most {TEXTS_MAX} are read")
    } else {
        return Ok(image);
    };
    let help = "assemble it with touchstone or ukify";
    Err(refuse("image.malformed", fact, help))
}

/// The Authenticode digest that is signed.
fn authenticode(
    image: &Image,
    source: &dyn Payload,
    hash: SignatureDigest,
) -> Result<ImageDigest, Refusal> {
    fn of<D: Digest>(image: &Image, source: &dyn Payload) -> Result<Vec<u8>, Refusal> {
        let digest = authenticode::digest::<D, _>(image, &mut Reader::new(source));
        Ok(digest.map_err(malformed)?.to_vec())
    }
    let digest = match hash {
        SignatureDigest::Sha256 => of::<Sha256>(image, source)?,
        SignatureDigest::Sha384 => of::<Sha384>(image, source)?,
    };
    ImageDigest::new(hash.into(), &digest)
        .ok_or_else(|| refuse("image.malformed", "it has no digest", "use SHA-256"))
}

fn is_text(section: &Section) -> bool {
    TEXTS.contains(&section.name.as_str())
}

fn headers(image: &Image, source: &mut Reader<'_>) -> Result<Vec<u8>, Refusal> {
    let size = image
        .header_facts(source)
        .map_err(malformed)?
        .size_of_headers;
    let mut headers = Vec::new();
    let read = source.rewind();
    let read = read.and_then(|()| source.take(u64::from(size)).read_to_end(&mut headers));
    read.map_err(|error| malformed(error.into()))?;
    Ok(headers)
}

fn texts(image: &Image, source: &mut Reader<'_>) -> Result<BTreeMap<usize, Vec<u8>>, Refusal> {
    let mut texts = BTreeMap::new();
    for (index, section) in image.sections().iter().enumerate() {
        if is_text(section) {
            let text = image.section_bytes(source, section, TEXT_MAX);
            texts.insert(index, text.map_err(malformed)?);
        }
    }
    Ok(texts)
}

/// What is wrong with an image as such.
pub(super) fn malformed(error: ReadError) -> Refusal {
    let help = "assemble the image with touchstone or ukify, and hand it in as it was made";
    refuse("image.malformed", format!("the image: {error}"), help)
}

/// The SHA-256 of a file's content.
pub(super) fn sha256_of(source: &mut dyn Read) -> std::io::Result<[u8; 32]> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().into()),
            Ok(got) => hasher.update(buffer.get(..got).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
