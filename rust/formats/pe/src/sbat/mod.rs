//! SBAT: which generations of which components an image contains. Here texts are merged; what they
//! say is read, and compared with a revocation level, by [`Metadata`] and [`Level`].
//!
//! Source: shim's `SBAT.md`. The merged text is byte-identical to what `ukify` writes, established
//! by comparing outputs of ukify 257 and 262: one header line, then the other lines of each text in
//! order, then a newline. The two differ at the end, and so in a section's `VirtualSize`.

mod level;

pub use level::{Component, Level, Metadata, Revocation};

use crate::uki::Compat;

/// The header line of every merged text.
pub const HEADER: &str =
    "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md";

/// What an image with a kernel gets if its user gives no SBAT.
pub const DEFAULT_UKI: &str =
    "sbat,\nuki,1,UKI,uki,1,https://uapi-group.org/specifications/specs/unified_kernel_image/";

/// What an addon gets if its user gives no SBAT.
pub const DEFAULT_ADDON: &str = "sbat,\nuki-addon,1,UKI Addon,addon,1,\
     https://www.freedesktop.org/software/systemd/man/latest/systemd-stub.html";

/// Why a text is no SBAT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbatError {
    /// No header line: shim would not understand it (and `ukify` would leave it out without an
    /// error).
    #[error("does not begin with a \"sbat,…\" line: put \"{HEADER}\" first")]
    NoHeader,
    /// Neither text nor NUL padding.
    #[error("is not UTF-8 text without control characters")]
    NotText,
    /// A row with too few fields: shim refuses the whole image, or ignores the whole level.
    #[error("has {found} fields in line {line}, not {wanted}")]
    TooFewFields {
        /// Counted from 1.
        line: usize,
        /// How many there must be: 6 in an image, 2 in a level.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// No name, or one with white space.
    #[error("has no component name in line {0}")]
    ComponentName(usize),
    /// A generation that is no positive decimal number: shim would read it as 0.
    #[error("has the generation {text:?} in line {line}: give a number from 1")]
    Generation {
        /// Counted from 1.
        line: usize,
        /// What stands there.
        text: String,
    },
    /// A level whose first line has no day of ten digits.
    #[error("has {0:?} as its date: a level begins with a line such as \"sbat,1,2024010900\"")]
    LevelDate(String),
    /// A level that names a component twice.
    #[error("names the component {0} twice")]
    ComponentTwice(String),
}

/// One SBAT text, its header line checked and set apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entries {
    header: String,
    lines: Vec<String>,
}

impl Entries {
    /// Reads a text or the content of a `.sbat` section, NULs at whose end are padding.
    pub fn parse(bytes: &[u8]) -> Result<Self, SbatError> {
        let end = bytes
            .iter()
            .rposition(|byte| *byte != 0)
            .map_or(0, |last| last + 1);
        let text = std::str::from_utf8(bytes.get(..end).unwrap_or_default())
            .map_err(|_| SbatError::NotText)?;
        let text = text.replace("\r\n", "\n");
        if text
            .chars()
            .any(|letter| letter.is_control() && letter != '\n' && letter != '\t')
        {
            return Err(SbatError::NotText);
        }
        let mut lines = text.lines();
        match lines.next() {
            Some(header) if header.starts_with("sbat,") => Ok(Self {
                header: header.to_owned(),
                lines: lines.map(str::to_owned).collect(),
            }),
            _ => Err(SbatError::NoHeader),
        }
    }
}

/// Merges texts in their order, as `ukify` of that version does.
pub fn merge(texts: &[Entries], compat: Compat) -> Vec<u8> {
    let lines = texts
        .iter()
        .flat_map(|text| text.lines.iter().map(String::as_str));
    let merged = match compat {
        Compat::Ukify257 => format!("{HEADER}\n{}\n\0", lines.collect::<Vec<_>>().join("\n")),
        Compat::Ukify262 => std::iter::once(HEADER)
            .chain(lines)
            .map(|line| format!("{line}\n"))
            .collect(),
    };
    merged.into_bytes()
}
