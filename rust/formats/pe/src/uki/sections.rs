//! The sections to add to a stub, in their order.

use super::{DATA, UkiError};
use crate::layout::{Content, NewSection};
use crate::{Image, SectionName};

/// Those that may stand several times in one profile.
const REPEATED: [&str; 2] = [".dtbauto", ".efifw"];

/// The sections to add, in order: those of the UKI itself, then those of joined profiles.
#[derive(Default)]
pub(super) struct Sections<'a>(Vec<NewSection<'a>>);

impl<'a> Sections<'a> {
    /// A text, left out if it is empty.
    pub fn text(&mut self, name: &str, text: Option<String>) -> Result<(), UkiError> {
        self.bytes(name, text.map(String::into_bytes))
    }

    /// Bytes, left out if they are empty.
    pub fn bytes(&mut self, name: &str, bytes: Option<Vec<u8>>) -> Result<(), UkiError> {
        self.content(
            name,
            bytes.filter(|bytes| !bytes.is_empty()).map(Content::bytes),
        )
    }

    pub fn content(&mut self, name: &str, content: Option<Content<'a>>) -> Result<(), UkiError> {
        self.add(name.parse()?, content, DATA)
    }

    pub fn add(
        &mut self,
        name: SectionName,
        content: Option<Content<'a>>,
        characteristics: u32,
    ) -> Result<(), UkiError> {
        let Some(content) = content else {
            return Ok(());
        };
        let taken = self.0.iter().any(|section| section.name == name);
        if taken && !REPEATED.contains(&name.as_str()) {
            return Err(UkiError::DuplicateSection(name));
        }
        self.0.push(NewSection {
            name,
            content,
            characteristics,
        });
        Ok(())
    }

    /// Adds the sections of another profile, behind all of the UKI itself.
    pub fn join(&mut self, profile: Vec<NewSection<'a>>) {
        self.0.extend(profile);
    }

    /// The sections, none of which the stub has for itself: only `.sbat` is merged with the stub's own.
    pub fn for_stub(self, stub: &Image) -> Result<Vec<NewSection<'a>>, UkiError> {
        let mut ours = self.0.iter().map(|section| section.name);
        match ours.find(|name| name.as_str() != ".sbat" && stub.section(name.as_str()).is_some()) {
            Some(name) => Err(UkiError::SectionOfStub(name)),
            None => Ok(self.0),
        }
    }
}
