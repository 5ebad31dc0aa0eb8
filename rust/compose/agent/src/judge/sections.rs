//! Which sections an image has, beside those that are judged one by one.

use std::collections::BTreeSet;

use touchstone_pe::Section;

use super::facts::Facts;
use super::known::{KnownSections, Stubs};
use super::refuse::refuse;
use super::stub;
use crate::protocol::Refusal;

/// Those that may stand several times in one profile: the machine chooses among them.
const REPEATED: [&str; 2] = [".dtbauto", ".efifw"];
/// Texts of which nothing depends but what a person reads; one that the policy constrains is held against that.
const TEXTS: [&str; 2] = [".osrel", ".uname"];

/// The stub that an image is made of, by its place among those that are known.
///
/// # Errors
/// [`Refusal`] when it is none of them.
pub(super) fn stub_of<'a>(
    facts: &Facts<'_>,
    stubs: &'a Stubs,
) -> Result<Option<&'a [String]>, Refusal> {
    let digest = stub::digest(facts);
    match digest.and_then(|digest| stubs.get(&digest)) {
        Some(lines) => Ok(lines.as_deref()),
        None => {
            let digest = digest.map(|digest| data_encoding::HEXLOWER.encode(&digest));
            let what = format!(
                "the image is made of a stub that the policy does not name (its digest is {})",
                digest.unwrap_or_default()
            );
            Err(refuse(
                "image.stub",
                what,
                "build the image with a stub that `stub` of the policy names, or name this one, if you know where it comes from",
            ))
        }
    }
}

/// Sees that the sections behind the stub's are those that an image has, and that the policy knows their content.
///
/// # Errors
/// [`Refusal`].
pub(super) fn check(
    facts: &Facts<'_>,
    judged: &[&str],
    known: &KnownSections,
) -> Result<(), Refusal> {
    for section in facts
        .sections()
        .get(stub::sections(facts)..)
        .unwrap_or_default()
    {
        let name = section.name.as_str();
        match known.get(name) {
            Some(None) => {}
            Some(Some(digests)) => content(facts, section, digests)?,
            None if judged.contains(&name) || TEXTS.contains(&name) => {}
            None => {
                return Err(refuse(
                    "image.section",
                    format!("the image has a section {name}, of which the policy says nothing"),
                    "name it in `sections` of the policy with what it may hold, or leave it out",
                ));
            }
        }
    }
    texts(facts)
}

fn content(
    facts: &Facts<'_>,
    section: &Section,
    digests: &BTreeSet<[u8; 32]>,
) -> Result<(), Refusal> {
    match facts
        .content(section)
        .is_some_and(|digest| digests.contains(&digest))
    {
        true => Ok(()),
        false => Err(refuse(
            "image.section",
            format!(
                "the section {} holds something else than the policy names",
                section.name
            ),
            "name this content in `sections` of the policy, or use what it names",
        )),
    }
}

/// What a person reads is a text.
fn texts(facts: &Facts<'_>) -> Result<(), Refusal> {
    for name in TEXTS.iter().chain(&[".profile"]) {
        for text in facts.texts(name) {
            let text = std::str::from_utf8(text).unwrap_or("\0");
            if text
                .chars()
                .any(|character| character.is_control() && !matches!(character, '\n' | '\t'))
            {
                return Err(refuse(
                    "image.section",
                    format!(
                        "the section {name} is no text: menus and logs would show something else"
                    ),
                    "write it without control characters",
                ));
            }
        }
    }
    Ok(())
}

/// Sees that no section is twice in one profile, and that every one is of some profile.
///
/// # Errors
/// [`Refusal`].
pub(super) fn profiles(facts: &Facts<'_>, profiles: &[Vec<usize>]) -> Result<(), Refusal> {
    let mut used = BTreeSet::new();
    for profile in profiles {
        let mut seen = BTreeSet::new();
        for index in profile {
            used.insert(*index);
            let name = facts
                .section(*index)
                .map(|section| section.name.as_str())
                .unwrap_or_default();
            if !seen.insert(name) && !REPEATED.contains(&name) {
                return Err(refuse(
                    "image.section",
                    format!(
                        "the section {name} is there more than once for one profile: which of them counts, not everybody knows"
                    ),
                    "leave one of them",
                ));
            }
        }
    }
    match (0..facts.sections().len()).find(|index| !used.contains(index)) {
        None => Ok(()),
        Some(index) => {
            let name = facts.section(index).map(|section| section.name.to_string());
            Err(refuse(
                "image.section",
                format!(
                    "a section {} is replaced by every profile: nobody should need it",
                    name.unwrap_or_default()
                ),
                "leave it out",
            ))
        }
    }
}
