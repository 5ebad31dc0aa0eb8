//! What is read of an image once, whoever judges it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use sha2::{Sha256, Sha384};
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_measure::{Bank, SectionDigests};
use touchstone_pe::{Image, ReadError, Section, authenticode, observe_sections};
use touchstone_sign::Hash;
use touchstone_sign::authenticode::ImageDigest;

use super::refuse::refuse;
use crate::protocol::Refusal;

/// Sections whose text decides something.
const TEXTS: [&str; 8] = [
    ".cmdline", ".osrel", ".uname", ".profile", ".pcrpkey", ".pcrsig", ".sbat", ".sdmagic",
];
/// Longest of them in bytes.
const TEXT_MAX: u64 = 1 << 20;
/// How much more memory than file an image may take: stubs have some variables without a value.
const MEMORY_MAX: u64 = 64 << 20;

/// An image: its headers, the digests of its sections, and its texts.
pub(super) struct Facts {
    pub(super) image: Image,
    /// `SizeOfHeaders` bytes.
    pub(super) headers: Vec<u8>,
    digests: SectionDigests,
    texts: BTreeMap<usize, Vec<u8>>,
    /// The Authenticode digest.
    pub(super) sha256: [u8; 32],
}

impl Facts {
    /// Reads an image. Sections are hashed in these banks and in SHA-256.
    ///
    /// # Errors
    /// [`Refusal`] when it is no image, or one of which two programs could see different things.
    pub(super) fn read(source: &mut File, banks: &[Bank]) -> Result<Self, Refusal> {
        let image = Image::read(source).map_err(malformed)?;
        // Refuses overlaps, gaps and tables in wrong places before anything is read twice.
        let sha256 = authenticode::sha256(&image, source).map_err(malformed)?;
        let memory: u64 = image
            .sections()
            .iter()
            .map(|section| u64::from(section.virtual_size))
            .sum();
        if memory > image.len().saturating_add(MEMORY_MAX) {
            let what = format!(
                "the image's sections have {memory} bytes in memory and {} in the file",
                image.len()
            );
            return Err(refuse(
                "image.malformed",
                what,
                "assemble it with touchstone or ukify",
            ));
        }
        let banks: BTreeSet<Bank> = banks.iter().copied().chain([Bank::Sha256]).collect();
        let mut digests = SectionDigests::new(&banks.into_iter().collect::<Vec<_>>());
        observe_sections(&image, source, &mut [&mut digests]).map_err(malformed)?;
        Ok(Self {
            texts: texts(&image, source)?,
            headers: headers(&image, source)?,
            image,
            digests,
            sha256,
        })
    }

    /// The section table.
    pub(super) fn sections(&self) -> &[Section] {
        self.image.sections()
    }

    /// A section by its place in the table.
    pub(super) fn section(&self, index: usize) -> Option<&Section> {
        self.sections().get(index)
    }

    /// The digests of all sections.
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
    pub(super) fn texts<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.sections().iter().enumerate();
        let named = named.filter(move |(_, section)| section.name.as_str() == name);
        named.filter_map(|(index, _)| self.text(index))
    }

    /// The Authenticode digest that is signed.
    pub(super) fn authenticode(
        &self,
        source: &mut File,
        hash: SignatureDigest,
    ) -> Result<ImageDigest, Refusal> {
        match hash {
            SignatureDigest::Sha256 => Ok(ImageDigest::sha256(&self.sha256)),
            SignatureDigest::Sha384 => {
                let digest = authenticode::digest::<Sha384, _>(&self.image, source);
                let digest = ImageDigest::new(Hash::Sha384, &digest.map_err(malformed)?);
                digest.ok_or_else(|| refuse("image.malformed", "it has no digest", "use SHA-256"))
            }
        }
    }
}

fn headers(image: &Image, source: &mut File) -> Result<Vec<u8>, Refusal> {
    let size = image
        .header_facts(source)
        .map_err(malformed)?
        .size_of_headers;
    let mut headers = Vec::new();
    let read = source.seek(SeekFrom::Start(0));
    let read = read.and_then(|_| source.take(u64::from(size)).read_to_end(&mut headers));
    read.map_err(|error| malformed(error.into()))?;
    Ok(headers)
}

fn texts(image: &Image, source: &mut File) -> Result<BTreeMap<usize, Vec<u8>>, Refusal> {
    let mut texts = BTreeMap::new();
    for (index, section) in image.sections().iter().enumerate() {
        if TEXTS.contains(&section.name.as_str()) {
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
    use sha2::Digest as _;
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
