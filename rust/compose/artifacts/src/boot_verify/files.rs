//! The files that `boot.json` names, by size and digest; and whether there are others.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use touchstone_bootspec::touchstone::NamedFile;

use super::content::of_file;
use super::document::{DOCUMENT, Documented};
use super::finding::{Report, Rule};
use crate::inspect::DigestPe;
use crate::source;
use crate::{Context, Files};

/// The paths of the files that are as they are named.
pub(super) type Intact<'a> = BTreeSet<&'a str>;

/// Looks at every named file once, and for files that nobody named.
pub(super) fn verify<'a>(
    documented: &'a Documented,
    report: &mut Report,
    context: &Context<'_>,
) -> Intact<'a> {
    let mut named: BTreeMap<&str, &NamedFile> = BTreeMap::new();
    let mut intact = Intact::new();
    for file in documented.touchstone.files() {
        let path = file.path.as_str();
        match named.insert(path, file) {
            Some(other) if other != file => {
                report.otherwise(
                    path,
                    Rule::Document,
                    "it is named twice, with different digests",
                );
            }
            Some(_) => (),
            None if is_as_named(context.files, &documented.folder, file, report) => {
                intact.insert(path);
            }
            None => (),
        }
    }
    for image in documented.touchstone.images() {
        let path = image.file.path.as_str();
        let file = documented.folder.join(path);
        if !intact.contains(path) {
            continue;
        }
        match (DigestPe { file }).run(context) {
            Ok(digest) if digest.sha256 == image.authenticode_sha256.as_str() => (),
            Ok(digest) => {
                let named = image.authenticode_sha256.as_str();
                let fact = format!(
                    "its Authenticode digest is {}, named is {named}",
                    digest.sha256
                );
                report.otherwise(path, Rule::Authenticode, fact);
            }
            Err(error) => report.otherwise(path, Rule::Authenticode, error),
        }
    }
    let names: BTreeSet<&str> = named.keys().copied().collect();
    report.compared(format!("{} files by size and SHA-256", names.len()));
    foreign(context.files, documented, &names, report);
    intact
}

fn is_as_named(files: &dyn Files, folder: &Path, named: &NamedFile, report: &mut Report) -> bool {
    let (path, file) = (named.path.as_str(), folder.join(named.path.as_str()));
    match files.locate(&file).and_then(fs::symlink_metadata) {
        Err(error) => {
            report.otherwise(path, Rule::Present, format!("it is not there: {error}"));
            return false;
        }
        Ok(there) if !there.is_file() => {
            report.otherwise(path, Rule::Present, "it is not a regular file");
            return false;
        }
        Ok(there) if there.len() != named.size => {
            let fact = format!("it has {} bytes, named are {}", there.len(), named.size);
            report.otherwise(path, Rule::Content, fact);
            return false;
        }
        Ok(_) => (),
    }
    match of_file(files, &file).map(|content| content.sha256) {
        Ok(digest) if digest == named.sha256.as_str() => true,
        Ok(digest) => {
            let fact = format!(
                "its SHA-256 is {digest}, named is {}",
                named.sha256.as_str()
            );
            report.otherwise(path, Rule::Content, fact);
            false
        }
        Err(error) => {
            report.otherwise(path, Rule::Content, format!("it cannot be read: {error}"));
            false
        }
    }
}

/// What a sealed generation has beside the named files.
const OF_SEALING: [&str; 1] = ["touchstone/switch.json"];

/// Reports files that nobody named: in the whole folder, or in that of a sealed generation which is Touchstone's own.
fn foreign(
    files: &dyn Files,
    documented: &Documented,
    named: &BTreeSet<&str>,
    report: &mut Report,
) {
    let sealed = documented.touchstone.sealed.is_some();
    let start = if sealed { "touchstone" } else { "" };
    let mut waiting = vec![start.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = match source::entries(files, &documented.folder.join(&folder)) {
            Ok(entries) => entries,
            Err(error) => {
                let file = if folder.is_empty() { "." } else { &folder };
                report.otherwise(file, Rule::Present, format!("it cannot be listed: {error}"));
                continue;
            }
        };
        // From behind, as those that wait are taken from behind.
        for entry in entries.into_iter().rev() {
            let name = entry.name.to_string_lossy().into_owned();
            let path = match folder.as_str() {
                "" => name,
                folder => format!("{folder}/{name}"),
            };
            if entry.kind.is_dir() {
                waiting.push(path);
            } else if path != DOCUMENT
                && !named.contains(path.as_str())
                && !(sealed && OF_SEALING.contains(&path.as_str()))
            {
                report.otherwise(&path, Rule::Foreign, "boot.json does not name it");
            }
        }
    }
}
