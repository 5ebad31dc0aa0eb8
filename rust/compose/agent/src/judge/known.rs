//! What the policy names as known, read once: what stubs, kernels, initrds, sections and boot loaders must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use touchstone_pe::uki::Kernel;
use touchstone_sign::PublicKey;

use super::facts::{Facts, Wanted, sha256_of};
use super::{sbat, stub};
use crate::policy::{Addon, ImageConstraints, Loader, Program, SectionContent, Sha256Text, Uki};

/// Longest public key in bytes.
const KEY_LIMIT: u64 = 64 << 10;

/// A file that the policy names as known, and that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is no {role}: {fact}; name another file in the policy", file.display())]
pub struct JudgeError {
    /// What it should be.
    pub role: &'static str,
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fact: String,
}

/// What an image must be.
#[derive(Debug)]
pub(super) enum KnownImage {
    Uki(Box<KnownUki>),
    Loader(KnownLoader),
    Addon(KnownAddon),
}

/// What a UKI must be.
#[derive(Debug)]
pub(super) struct KnownUki {
    pub(super) wanted: Uki,
    pub(super) stubs: Stubs,
    pub(super) kernels: BTreeSet<[u8; 32]>,
    pub(super) initrds: BTreeSet<[u8; 32]>,
    pub(super) sections: KnownSections,
}

/// Authenticode digests of boot loaders.
#[derive(Debug)]
pub(super) struct KnownLoader(pub(super) BTreeSet<[u8; 32]>);

/// What an addon must be.
#[derive(Debug)]
pub(super) struct KnownAddon {
    pub(super) wanted: Addon,
    pub(super) stubs: Stubs,
    pub(super) sections: KnownSections,
}

/// Stubs by their digests, each with the lines of its `.sbat` where its file is known.
pub(super) type Stubs = BTreeMap<[u8; 32], Option<Vec<String>>>;

/// Name → digests of what a section may hold; nothing where it may hold anything.
pub(super) type KnownSections = BTreeMap<String, Option<BTreeSet<[u8; 32]>>>;

impl KnownImage {
    /// Reads what is named.
    ///
    /// # Errors
    /// [`JudgeError`].
    pub(super) fn read(image: &ImageConstraints) -> Result<Self, JudgeError> {
        Ok(match image {
            ImageConstraints::Uki(uki) => Self::Uki(Box::new(KnownUki {
                stubs: stubs(&uki.stub)?,
                kernels: contents(&uki.kernel.files, &uki.kernel.sha256, kernel)?,
                initrds: contents(&uki.initrd.files, &uki.initrd.sha256, plain)?,
                sections: sections(&uki.sections)?,
                wanted: (**uki).clone(),
            })),
            ImageConstraints::Loader(Loader { files, sha256 }) => {
                Self::Loader(KnownLoader(contents(files, sha256, loader)?))
            }
            ImageConstraints::Addon(addon) => Self::Addon(KnownAddon {
                stubs: stubs(&addon.stub)?,
                sections: sections(&addon.sections)?,
                wanted: addon.clone(),
            }),
        })
    }

    /// Large sections that it compares with no digest.
    pub(super) fn not_hashed(&self) -> BTreeSet<&'static str> {
        let is_asked = |name: &str| match self {
            Self::Uki(uki) => {
                let own = match name {
                    ".linux" => &uki.kernels,
                    _ => &uki.initrds,
                };
                !own.is_empty() || uki.sections.contains_key(name)
            }
            // That it has none, its section table says.
            Self::Addon(addon) => addon.sections.contains_key(name),
            Self::Loader(_) => false,
        };
        let large = [".linux", ".initrd"].into_iter();
        large.filter(|name| !is_asked(name)).collect()
    }
}

/// The public half of a key that signs values of PCR 11.
#[derive(Debug)]
pub(super) struct PcrKey {
    pub(super) public: PublicKey,
    /// The policy's file, as it is.
    text: Vec<u8>,
}

