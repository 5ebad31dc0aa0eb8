//! A UKI's sections beside what its generation's bootspec names.

use std::fs::File;
use std::path::{Path, PathBuf};

use touchstone_bootspec::touchstone::{Image as NamedImage, Profile};
use touchstone_measure::profile_sections;
use touchstone_pe::{Image, Section};
use touchstone_store::Manifest;

use super::content::{joined, kernel, of_section, padded, split};
use super::document::{Booted, Documented, Wanted};
use super::finding::{Report, Rule};
use crate::Files;
use crate::content::Content;
use crate::extra_initrd::{self, Carried};
use crate::manifest::MANIFEST_LIMIT;
use crate::source::open_image;

/// Looks at the UKI of the generation or of a specialisation.
pub(super) fn verify(
    files: &dyn Files,
    documented: &Documented,
    booted: &Booted<'_>,
    report: &mut Report,
) {
    let name = booted.image.file.path.as_str();
    let path = documented.folder.join(name);
    let (file, image) = match open_image(files, "UKI", &path) {
        Ok(opened) => opened,
        Err(error) => return report.otherwise(name, Rule::Kernel, error),
    };
    let mut uki = Opened {
        files,
        name,
        file,
        image,
        report,
    };
    let profiles = uki.profiles();
    uki.compare_profiles(booted.image, &profiles);
    let chosen = match booted.profile {
        None => 0,
        Some(id) => profiles
            .iter()
            .position(|one| one.id == id.as_str())
            .unwrap_or(profiles.len()),
    };
    match profiles.get(chosen) {
        Some(profile) => uki.compare_boot(booted, profile),
        None => uki.otherwise(Rule::Profiles, "it lacks the profile that boot.json names"),
    }
    for profile in &profiles {
        uki.compare_init(booted, profile);
    }
    report.compared(format!(
        "{name}: kernel, initrds, command line and os-release of {}",
        booted.wanted.toplevel
    ));
}

/// A profile, or the image as a whole when it has none.
struct Found {
    id: String,
    title: String,
    /// The places of the sections it boots with.
    sections: Vec<usize>,
}

struct Opened<'a> {
    files: &'a dyn Files,
    name: &'a str,
    file: File,
    image: Image,
    report: &'a mut Report,
}

/// Texts in a UKI are small.
const TEXT_LIMIT: u64 = 1 << 20;

