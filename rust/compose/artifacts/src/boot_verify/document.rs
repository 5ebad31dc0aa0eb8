//! `boot.json`: what should be in the folder, and what each UKI should boot.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::{Image, KEY, NamedFile, ProfileId, Touchstone};
use touchstone_bootspec::{Core, Document, V1, V2};
use touchstone_pe::uki::cmdline_from_words;

use super::finding::{Report, Rule};
pub(super) use crate::bootspec::DOCUMENT;
use crate::bootspec::LIMIT;
use crate::source::read_small;
use crate::{Error, Files};

/// A folder and its document.
pub(super) struct Documented {
    /// The folder.
    pub(super) folder: PathBuf,
    /// What lies there.
    pub(super) touchstone: Touchstone,
    /// The generation.
    pub(super) core: Wanted,
    specialisations: BTreeMap<String, Wanted>,
}

/// What a bootspec says of one generation or specialisation, in either version.
pub(super) struct Wanted {
    pub(super) toplevel: String,
    pub(super) kernel: PathBuf,
    pub(super) initrds: Vec<PathBuf>,
    pub(super) init: String,
    pub(super) command_line: String,
}

/// A UKI with what it should boot.
pub(super) struct Booted<'a> {
    pub(super) image: &'a Image,
    /// The profile that is meant; the image as a whole when there is none.
    pub(super) profile: Option<&'a ProfileId>,
    /// The profiles of the same image that are specialisations, and so boot something else.
    pub(super) others: BTreeSet<&'a str>,
    pub(super) pcrs: Option<&'a NamedFile>,
    pub(super) wanted: &'a Wanted,
}

impl Documented {
    /// Reads the document of a folder; nothing when it is so damaged that no more can be said.
    ///
    /// # Errors
    /// [`Error::Open`] when there is none.
    pub(super) fn read(
        files: &dyn Files,
        folder: &Path,
        report: &mut Report,
    ) -> Result<Option<Self>, Error> {
        let bytes = read_small(
            files,
            "folder of boot artifacts",
            &folder.join(DOCUMENT),
            LIMIT,
        )?;
        let mut refused = |fact: String| report.otherwise(DOCUMENT, Rule::Document, fact);
        let document = match Document::read(&bytes) {
            Ok(document) => document,
            Err(error) => {
                refused(error.to_string());
                return Ok(None);
            }
        };
        let Some(extension) = document.extensions.get(KEY) else {
            refused(format!("it has no `{KEY}`: it names no boot artifacts"));
            return Ok(None);
        };
        let touchstone = match Touchstone::read(extension.to_value()) {
            Ok(touchstone) => touchstone,
            Err(error) => {
                refused(error.to_string());
                return Ok(None);
            }
        };
        let (core, specialisations) = wanted(&document);
        let Some(core) = core else {
            return Ok(None);
        };
        let documented = Documented {
            folder: folder.to_owned(),
            touchstone,
            core,
            specialisations,
        };
        documented.compare_names(report);
        documented.compare_place(files, report);
        Ok(Some(documented))
    }

    /// Every UKI with what it should boot; those that only one side names were reported.
    pub(super) fn booted(&self) -> Vec<Booted<'_>> {
        let uki = &self.touchstone.uki;
        let shared = self.touchstone.specialisations.values();
        let shared = shared.filter(|one| one.uki.file.path == uki.file.path);
        let own = Booted {
            image: uki,
            profile: None,
            others: shared
                .filter_map(|one| Some(one.profile.as_ref()?.as_str()))
                .collect(),
            pcrs: self.touchstone.pcrs.as_ref(),
            wanted: &self.core,
        };
        let inner = self.touchstone.specialisations.iter();
        let inner = inner.filter_map(|(name, one)| {
            Some(Booted {
                image: &one.uki,
                profile: one.profile.as_ref(),
                others: BTreeSet::new(),
                pcrs: one.pcrs.as_ref(),
                wanted: self.specialisations.get(name)?,
            })
        });
        std::iter::once(own).chain(inner).collect()
    }

    fn compare_names(&self, report: &mut Report) {
        let named = &self.touchstone.specialisations;
        for name in named
            .keys()
            .filter(|name| !self.specialisations.contains_key(*name))
        {
            let fact = format!(
                "`{KEY}` names the specialisation {name:?}, and the bootspec has none of that name"
            );
            report.otherwise(DOCUMENT, Rule::Document, fact);
        }
        for name in self
            .specialisations
            .keys()
            .filter(|name| !named.contains_key(*name))
        {
            let fact = format!(
                "the bootspec has the specialisation {name:?}, and `{KEY}` names no UKI for it"
            );
            report.otherwise(DOCUMENT, Rule::Document, fact);
        }
    }

    /// A sealed generation names its own path.
    fn compare_place(&self, files: &dyn Files, report: &mut Report) {
        let Some(sealed) = &self.touchstone.sealed else {
            return;
        };
        let Ok(place) = files.locate(&self.folder).and_then(std::fs::canonicalize) else {
            return;
        };
        if place.starts_with(touchstone_store::STORE_DIR) && place != Path::new(sealed.as_str()) {
            let fact = format!(
                "it is the document of {sealed}, and lies in {}",
                place.display()
            );
            report.otherwise(DOCUMENT, Rule::Document, fact);
        }
    }
}

fn wanted(document: &Document) -> (Option<Wanted>, BTreeMap<String, Wanted>) {
    // Where both are there they agree: `Document::read` refuses others.
    if let Some(v2) = &document.v2 {
        let inner = v2.specialisations.iter();
        let inner = inner.map(|(name, one)| (name.clone(), Wanted::of_v2(&one.core)));
        return (Some(Wanted::of_v2(&v2.core)), inner.collect());
    }
    let Some(v1) = &document.v1 else {
        return (None, BTreeMap::new());
    };
    let inner = v1.specialisations.iter();
    let inner = inner.map(|(name, one)| (name.clone(), Wanted::of_v1(&one.core)));
    (Some(Wanted::of_v1(&v1.core)), inner.collect())
}

impl Wanted {
    fn of_v2(core: &V2) -> Wanted {
        let initrds = core.initrds.iter();
        Wanted {
            toplevel: core.toplevel.to_string(),
            kernel: core.kernel.as_str().into(),
            initrds: initrds.map(|initrd| initrd.as_str().into()).collect(),
            init: core.init.to_string(),
            command_line: cmdline_from_words(&core.command_line()),
        }
    }

    fn of_v1(core: &V1) -> Wanted {
        let initrds = core.initrd.iter();
        Wanted {
            toplevel: core.toplevel.to_string(),
            kernel: core.kernel.as_str().into(),
            initrds: initrds.map(|initrd| initrd.as_str().into()).collect(),
            init: core.init.to_string(),
            command_line: cmdline_from_words(&core.command_line()),
        }
    }
}
