//! What the policy names as known, read once: what stubs, kernels, initrds, sections and boot loaders must be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use touchstone_pe::uki::Kernel;
use touchstone_sign::PublicKey;

use super::facts::{Facts, sha256_of};
use super::{sbat, stub};
use crate::policy::{Addon, ImageConstraints, Loader, Program, SectionContent, Sha256Text, Uki};
use crate::protocol::Refusal;

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
}

/// The public key in a file.
///
/// # Errors
/// [`JudgeError`].
pub(super) fn public_key(file: &Path) -> Result<PublicKey, JudgeError> {
    use io::Read;
    let wrong = |fact: String| JudgeError {
        role: "public key",
        file: file.to_owned(),
        fact,
    };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let read = opened.take(KEY_LIMIT).read_to_end(&mut bytes);
    read.map_err(|error| wrong(error.to_string()))?;
    PublicKey::read(&bytes).map_err(|error| wrong(error.to_string()))
}

fn stubs(program: &Program) -> Result<Stubs, JudgeError> {
    let by_digest = program.sha256.iter().map(|digest| (digest.0, None));
    let mut stubs: Stubs = by_digest.collect();
    for file in &program.files {
        let facts = facts("stub", file)?;
        let wrong = |fact: String| JudgeError {
            role: "stub",
            file: file.clone(),
            fact,
        };
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
    let wrong = |error: io::Error| JudgeError {
        role: "file that can be read",
        file: file.to_owned(),
        fact: error.to_string(),
    };
    sha256_of(&mut File::open(file).map_err(wrong)?).map_err(wrong)
}

/// What `.linux` holds of a kernel.
fn kernel(file: &Path) -> Result<[u8; 32], JudgeError> {
    let wrong = |fact: String| JudgeError {
        role: "kernel",
        file: file.to_owned(),
        fact,
    };
    let opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    let content = Kernel::new(opened).decompressed();
    let mut content = content.map_err(|error| wrong(error.to_string()))?;
    sha256_of(&mut *content).map_err(|error| wrong(error.to_string()))
}

/// The Authenticode digest of a boot loader.
fn loader(file: &Path) -> Result<[u8; 32], JudgeError> {
    Ok(facts("boot loader", file)?.sha256)
}

fn facts(role: &'static str, file: &Path) -> Result<Facts, JudgeError> {
    let wrong = |fact: String| JudgeError {
        role,
        file: file.to_owned(),
        fact,
    };
    let mut opened = File::open(file).map_err(|error| wrong(error.to_string()))?;
    Facts::read(&mut opened, &[]).map_err(|refusal: Refusal| wrong(refusal.what))
}
