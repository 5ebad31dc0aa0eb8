//! What a verified generation has beside its image.

use std::fs::File as OpenFile;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use touchstone_esp::{Content, EspPath, File};
use touchstone_pe::Image;
use touchstone_pe::uki::stub_version;
use touchstone_store::manifest::CREDENTIAL;

use super::{Identity, Incomplete, Maker, Wanted};
use crate::generation::{Boot, Form};
use crate::settings::Carrier;

/// How the name of the folder beside an image ends whose credentials the stub hands to the initrd.
const BESIDE: &str = ".extra.d";
/// From this release on, the stub looks for the folder under the image's name without a boot counter
/// (<https://github.com/systemd/systemd/pull/29636>).
const UNCOUNTED: u32 = 255;

impl Maker<'_> {
    /// The file of the manifest by which stage 1 verifies what is booted. None where it verifies nothing, or where a sealed image carries the
    /// manifest already.
    ///
    /// # Errors
    /// [`Incomplete`].
    pub(super) fn manifest(
        &mut self,
        of: &Identity,
        boot: &Boot,
    ) -> Result<Option<PathBuf>, Incomplete> {
        let Some(verify) = &boot.verify else {
            return Ok(None);
        };
        if verify.carrier == Carrier::Image && matches!(boot.form, Form::Sealed { .. }) {
            return Ok(None);
        }
        let next = of == self.next;
        let found = self.manifests.of(boot, verify, next, self.progress)?;
        Ok(Some(found))
    }

    /// Sees that the stub will find a manifest that lies beside the image. `stub` is the image, or the stub that it is made of.
    ///
    /// # Errors
    /// [`Incomplete::CountedManifest`], [`Incomplete::Missing`].
    pub(super) fn check_stub(&self, boot: &Boot, stub: &Path) -> Result<(), Incomplete> {
        match lies_beside(boot) && self.settings.boot_counting.is_some() {
            true => finds_uncounted(stub),
            false => Ok(()),
        }
    }

    /// Puts the manifest beside the image, where it is to lie there.
    ///
    /// # Errors
    /// [`Incomplete::Missing`], [`Incomplete::Text`].
    pub(super) fn put_beside(
        &self,
        wanted: &mut Wanted,
        boot: &Boot,
        manifest: Option<&Path>,
    ) -> Result<(), Incomplete> {
        let Some(manifest) = manifest.filter(|_| lies_beside(boot)) else {
            return Ok(());
        };
        let text = |error: touchstone_esp::PathError| Incomplete::Text(error.to_string());
        let image = wanted.name.path().map_err(text)?;
        let path = EspPath::parse(&format!("{image}{BESIDE}/{CREDENTIAL}")).map_err(text)?;
        let content = std::fs::read(manifest).map_err(|source| Incomplete::Missing {
            file: manifest.to_owned(),
            source,
        })?;
        wanted.artifacts.push(File {
            path,
            content: Content::Copy {
                source: manifest.to_owned(),
                size: content.len() as u64,
                sha256: Sha256::digest(&content).into(),
            },
        });
        Ok(())
    }
}

fn lies_beside(boot: &Boot) -> bool {
    let verify = boot.verify.as_ref();
    verify.is_some_and(|verify| verify.carrier == Carrier::Esp)
}

/// Sees that the stub finds what lies beside an image with a boot counter.
fn finds_uncounted(stub: &Path) -> Result<(), Incomplete> {
    let missing = |source| Incomplete::Missing {
        file: stub.to_owned(),
        source,
    };
    let mut file = OpenFile::open(stub).map_err(missing)?;
    let version = Image::read(&mut file).and_then(|image| stub_version(&image, &mut file));
    let version = version.ok().flatten().unwrap_or_default();
    let major = version.split(|c: char| !c.is_ascii_digit()).next();
    let major = major.and_then(|major| major.parse::<u32>().ok());
    match major.is_some_and(|major| major >= UNCOUNTED) {
        true => Ok(()),
        false => Err(Incomplete::CountedManifest { stub: version }),
    }
}
