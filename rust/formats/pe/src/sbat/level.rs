//! What an image's SBAT says, and whether a level revokes it.
//!
//! Source: shim's `SBAT.md`: an image is refused when one of its components has a lower generation
//! than the level demands of a component of that name. Levels act only through shim (and, in a
//! chain with it, through its protocol): whoever reports a revocation says so.

use super::{Entries, SbatError};

/// A row of an image's `.sbat`: the generation of one component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its name, such as `systemd-stub` or `grub.debian`.
    pub name: String,
    /// Grows with each security fix.
    pub generation: u32,
    /// Who made it.
    pub vendor: String,
    /// The vendor's name of the package.
    pub package: String,
    /// Of which version.
    pub version: String,
    /// Where to find the vendor.
    pub url: String,
}

/// The components of an image, `sbat` itself first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata(pub Vec<Component>);

/// A revocation level, as the variable `SbatLevelRT` holds it: which generation of which component
/// is the lowest that shim starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// The day of the level as ten digits, `2024010900`: shim replaces a level only by a later one.
    pub date: String,
    /// Name and lowest generation, `sbat` itself first.
    pub minimums: Vec<(String, u32)>,
}

/// A component that a level revokes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocation {
    /// Its name.
    pub component: String,
    /// Its generation in the image.
    pub generation: u32,
    /// The lowest generation that the level lets start.
    pub minimum: u32,
}

const FIELDS: usize = 6;
const DATE_DIGITS: usize = 10;

impl Metadata {
    /// Reads a text or the content of a `.sbat` section. Strict: shim starts no image of whose
    /// `.sbat` a row is short. Empty lines are left out; more than six fields are allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, SbatError> {
        rows(bytes)?
            .into_iter()
            .map(|(line, fields)| component(line, &fields))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The first component of this name.
    pub fn component(&self, name: &str) -> Option<&Component> {
        self.0.iter().find(|component| component.name == name)
    }
}

fn component(line: usize, fields: &[String]) -> Result<Component, SbatError> {
    let found = fields.len();
    let [name, generation, vendor, package, version, url, ..] = fields else {
        return Err(SbatError::TooFewFields {
            line,
            wanted: FIELDS,
            found,
        });
    };
    Ok(Component {
        name: component_name(line, name)?,
        generation: generation_of(line, generation)?,
        vendor: vendor.clone(),
        package: package.clone(),
        version: version.clone(),
        url: url.clone(),
    })
}

impl Level {
    /// Reads a level: `sbat,1,2024010900`, then a line `component,generation` for each component.
    /// NULs at the end are padding.
    pub fn parse(bytes: &[u8]) -> Result<Self, SbatError> {
        let rows = rows(bytes)?;
        let date = match rows.first().map(|(_, fields)| fields.as_slice()) {
            Some([_, _, date, ..]) => date.clone(),
            _ => String::new(),
        };
        if date.len() != DATE_DIGITS || !date.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(SbatError::LevelDate(date));
        }
        let minimums = rows
            .iter()
            .map(|(line, fields)| minimum(*line, fields))
            .collect::<Result<Vec<_>, _>>()?;
        for (index, (name, _)) in minimums.iter().enumerate() {
            if minimums
                .iter()
                .take(index)
                .any(|(before, _)| before == name)
            {
                return Err(SbatError::ComponentTwice(name.clone()));
            }
        }
        Ok(Self { date, minimums })
    }

    /// Every component of `image` that this level revokes; empty if shim would start the image.
    pub fn revoked(&self, image: &Metadata) -> Vec<Revocation> {
        let components = image.0.iter();
        components
            .filter_map(|component| {
                let mut minimums = self.minimums.iter();
                let (_, minimum) = minimums.find(|(name, _)| *name == component.name)?;
                (component.generation < *minimum).then(|| Revocation {
                    component: component.name.clone(),
                    generation: component.generation,
                    minimum: *minimum,
                })
            })
            .collect()
    }

    /// Whether shim would replace `other` by this level: it is of a later day.
    pub fn is_later_than(&self, other: &Self) -> bool {
        self.date > other.date
    }

    /// Whether this level revokes everything that `other` revokes.
    pub fn covers(&self, other: &Self) -> bool {
        other.minimums.iter().all(|(name, minimum)| {
            let mut ours = self.minimums.iter();
            *minimum == 0 || ours.any(|(our, generation)| our == name && generation >= minimum)
        })
    }
}

fn minimum(line: usize, fields: &[String]) -> Result<(String, u32), SbatError> {
    let [name, generation, ..] = fields else {
        return Err(SbatError::TooFewFields {
            line,
            wanted: 2,
            found: fields.len(),
        });
    };
    Ok((
        component_name(line, name)?,
        generation_of(line, generation)?,
    ))
}

/// The fields of each line that is not empty, with its number from 1; the first is the header.
fn rows(bytes: &[u8]) -> Result<Vec<(usize, Vec<String>)>, SbatError> {
    let entries = Entries::parse(bytes)?;
    let lines = std::iter::once(&entries.header).chain(&entries.lines);
    let rows = lines
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    Ok(rows
        .map(|(index, line)| (index + 1, line.split(',').map(str::to_owned).collect()))
        .collect())
}

fn component_name(line: usize, name: &str) -> Result<String, SbatError> {
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(SbatError::ComponentName(line));
    }
    Ok(name.to_owned())
}

fn generation_of(line: usize, text: &str) -> Result<u32, SbatError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(generation) if digits && generation > 0 => Ok(generation),
        _ => Err(SbatError::Generation {
            line,
            text: text.to_owned(),
        }),
    }
}
