//! `uki.diff`: what differs between two images, in words.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use touchstone_measure::Bank;

use crate::inspect_uki::{InspectUki, InspectedImage, InspectedSection, SbatLine};
use crate::source::open;
use crate::{Context, Error, Files};

mod bytes;

use bytes::{Part, first_difference};

/// The request of `uki.diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DiffUki {
    /// The image to compare with.
    pub a: PathBuf,
    /// The image that is compared.
    pub b: PathBuf,
}

/// The answer of `uki.diff`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageDifferences {
    /// Whether the files are the same, byte by byte.
    pub equal: bool,
    /// The first byte of the files that differs, from 0; where one is the beginning of the other, the length of the shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<u64>,
    /// What differs; empty when the files are equal.
    pub differences: Vec<Difference>,
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The part of the image: `header`, `section`, `sections`, `sbat`, `signature`, `authenticode`, `pcr11`, `other`.
    pub part: &'static str,
    /// Which one of its kind: a section's or field's name, an SBAT component, a subject, a profile.
    pub name: String,
    /// What happened from `a` to `b`.
    pub change: Change,
    /// What it is in `a`, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<String>,
    /// What it is in `b`, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub b: Option<String>,
    /// The first byte of a section's content that differs, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_difference: Option<u64>,
}

/// What happened to a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Only `b` has it.
    Added,
    /// Only `a` has it.
    Removed,
    /// Both have it, with other content.
    Changed,
    /// Both have it, at other places.
    Moved,
}

impl Difference {
    fn of(part: &'static str, name: &str, a: Option<String>, b: Option<String>) -> Difference {
        let change = match (&a, &b) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        };
        Difference {
            part,
            name: name.to_owned(),
            change,
            a,
            b,
            first_difference: None,
        }
    }
}

impl DiffUki {
    /// Performs the operation.
    ///
    /// # Errors
    /// [`Error::Open`]; [`Error::Pe`] when one of the files is no PE image.
    pub fn run(&self, context: &Context<'_>) -> Result<ImageDifferences, Error> {
        let inspect = |file: &Path| {
            let banks = vec![Bank::Sha256];
            let file = file.to_owned();
            InspectUki { file, banks }.run(context)
        };
        let (a, b) = (inspect(&self.a)?, inspect(&self.b)?);
        context.progress.phase("comparing");
        let whole = |size| Part::stored(0, size);
        let first = self.compare(context.files, whole(a.size), whole(b.size))?;
        let mut differences = Vec::new();
        if let Some(place) = first {
            differences.extend(header(&a, &b));
            differences.extend(self.sections(context.files, &a, &b)?);
            differences.extend(places(&a, &b));
            differences.extend(sbat(&a, &b));
            differences.extend(signatures(&a, &b));
            differences.extend(digests(&a, &b));
            if differences.is_empty() {
                let words = format!("byte {place} of the file, outside of headers and sections");
                let difference = Difference::of("other", "bytes", Some(words.clone()), Some(words));
                differences.push(difference);
            }
        }
        Ok(ImageDifferences {
            equal: first.is_none(),
            first_difference: first,
            differences,
        })
    }

    fn sections(
        &self,
        files: &dyn Files,
        a: &InspectedImage,
        b: &InspectedImage,
    ) -> Result<Vec<Difference>, Error> {
        let (of_a, of_b) = (by_key(a), by_key(b));
        let mut differences = Vec::new();
        for (key, section) in keys(&of_a, &of_b) {
            let name = label(section);
            let (old, new) = (of_a.get(&key).copied(), of_b.get(&key).copied());
            let (Some(old), Some(new)) = (old, new) else {
                let difference = Difference::of("section", &name, old.map(shown), new.map(shown));
                differences.push(difference);
                continue;
            };
            if old.digests != new.digests {
                let difference =
                    Difference::of("section", &name, Some(shown(old)), Some(shown(new)));
                differences.push(Difference {
                    first_difference: self.compare(files, Part::of(old), Part::of(new))?,
                    ..difference
                });
            }
            if old.characteristics != new.characteristics {
                let flags = |section: &InspectedSection| Some(section.flags.join(" "));
                let name = format!("flags of {name}");
                differences.push(Difference::of("section", &name, flags(old), flags(new)));
            }
        }
        Ok(differences)
    }

    fn compare(&self, files: &dyn Files, a: Part, b: Part) -> Result<Option<u64>, Error> {
        let failed = |source| Error::Open {
            role: "image",
            file: self.b.clone(),
            source,
        };
        let (mut of_a, mut of_b) = (
            open(files, "image", &self.a)?,
            open(files, "image", &self.b)?,
        );
        first_difference(&mut of_a, a, &mut of_b, b).map_err(failed)
    }
}

/// A section is the same one when it has the same name in the same profile; the number counts repetitions.
type Key<'a> = (Option<usize>, &'a str, usize);

fn by_key(image: &InspectedImage) -> BTreeMap<Key<'_>, &InspectedSection> {
    let mut repetitions: BTreeMap<(Option<usize>, &str), usize> = BTreeMap::new();
    let mut sections = BTreeMap::new();
    for section in &image.sections {
        let named = (section.profile, section.name.as_str());
        let number = repetitions.entry(named).or_default();
        sections.insert((named.0, named.1, *number), section);
        *number += 1;
    }
    sections
}

