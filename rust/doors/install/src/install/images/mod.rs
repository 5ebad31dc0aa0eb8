//! What a generation puts on a partition: an entry, and what it names.

mod assemble;
mod carried;
mod fingerprint;
mod text;

use std::io;
use std::path::Path;

use touchstone_artifacts::HostFiles;
use touchstone_artifacts::progress::Progress;
use touchstone_esp::{Content, EntryKind, EntryName, File};

use super::error::Incomplete;
use super::judge::Judge;
use super::known::Known;
use super::manifests::Manifests;
use super::present::Presents;
use crate::Host;
use crate::generation::{Boot, Form, Parts, StoredFile};
use crate::settings::{Images, Settings};

pub use assemble::{Again, Work};
pub(crate) use assemble::{check, context, signing_key};

/// Whose generation, and which one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The profile; none for the system's own.
    pub profile: Option<String>,
    /// The number in it.
    pub number: u64,
}

/// An entry that is to be on the partitions, and what it names.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// What it is called, without a counter.
    pub name: EntryName,
    /// What it holds.
    pub content: Content,
    /// The files that it names.
    pub artifacts: Vec<File>,
    /// The os-release of an image that is made on this machine.
    pub os_release: Option<String>,
}

/// Makes the entries of generations.
pub struct Maker<'a> {
    /// The machine.
    pub host: &'a Host,
    /// The settings of the generation that boots next.
    pub settings: &'a Settings,
    /// What boots next.
    pub next: &'a Identity,
    /// What earlier runs found out.
    pub known: &'a mut Known,
    /// The manifests by which stage 1 verifies systems.
    pub manifests: &'a mut Manifests,
    /// Where images are assembled.
    pub work: &'a mut Work,
    /// Who is told.
    pub progress: &'a dyn Progress,
    /// What the firmware enforces.
    pub judge: Option<&'a Judge>,
    /// The entries of the first partition: what is there was judged when it was put there.
    pub present: &'a Presents,
    /// The machine's identity, which entries of Type #1 hold.
    pub machine_id: Option<String>,
}

impl Maker<'_> {
    /// The entry of a generation or specialisation; none where it is part of another's. `label` is that of the generation.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub fn make(
        &mut self,
        of: &Identity,
        boot: &Boot,
        label: &str,
    ) -> Result<Option<Wanted>, Incomplete> {
        match &boot.form {
            Form::Shared { .. } => self.manifest(of, boot).map(|_| None),
            Form::Sealed { image, .. } => self.sealed(of, boot, image).map(Some),
            Form::Parts(parts) => match self.settings.images {
                Images::Sealed => Err(Incomplete::NotSealed),
                Images::Uki => self.assembled(of, boot, parts).map(Some),
                Images::Kernel if boot.verify.is_some() => Err(Incomplete::VerifiedWithoutImage),
                Images::Kernel => self.text(of, boot, parts, label).map(Some),
            },
        }
    }

    /// A generation's own image, which is copied.
    fn sealed(
        &mut self,
        of: &Identity,
        boot: &Boot,
        image: &StoredFile,
    ) -> Result<Wanted, Incomplete> {
        let missing = |source: io::Error| Incomplete::Missing {
            file: image.path.clone(),
            source,
        };
        let place = self.host.resolve(&image.path).map_err(missing)?;
        let found = std::fs::metadata(&place).map_err(missing)?;
        let changed = || Incomplete::Changed(image.path.clone());
        let sha256 = image.digest().ok_or_else(changed)?;
        if !found.is_file() || found.len() != image.size {
            return Err(changed());
        }
        let content = Content::Copy {
            source: place.clone(),
            size: image.size,
            sha256,
        };
        let mut wanted = wanted(of, boot, EntryKind::Type2, sha256, content, Vec::new())?;
        let manifest = self.manifest(of, boot)?;
        self.check_stub(boot, &place)?;
        self.put_beside(&mut wanted, boot, manifest.as_deref())?;
        match self.judge {
            Some(judge) if self.present.named(&wanted.name).is_none() => {
                judge.entry(&place, &image.path)?;
            }
            _ => (),
        }
        Ok(wanted)
    }

    fn assembled(
        &mut self,
        of: &Identity,
        boot: &Boot,
        parts: &Parts,
    ) -> Result<Wanted, Incomplete> {
        let manifest = self.manifest(of, boot)?;
        let (sha256, content) = self.assemble(boot, parts, manifest.as_deref())?;
        let mut wanted = wanted(of, boot, EntryKind::Type2, sha256, content, Vec::new())?;
        self.put_beside(&mut wanted, boot, manifest.as_deref())?;
        // Only the order of counted entries depends on it.
        let counts = self.settings.boot_counting.is_some();
        let text = counts.then(|| self.os_release(boot).read(&HostFiles, "os-release"));
        Ok(Wanted {
            os_release: text.transpose()?,
            ..wanted
        })
    }

    /// A file of the machine whose content is known.
    fn file(&mut self, path: &Path) -> Result<(StoredFile, [u8; 32]), Incomplete> {
        let missing = |source: io::Error| Incomplete::Missing {
            file: path.to_owned(),
            source,
        };
        let file = self.known.file(self.host, path).map_err(missing)?;
        let digest = file.digest();
        let digest = digest.ok_or_else(|| Incomplete::Changed(path.to_owned()))?;
        Ok((file, digest))
    }
}

fn wanted(
    of: &Identity,
    boot: &Boot,
    kind: EntryKind,
    sha256: [u8; 32],
    content: Content,
    artifacts: Vec<File>,
) -> Result<Wanted, Incomplete> {
    let name = EntryName {
        profile: of.profile.clone(),
        generation: of.number,
        specialisation: boot.specialisation.clone(),
        hash: half(&sha256),
        count: None,
        kind,
    };
    match name.path() {
        Ok(_) => Ok(Wanted {
            name,
            content,
            artifacts,
            os_release: None,
        }),
        Err(error) => Err(Incomplete::Text(error.to_string())),
    }
}

/// What stands for a digest in names.
fn half(sha256: &[u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut()
        .zip(sha256)
        .for_each(|(to, from)| *to = *from);
    half
}