impl Opened<'_> {
    fn otherwise(&mut self, rule: Rule, fact: impl ToString) {
        self.report.otherwise(self.name, rule, fact);
    }

    /// The section of this name that a profile boots with.
    fn section(&self, profile: &Found, name: &str) -> Option<Section> {
        let places = profile.sections.iter();
        let mut sections = places.filter_map(|place| self.image.sections().get(*place));
        sections
            .find(|section| section.name.as_str() == name)
            .cloned()
    }

    fn text(&mut self, section: &Section) -> Result<Vec<u8>, String> {
        let read = self
            .image
            .section_bytes(&mut self.file, section, TEXT_LIMIT);
        read.map_err(|error| error.to_string())
    }

    fn profiles(&mut self) -> Vec<Found> {
        let all = profile_sections(self.image.sections());
        let mut found = Vec::new();
        for sections in all {
            let mut profile = Found {
                id: String::new(),
                title: String::new(),
                sections,
            };
            if let Some(section) = self.section(&profile, ".profile") {
                let text = self.text(&section).unwrap_or_default();
                let text = String::from_utf8_lossy(&text).into_owned();
                profile.id = field(&text, "ID");
                profile.title = field(&text, "TITLE");
            }
            found.push(profile);
        }
        found
    }

    fn compare_profiles(&mut self, named: &NamedImage, found: &[Found]) {
        let divided = found.iter().any(|profile| !profile.id.is_empty());
        let there: Vec<(&str, &str)> = match divided {
            true => found
                .iter()
                .map(|one| (one.id.as_str(), one.title.as_str()))
                .collect(),
            false => Vec::new(),
        };
        let name = |one: &Profile| {
            let title = one.title.as_ref().map(|title| title.as_str().to_owned());
            (one.id.as_str().to_owned(), title.unwrap_or_default())
        };
        let named: Vec<(String, String)> = named.profiles.iter().map(name).collect();
        let same = there.len() == named.len()
            && there
                .iter()
                .zip(&named)
                .all(|(one, other)| *one == (other.0.as_str(), other.1.as_str()));
        if !same {
            let fact = format!("its profiles are {there:?}, boot.json names {named:?}");
            self.otherwise(Rule::Profiles, fact);
        }
    }

    /// What the chosen profile boots.
    fn compare_boot(&mut self, booted: &Booted<'_>, profile: &Found) {
        let wanted = booted.wanted;
        let made_of = [wanted.kernel.clone()];
        self.compare_files(
            Rule::Kernel,
            profile,
            ".linux",
            (&made_of, kernel(self.files, &wanted.kernel)),
        );
        let command_line = match self.is_verified(wanted, profile) {
            Ok(true) => extra_initrd::ended(wanted.command_line.clone()),
            Ok(false) => {
                let made_of = wanted.initrds.as_slice();
                self.compare_files(
                    Rule::Initrd,
                    profile,
                    ".initrd",
                    (made_of, joined(self.files, made_of)),
                );
                wanted.command_line.clone()
            }
            Err(error) => return self.otherwise(Rule::Initrd, error),
        };
        let found = self.section(profile, ".cmdline");
        match found.map(|section| self.text(&section)) {
            Some(Ok(text)) if text == command_line.as_bytes() => (),
            Some(Ok(text)) => {
                let fact = format!(
                    "its command line is {:?}, the bootspec's is {command_line:?}",
                    String::from_utf8_lossy(&text),
                );
                self.otherwise(Rule::CommandLine, fact);
            }
            Some(Err(error)) => self.otherwise(Rule::CommandLine, error),
            None => self.otherwise(Rule::CommandLine, "it has no command line"),
        }
        self.compare_os_release(profile, &wanted.toplevel);
    }

    /// Whether the initrds are followed by the one that names what stage 1 verifies: these command lines, and a manifest of this toplevel.
    fn is_verified(&mut self, wanted: &Wanted, profile: &Found) -> Result<bool, String> {
        let Some(section) = self.section(profile, ".initrd") else {
            return Ok(false);
        };
        let initrds = padded(self.files, &wanted.initrds)?;
        let found = split(&mut self.file, &section, initrds.size, MANIFEST_LIMIT);
        let found = found.map_err(|error| format!("its .initrd cannot be read: {error}"))?;
        let Some((_, extra)) = found.filter(|(begin, _)| *begin == initrds) else {
            return Ok(false);
        };
        match extra_initrd::carried(&extra, &self.command_lines()?) {
            None => Ok(false),
            Some(Carried::CommandLines) => Ok(true),
            Some(Carried::Manifest(manifest)) => {
                let manifest = Manifest::read(manifest).map_err(|error| error.to_string())?;
                let of = manifest.toplevel();
                match of.as_str() == wanted.toplevel {
                    true => Ok(true),
                    false => Err(format!("it carries the manifest of {of}")),
                }
            }
        }
    }

    /// Those of all profiles, in their order.
    fn command_lines(&mut self) -> Result<Vec<String>, String> {
        let sections = self.image.sections().iter();
        let lines = sections.filter(|section| section.name.as_str() == ".cmdline");
        let lines: Vec<Section> = lines.cloned().collect();
        let text = |section: &Section| {
            String::from_utf8(self.text(section)?).map_err(|error| error.to_string())
        };
        lines.iter().map(text).collect()
    }

    /// Every profile starts the system of its generation, whatever else it is told.
    fn compare_init(&mut self, booted: &Booted<'_>, profile: &Found) {
        let alone = booted.profile.is_some() || booted.image.profiles.is_empty();
        if alone || booted.others.contains(profile.id.as_str()) {
            return;
        }
        let Some(section) = self.section(profile, ".cmdline") else {
            return;
        };
        let text = self.text(&section).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let mut inits = text
            .split_whitespace()
            .filter_map(|word| word.strip_prefix("init="));
        let init = (inits.next(), inits.next());
        if init != (Some(booted.wanted.init.as_str()), None) {
            let fact = format!(
                "the command line of its profile {:?} is {text:?}, and does not start {}",
                profile.id, booted.wanted.init
            );
            self.otherwise(Rule::CommandLine, fact);
        }
    }

    /// A section that is made of files in the store, and would have this content.
    fn compare_files(
        &mut self,
        rule: Rule,
        profile: &Found,
        name: &str,
        (files, expected): (&[PathBuf], Result<Content, String>),
    ) {
        let expected = match expected {
            Ok(expected) => expected,
            Err(error) => return self.otherwise(rule, error),
        };
        let found = match self.section(profile, name) {
            Some(section) => of_section(&mut self.file, &section),
            None => Ok(Content::default()),
        };
        match found {
            Ok(found) if found == expected => (),
            Ok(found) => {
                let paths: Vec<String> = files
                    .iter()
                    .map(|file| file.display().to_string())
                    .collect();
                let fact = format!(
                    "its {name} has {} bytes, SHA-256 {}; {} would have {} bytes, SHA-256 {}",
                    found.size,
                    found.sha256,
                    if paths.is_empty() {
                        "none".to_owned()
                    } else {
                        paths.join(" + ")
                    },
                    expected.size,
                    expected.sha256
                );
                self.otherwise(rule, fact);
            }
            Err(error) => self.otherwise(rule, format!("its {name} cannot be read: {error}")),
        }
    }

    fn compare_os_release(&mut self, profile: &Found, toplevel: &str) {
        let path = Path::new(toplevel).join("etc/os-release");
        let expected = match self.files.locate(&path).and_then(std::fs::read) {
            Ok(expected) => expected,
            Err(error) => {
                let note = format!("{}: {error}: os-release was not compared", path.display());
                return self.report.note(note);
            }
        };
        let found = self.section(profile, ".osrel");
        match found.map(|section| self.text(&section)) {
            Some(Ok(text)) if text == expected => (),
            Some(Err(error)) => self.otherwise(Rule::OsRelease, error),
            _ => {
                let fact = format!("its os-release is not {}", path.display());
                self.otherwise(Rule::OsRelease, fact);
            }
        }
    }
}

/// A field of a `.profile` text, which is written like os-release.
fn field(text: &str, key: &str) -> String {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    line.unwrap_or_default()
        .trim_matches(['"', '\''])
        .to_owned()
}
