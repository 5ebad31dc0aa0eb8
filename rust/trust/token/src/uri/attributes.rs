//! The attributes of a URI, as they are written.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use super::UriError;

/// The characters that stand for themselves everywhere (RFC 7512 section 2.3: `unreserved` and `pk11-res-avail`), beside letters
/// and digits.
pub(super) const PLAIN: &str = "-._~:[]@!$'()*+,=";

/// One of the two parts of a URI.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Path,
    Query,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
        }
    }

    fn separator(self) -> char {
        match self {
            Self::Path => ';',
            Self::Query => '&',
        }
    }

    /// The characters that stand for themselves here alone.
    pub(super) fn plain(self) -> &'static str {
        match self {
            Self::Path => "&",
            Self::Query => "/?|",
        }
    }
}

/// An attribute, its value still encoded.
pub(super) struct Attribute<'a> {
    pub(super) name: &'a str,
    value: &'a str,
    part: Part,
}

/// The attributes of a part: none of them twice, each with a name and `=`.
pub(super) fn split(text: &str, part: Part) -> Result<Vec<Attribute<'_>>, UriError> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut names = BTreeSet::new();
    let mut attributes = Vec::new();
    for (index, text) in text.split(part.separator()).enumerate() {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| is_name(name))
            .ok_or(UriError::NotAnAttribute {
                part: part.name(),
                place: index.saturating_add(1),
            })?;
        if !names.insert(name) {
            return Err(UriError::Twice(name.to_owned()));
        }
        attributes.push(Attribute { name, value, part });
    }
    Ok(attributes)
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

impl Attribute<'_> {
    pub(super) fn unknown(&self) -> UriError {
        UriError::Unknown {
            part: self.part.name(),
            name: self.name.to_owned(),
        }
    }

    /// The value, decoded.
    pub(super) fn bytes(&self) -> Result<Vec<u8>, UriError> {
        let mut characters = self.value.chars();
        while let Some(character) = characters.next() {
            if character == '%' {
                let digits = [characters.next(), characters.next()];
                if !digits
                    .iter()
                    .all(|digit| digit.is_some_and(|digit| digit.is_ascii_hexdigit()))
                {
                    return Err(UriError::Percent(self.name.to_owned()));
                }
            } else if !self.allows(character) {
                return Err(self.character(character));
            }
        }
        Ok(percent_decode_str(self.value).collect())
    }

    fn allows(&self, character: char) -> bool {
        character.is_ascii_alphanumeric()
            || PLAIN.contains(character)
            || self.part.plain().contains(character)
    }

    fn character(&self, character: char) -> UriError {
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).bytes();
        UriError::Character {
            name: self.name.to_owned(),
            character,
            encoded: bytes.map(|byte| format!("%{byte:02X}")).collect(),
        }
    }

    pub(super) fn text(&self) -> Result<String, UriError> {
        String::from_utf8(self.bytes()?).map_err(|_| UriError::NotText(self.name.to_owned()))
    }

    pub(super) fn number(&self) -> Result<u64, UriError> {
        self.digits(&self.text()?)
    }

    /// `major` or `major.minor`.
    pub(super) fn version(&self) -> Result<(u8, u8), UriError> {
        let text = self.text()?;
        let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
        Ok((self.digits(major)?, self.digits(minor)?))
    }

    fn digits<N: std::str::FromStr>(&self, text: &str) -> Result<N, UriError> {
        // `parse` alone would take a sign too.
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse()
            .ok()
            .filter(|_| digits)
            .ok_or_else(|| UriError::Number(self.name.to_owned()))
    }

    pub(super) fn absolute_path(&self) -> Result<PathBuf, UriError> {
        self.absolute(self.bytes()?)
    }

    /// An absolute path or a `file:` URI of this machine (RFC 8089); a program is refused.
    pub(super) fn pin_source(&self) -> Result<PathBuf, UriError> {
        let value = self.bytes()?;
        if value.first() == Some(&b'|') {
            return Err(UriError::PinCommand);
        }
        let Some(rest) = value.strip_prefix(b"file:") else {
            return self.absolute(value);
        };
        let path = match rest.strip_prefix(b"//") {
            Some(after) => after.strip_prefix(b"localhost").unwrap_or(after),
            None => rest,
        };
        self.absolute(percent_encoding::percent_decode(path).collect())
    }

    fn absolute(&self, path: Vec<u8>) -> Result<PathBuf, UriError> {
        let path = PathBuf::from(OsString::from_vec(path));
        if path.is_absolute() {
            Ok(path)
        } else {
            Err(UriError::NotAbsolute(self.name.to_owned()))
        }
    }

    pub(super) fn file_name(&self) -> Result<String, UriError> {
        let name = self.text()?;
        if name.is_empty() || name.contains('/') {
            Err(UriError::ModuleName)
        } else {
            Ok(name)
        }
    }
}