/// The keys of both, in the order of their places in memory.
fn keys<'a>(
    a: &BTreeMap<Key<'a>, &'a InspectedSection>,
    b: &BTreeMap<Key<'a>, &'a InspectedSection>,
) -> Vec<(Key<'a>, &'a InspectedSection)> {
    let mut all: BTreeMap<Key<'a>, &'a InspectedSection> = a.clone();
    all.extend(b);
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, section)| section.address);
    all
}

fn label(section: &InspectedSection) -> String {
    let name = section.long_name.as_ref().unwrap_or(&section.name);
    match section.profile {
        Some(profile) if name != ".profile" => format!("{name} of profile {profile}"),
        Some(profile) => format!("{name} {profile}"),
        None => name.clone(),
    }
}

/// Longer texts are not shown in a difference.
const SHORT: usize = 160;

fn shown(section: &InspectedSection) -> String {
    let size = match section.size {
        1 => "1 byte".to_owned(),
        size => format!("{size} bytes"),
    };
    let text = section.text.as_deref();
    match text.filter(|text| text.len() <= SHORT && !text.contains('\n')) {
        Some(text) => format!("{size}: {text}"),
        None => size,
    }
}

/// The header's fields, by their names in the answer of `uki.inspect`.
fn header(a: &InspectedImage, b: &InspectedImage) -> Vec<Difference> {
    let fields = |image: &InspectedImage| match serde_json::to_value(&image.header) {
        Ok(Value::Object(fields)) => fields,
        _ => serde_json::Map::new(),
    };
    let shown = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number
            .as_u64()
            .map_or_else(|| number.to_string(), |number| format!("{number:#x}")),
        other => other.to_string(),
    };
    let of_b = fields(b);
    let fields = fields(a);
    let changed = fields
        .iter()
        .filter_map(|(name, old)| Some((name, old, of_b.get(name)?)))
        .filter(|(_, old, new)| old != new);
    changed
        .map(|(name, old, new)| Difference::of("header", name, Some(shown(old)), Some(shown(new))))
        .collect()
}

/// Sections that both have at other places in memory, and another order of the section table.
fn places(a: &InspectedImage, b: &InspectedImage) -> Vec<Difference> {
    let (of_a, of_b) = (by_key(a), by_key(b));
    let both = keys(&of_a, &of_b);
    let moved: Vec<_> = both
        .iter()
        .filter_map(|(key, _)| Some((of_a.get(key)?, of_b.get(key)?)))
        .filter(|(old, new)| old.address != new.address)
        .collect();
    if moved.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = moved.iter().map(|(old, _)| label(old)).collect();
    let places = |sections: Vec<u32>| -> Option<String> {
        let places: Vec<_> = sections.iter().map(|place| format!("{place:#x}")).collect();
        Some(places.join(" "))
    };
    let old = places(moved.iter().map(|(old, _)| old.address).collect());
    let new = places(moved.iter().map(|(_, new)| new.address).collect());
    vec![Difference {
        change: Change::Moved,
        ..Difference::of("sections", &names.join(" "), old, new)
    }]
}

fn sbat(a: &InspectedImage, b: &InspectedImage) -> Vec<Difference> {
    let lines = |image: &InspectedImage| -> BTreeMap<String, String> {
        let lines = image.sbat.iter();
        let said = |line: &SbatLine| {
            let origin = [&line.vendor, &line.package, &line.version, &line.url];
            let origin: Vec<&str> = origin.into_iter().map(String::as_str).collect();
            format!("{},{}", line.generation, origin.join(","))
        };
        lines
            .map(|line| (line.component.clone(), said(line)))
            .collect()
    };
    named("sbat", &lines(a), &lines(b))
}

fn signatures(a: &InspectedImage, b: &InspectedImage) -> Vec<Difference> {
    let signatures = |image: &InspectedImage| -> BTreeMap<String, String> {
        let numbered = image.signatures.iter().enumerate();
        numbered
            .map(|(number, signature)| {
                let subject = signature
                    .subject
                    .as_deref()
                    .unwrap_or("nobody who is named");
                let verdict = signature.problem.as_deref().unwrap_or("consistent");
                let said = format!("by {subject}, {verdict}, SHA-256 {}", signature.sha256);
                (format!("{}", number + 1), said)
            })
            .collect()
    };
    named("signature", &signatures(a), &signatures(b))
}

/// What follows from the rest, and what people compare with: the Authenticode digest and PCR 11.
fn digests(a: &InspectedImage, b: &InspectedImage) -> Vec<Difference> {
    let none = "none".to_owned();
    let digest = |image: &InspectedImage| {
        let digest = image.authenticode_sha256.clone().unwrap_or(none.clone());
        BTreeMap::from([("SHA-256".to_owned(), digest)])
    };
    let pcr11 = |image: &InspectedImage| -> BTreeMap<String, String> {
        let profiles = image.profiles.iter();
        profiles
            .map(|profile| {
                let values = profile.pcr11.as_ref();
                let value = values.and_then(|banks| banks.get(&Bank::Sha256));
                let value = value.map_or(none.clone(), ToString::to_string);
                (format!("profile {}", profile.number), value)
            })
            .collect()
    };
    let mut differences = named("authenticode", &digest(a), &digest(b));
    differences.extend(named("pcr11", &pcr11(a), &pcr11(b)));
    differences
}

/// What differs between two sets of named things.
fn named(
    part: &'static str,
    a: &BTreeMap<String, String>,
    b: &BTreeMap<String, String>,
) -> Vec<Difference> {
    let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    names
        .into_iter()
        .filter(|name| a.get(*name) != b.get(*name))
        .map(|name| Difference::of(part, name, a.get(name).cloned(), b.get(name).cloned()))
        .collect()
}
