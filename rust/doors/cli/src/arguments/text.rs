//! Texts on the command line, given as they are or by the name of a file.

use std::str::FromStr;

use touchstone_artifacts::source::{Text, TextFile};

/// `TEXT` or `@FILE`.
#[derive(Clone)]
pub struct TextArgument(pub Text);

impl FromStr for TextArgument {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(match text.strip_prefix('@') {
            Some(file) => Text::File(TextFile { file: file.into() }),
            None => Text::Inline(text.to_owned()),
        }))
    }
}

/// `NAME:TEXT` or `NAME:@FILE`.
#[derive(Clone)]
pub struct SectionArgument {
    pub name: String,
    pub text: Text,
}

impl FromStr for SectionArgument {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, text) = text
            .split_once(':')
            .ok_or("a section is given as NAME:TEXT or NAME:@FILE")?;
        let Ok(TextArgument(text)) = text.parse();
        Ok(Self {
            name: name.to_owned(),
            text,
        })
    }
}
