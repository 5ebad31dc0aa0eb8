//! Packages that are unpacked for their files alone, without what they depend on.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Setup, content_key};
use crate::cache;
use crate::debian::{Apt, Package, Suite};
use crate::efi;
use crate::fetch::fetch;
use crate::progress::Stage;
use crate::roots::{self, LAYOUT};
use crate::wanted::{EFI_KERNEL, INTERPRETERS, KERNEL};

/// Packages that are unpacked into one folder, without what they depend on.
pub(super) struct Batch<'a> {
    /// The file that says what was resolved.
    pub(super) record: String,
    pub(super) suite: Suite,
    /// What a person calls them.
    pub(super) title: &'a str,
    /// Before the key in the folder's name.
    pub(super) prefix: &'a str,
    pub(super) unpack: fn(&Path, &[Package], &Path, &Stage) -> Result<()>,
}

impl Setup<'_> {
    /// The interpreters of this suite, without what they need to run.
    pub(super) fn interpreters(&mut self, suite: Suite) -> Result<PathBuf> {
        let mut wish = vec!["interpreters", LAYOUT, suite.name()];
        wish.extend(INTERPRETERS);
        let batch = Batch {
            record: format!("{}-interpreters-{}.json", suite.name(), cache::key(wish)),
            suite,
            title: "interpreters",
            prefix: "interpreters-",
            unpack: roots::unpack,
        };
        self.batch(&batch, |_| Ok(INTERPRETERS.map(str::to_owned).to_vec()))
    }

    /// The PE files of these packages.
    pub(super) fn efi(&mut self, suite: Suite, names: &[&str]) -> Result<PathBuf> {
        let mut wish = vec!["efi", LAYOUT, suite.name()];
        wish.extend(names);
        let batch = Batch {
            record: format!("{}-efi-{}.json", suite.name(), cache::key(wish)),
            suite,
            title: "EFI programs",
            prefix: "efi-",
            unpack: efi::unpack,
        };
        self.batch(&batch, |apt| {
            let behind = |name: &&str| match *name {
                EFI_KERNEL => apt.behind_meta(name, &format!("{KERNEL}-")),
                name => Ok(name.to_owned()),
            };
            names.iter().map(behind).collect()
        })
    }

    pub(super) fn loose(
        &mut self,
        suite: Suite,
        name: &str,
        architecture: &str,
    ) -> Result<PathBuf> {
        let wish = cache::key(["loose", LAYOUT, suite.name(), name, architecture]);
        let batch = Batch {
            record: format!("{}-{name}-{architecture}-{wish}.json", suite.name()),
            suite,
            title: name,
            prefix: "",
            unpack: roots::unpack,
        };
        self.batch(&batch, |apt| {
            if name != KERNEL {
                return Ok(vec![format!("{name}:{architecture}")]);
            }
            let meta = format!("{KERNEL}-cloud-{architecture}:{architecture}");
            let kernel = apt.behind_meta(&meta, &format!("{KERNEL}-"))?;
            Ok(vec![match kernel.contains(':') {
                true => kernel,
                false => format!("{kernel}:{architecture}"),
            }])
        })
    }

    /// Packages without what they depend on, unpacked into one folder.
    pub(super) fn batch(
        &mut self,
        batch: &Batch<'_>,
        names: impl FnOnce(&Apt) -> Result<Vec<String>>,
    ) -> Result<PathBuf> {
        let record = self.cache.folder("resolved")?.join(&batch.record);
        if let Some(folder) = self.known(&record) {
            return Ok(folder);
        }
        let archives = self.archives()?;
        let apt = self.apt(batch.suite)?;
        let wanted = names(apt)?;
        let packages = apt.alone(&wanted)?;
        let title = format!("{} of {}", batch.title, batch.suite.name());
        fetch(&format!("Fetching {title}"), &archives, &packages, || {
            apt.fetch_alone(&wanted)
        })?;
        let folder = self.cache.folder("packages")?.join(format!(
            "{}{}",
            batch.prefix,
            content_key(&packages)
        ));
        cache::complete(&folder, |folder| {
            let stage = Stage::of_steps(format!("Unpacking {title}"), packages.len() as u64);
            (batch.unpack)(&archives, &packages, folder, &stage)?;
            stage.done("ready");
            Ok(())
        })?;
        self.remember(&record, packages, &folder)
    }
}
