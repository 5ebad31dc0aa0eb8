//! What several attacks do.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use touchstone_harness::boot::{Content, Machine};

use super::workshop::{Generation, MANIFEST, beside};

/// Writes behind a file's end.
pub fn append(file: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = fs::File::options().append(true).open(file)?;
    Ok(file.write_all(bytes)?)
}

/// The machine with a changed manifest beside its image.
pub fn manifest<'m>(
    mut machine: Machine<'m>,
    generation: &Generation,
    change: impl FnOnce(&str) -> String,
) -> Result<Machine<'m>> {
    let file = &generation.manifest;
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let changed = change(&text);
    ensure!(changed != text, "the manifest is not changed by that");
    machine = machine.without_file(&beside(MANIFEST));
    Ok(machine.file(&beside(MANIFEST), Content::Bytes(changed.into_bytes())))
}

/// A manifest as it is before anybody has signed it: entries without signatures, the whole as well.
pub fn without_signatures(manifest: &str) -> String {
    let mut unsigned = String::new();
    let mut rest = manifest;
    while let Some((before, behind)) = rest.split_once("\"signatures\":[") {
        let end = behind.find(']').unwrap_or_default();
        unsigned.push_str(before);
        unsigned.push_str("\"signatures\":[");
        rest = behind.get(end..).unwrap_or_default();
    }
    unsigned + rest
}
