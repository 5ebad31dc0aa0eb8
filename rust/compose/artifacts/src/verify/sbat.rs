//! What a level of SBAT says of an image.

use std::fs::File;
use std::path::Path;

use touchstone_pe::sbat::{Level, Metadata, SbatError};
use touchstone_pe::{Image, ReadError};
use touchstone_sign::firmware::{Reason, Rule};

use crate::source::read_small;
use crate::{Error, Files};

const ROLE: &str = "SBAT level";
/// A level has some hundred bytes, `.sbat` a thousand.
const LIMIT: u64 = 1 << 20;

/// Reads a level: the text, or a variable with the attributes that efivarfs puts first.
///
/// # Errors
/// [`Error::Open`], [`Error::Text`].
pub(super) fn read(files: &dyn Files, path: &Path) -> Result<Level, Error> {
    let bytes = read_small(files, ROLE, path, LIMIT)?;
    let level = match bytes.as_slice() {
        [attributes, 0, 0, 0, text @ ..] if *attributes != 0 => Level::parse(text),
        text => Level::parse(text),
    };
    level.map_err(|error| Error::Text {
        role: ROLE,
        file: path.to_owned(),
        fact: error.to_string(),
    })
}

/// Why shim with this level does not start the image.
///
/// # Errors
/// When the section cannot be read from the file.
pub(super) fn objections(
    file: &mut File,
    image: &Image,
    level: &Level,
) -> Result<Vec<Reason>, ReadError> {
    let section = image
        .section(".sbat")
        .filter(|section| section.virtual_size > 0);
    let Some(section) = section else {
        return Ok(vec![reason(
            Rule::SbatMissing,
            "the image has no section .sbat: shim 15.3 and later starts none without".to_owned(),
        )]);
    };
    let text = match image.section_bytes(file, section, LIMIT) {
        Err(error @ ReadError::SectionTooLarge { .. }) => {
            return Ok(vec![reason(Rule::SbatUnreadable, error.to_string())]);
        }
        text => text?,
    };
    Ok(match Metadata::parse(&text) {
        Ok(metadata) => revoked(level, &metadata),
        Err(error) => vec![unreadable(&error)],
    })
}

fn unreadable(error: &SbatError) -> Reason {
    reason(Rule::SbatUnreadable, format!("the section .sbat {error}"))
}

fn revoked(level: &Level, metadata: &Metadata) -> Vec<Reason> {
    let revocations = level.revoked(metadata).into_iter();
    revocations
        .map(|one| {
            let (component, has, wants) = (one.component, one.generation, one.minimum);
            let why = format!(
                "the SBAT level of {} demands generation {wants} of {component}, the image has {has}",
                level.date
            );
            reason(Rule::SbatRevoked, why)
        })
        .collect()
}

fn reason(rule: Rule, why: String) -> Reason {
    Reason { rule, why }
}
