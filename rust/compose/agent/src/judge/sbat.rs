//! What `.sbat` must say: the generations of the stub and of the kernel as they are. A lower one would be revoked too early, and a higher
//! one never.

use std::collections::BTreeMap;

use touchstone_pe::Image;
use touchstone_pe::sbat::Metadata;

use super::facts::{Facts, malformed};
use super::refuse::refuse;
use crate::payload::Reader;
use crate::protocol::Refusal;

/// The section.
pub(super) const SBAT: &str = ".sbat";
/// The component of the header line.
const HEADER: &str = "sbat";
/// Longest text of a kernel in bytes.
const LIMIT: u64 = 64 << 10;

/// The lines of an image's `.sbat` but the header's; none without one.
///
/// # Errors
/// [`Refusal`] when shim could not read it.
pub(super) fn lines_of(facts: &Facts<'_>) -> Result<Vec<String>, Refusal> {
    match facts.texts(SBAT).next() {
        None => Ok(Vec::new()),
        Some(bytes) => lines(bytes),
    }
}

/// Sees that an image says what its stub and its kernels say, and what the policy wants.
///
/// # Errors
/// [`Refusal`].
pub(super) fn check(
    facts: &Facts<'_>,
    stub: Option<&[String]>,
    wanted: &BTreeMap<String, u32>,
) -> Result<(), Refusal> {
    let Some(bytes) = facts.texts(SBAT).next() else {
        return Err(wrong("there is none, and shim starts no image without"));
    };
    let own = lines(bytes)?;
    let metadata = Metadata::parse(bytes).map_err(|error| wrong(error.to_string()))?;
    let mut generations: BTreeMap<&str, u32> = BTreeMap::new();
    for component in &metadata.0 {
        let (name, generation) = (component.name.as_str(), component.generation);
        if generations
            .insert(name, generation)
            .is_some_and(|other| other != generation)
        {
            return Err(wrong(format!("`{name}` has two generations")));
        }
    }
    let kernels = kernels(facts)?;
    let theirs = stub.unwrap_or_default().iter().map(|line| (line, "stub"));
    let theirs = theirs.chain(kernels.iter().map(|line| (line, "kernel")));
    for (line, whose) in theirs {
        if !own.contains(line) {
            return Err(wrong(format!(
                "the line `{line}` of the {whose} is missing or was changed"
            )));
        }
    }
    // Of the format itself there is one generation.
    let format = (HEADER.to_owned(), 1);
    let format = Some((&format.0, &format.1)).filter(|_| !wanted.contains_key(HEADER));
    for (name, generation) in wanted.iter().chain(format) {
        match generations.get(name.as_str()) {
            Some(found) if found == generation => {}
            found => {
                let found = found.map_or("none".to_owned(), u32::to_string);
                return Err(wrong(format!(
                    "`{name}` has the generation {found}, and the policy wants {generation}"
                )));
            }
        }
    }
    Ok(())
}

fn lines(bytes: &[u8]) -> Result<Vec<String>, Refusal> {
    Metadata::parse(bytes).map_err(|error| wrong(error.to_string()))?;
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches('\0');
    let others = text.lines().filter(|line| {
        let name = line.split(',').next().unwrap_or_default();
        !line.trim().is_empty() && name != HEADER
    });
    Ok(others.map(str::to_owned).collect())
}

/// The lines of the kernels inside.
fn kernels(facts: &Facts<'_>) -> Result<Vec<String>, Refusal> {
    let sections = facts.sections().iter();
    let kernels = sections.filter(|section| section.name.as_str() == ".linux");
    let mut all = Vec::new();
    for kernel in kernels {
        all.extend(of_kernel(facts.content_of(kernel))?);
    }
    Ok(all)
}

fn of_kernel(mut content: Reader<'_>) -> Result<Vec<String>, Refusal> {
    let image = Image::read(&mut content).map_err(malformed)?;
    let Some(section) = image.section(SBAT) else {
        return Ok(Vec::new());
    };
    lines(
        &image
            .section_bytes(&mut content, section, LIMIT)
            .map_err(malformed)?,
    )
}

fn wrong(what: impl AsRef<str>) -> Refusal {
    let what = format!("the section .sbat: {}", what.as_ref());
    refuse(
        "image.sbat",
        what,
        "leave the lines of stub and kernel as they are, and add your own behind them",
    )
}