impl PcrKey {
    /// Whether a section `.pcrpkey` holds it and nothing else. Others than we may find another key in a text around it.
    pub(super) fn is_all_of(&self, section: &[u8]) -> bool {
        let written = self.public.to_pem();
        section == self.text || written.is_ok_and(|pem| section == pem.as_bytes())
    }
}

/// The public key in a file.
///
/// # Errors
/// [`JudgeError`].
pub(super) fn pcr_key(file: &Path) -> Result<PcrKey, JudgeError> {
    let role = "public key";
    let mut text = Vec::new();
    let read = open(role, file)?.take(KEY_LIMIT).read_to_end(&mut text);
    read.map_err(|error| wrong(role, file, error.to_string()))?;
    match PublicKey::read(&text) {
        Ok(public) => Ok(PcrKey { public, text }),
        Err(error) => Err(wrong(role, file, error.to_string())),
    }
}

fn stubs(program: &Program) -> Result<Stubs, JudgeError> {
    let by_digest = program.sha256.iter().map(|digest| (digest.0, None));
    let mut stubs: Stubs = by_digest.collect();
    for file in &program.files {
        let opened = open("stub", file)?;
        let facts = facts("stub", file, &opened)?;
        let wrong = |fact: String| wrong("stub", file, fact);
        let digest =
            stub::digest(&facts).ok_or_else(|| wrong("its headers are cut off".to_owned()))?;
        let lines = sbat::lines_of(&facts).map_err(|refusal| wrong(refusal.what))?;
        stubs.insert(digest, Some(lines));
    }
    Ok(stubs)
}

fn contents(
    files: &[PathBuf],
    digests: &[Sha256Text],
    digest: fn(&Path) -> Result<[u8; 32], JudgeError>,
) -> Result<BTreeSet<[u8; 32]>, JudgeError> {
    let by_file = files.iter().map(|file| digest(file));
    by_file
        .chain(digests.iter().map(|digest| Ok(digest.0)))
        .collect()
}

fn sections(wanted: &BTreeMap<String, SectionContent>) -> Result<KnownSections, JudgeError> {
    let known = wanted.iter().map(|(name, content)| {
        let digests = contents(&content.files, &content.sha256, plain)?;
        Ok((name.clone(), (!content.any).then_some(digests)))
    });
    known.collect()
}

/// The content of a file.
fn plain(file: &Path) -> Result<[u8; 32], JudgeError> {
    let role = "file that can be read";
    let digest = sha256_of(&mut open(role, file)?);
    digest.map_err(|error| wrong(role, file, error.to_string()))
}

/// What `.linux` holds of a kernel.
fn kernel(file: &Path) -> Result<[u8; 32], JudgeError> {
    let role = "kernel";
    let content = Kernel::new(open(role, file)?).decompressed();
    let mut content = content.map_err(|error| wrong(role, file, error.to_string()))?;
    sha256_of(&mut *content).map_err(|error| wrong(role, file, error.to_string()))
}

/// The Authenticode digest of a boot loader.
fn loader(file: &Path) -> Result<[u8; 32], JudgeError> {
    let role = "boot loader";
    let opened = open(role, file)?;
    let digest = facts(role, file, &opened)?.sha256();
    digest.map_err(|refusal| wrong(role, file, refusal.what))
}

fn open(role: &'static str, file: &Path) -> Result<File, JudgeError> {
    File::open(file).map_err(|error| wrong(role, file, error.to_string()))
}

fn facts<'a>(role: &'static str, file: &Path, opened: &'a File) -> Result<Facts<'a>, JudgeError> {
    let facts = Facts::read(opened, &Wanted::default());
    facts.map_err(|refusal| wrong(role, file, refusal.what))
}

fn wrong(role: &'static str, file: &Path, fact: String) -> JudgeError {
    JudgeError {
        role,
        file: file.to_owned(),
        fact,
    }
}
