//! `.narinfo` files: what a binary cache says of one path. The registry of valid paths keeps the same form, without the archive's place.
//!
//! Source: Nix manual, "Binary Cache" and `nar-info.cc` of Nix 2.26 (behaviour).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::path::{STORE_DIR, shown};
use crate::{ContentAddress, Entry, NarHash, Signature, StorePath};

/// Longest text that is read, in bytes: some 10 000 references.
pub const LIMIT: usize = 1 << 20;

/// What is known of one path: its entry, who built it, and where its archive lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NarInfo {
    /// Path, NAR hash and size, references, content address and signatures.
    pub entry: Entry,
    /// The derivation that built it, where that is known. No signature covers it.
    pub deriver: Option<StorePath>,
    /// Where a binary cache holds the NAR. No signature covers it.
    pub archive: Option<Archive>,
}

/// Where a binary cache holds a path's NAR.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// The file, relative to the cache's folder: no empty, `.` or `..` component, no scheme.
    pub url: String,
    /// How it is compressed.
    pub compression: Compression,
    /// SHA-256 of the file, as it is compressed.
    pub file_hash: Option<NarHash>,
    /// Length of the file in bytes.
    pub file_size: Option<u64>,
}

/// How a NAR is compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// As an XZ file: what Nix does unless it is told otherwise.
    Xz,
    /// As Zstandard frames.
    Zstd,
    /// In a way that this program does not read.
    Other(String),
}

impl Compression {
    /// The name in a `.narinfo`.
    pub fn name(&self) -> &str {
        match self {
            Self::None => "none",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Other(name) => name,
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "none" => Self::None,
            "xz" => Self::Xz,
            "zstd" => Self::Zstd,
            other => Self::Other(other.to_owned()),
        }
    }
}

/// Why a text is no `.narinfo`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NarInfoError {
    /// Longer than [`LIMIT`].
    #[error("it is longer than {LIMIT} bytes, which no .narinfo is")]
    TooLong,
    /// Not UTF-8.
    #[error("it is not text")]
    NotText,
    /// A line is no `Key: value`, or the last one does not end.
    #[error("line {0} is not `Key: value` with a line feed after it")]
    Line(usize),
    /// A key that only one line may have comes twice, or a reference or signature does.
    #[error("`{0}` comes twice")]
    Twice(String),
    /// A key that is not known: it could change what the others mean.
    #[error("the key `{}` is not known", shown(.0))]
    Unknown(String),
    /// A key that every path has is missing.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A value is wrong.
    #[error("`{key}` is wrong: {why}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with its value.
        why: String,
    },
}

impl From<Entry> for NarInfo {
    /// Nothing is known beside the entry.
    fn from(entry: Entry) -> Self {
        Self {
            entry,
            deriver: None,
            archive: None,
        }
    }
}

impl NarInfo {
    /// What is kept of it where there are no archives: in a registry, and in the index of a stream.
    #[must_use]
    pub fn registered(&self) -> Self {
        Self {
            entry: self.entry.clone(),
            deriver: self.deriver.clone(),
            archive: None,
        }
    }

    /// Reads the bytes of a file. Total: any bytes give an entry or a named error.
    pub fn read(bytes: &[u8]) -> Result<Self, NarInfoError> {
        if bytes.len() > LIMIT {
            return Err(NarInfoError::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| NarInfoError::NotText)?;
        let mut lines = Lines::default();
        if !text.ends_with('\n') {
            return Err(NarInfoError::Line(text.lines().count()));
        }
        for (index, line) in text.split_terminator('\n').enumerate() {
            let pair = line.split_once(": ");
            let (key, value) = pair.ok_or(NarInfoError::Line(index + 1))?;
            lines.add(key, value)?;
        }
        lines.finish()
    }
}

impl FromStr for NarInfo {
    type Err = NarInfoError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::read(text.as_bytes())
    }
}

/// The canonical text, in Nix' order: the same value always gives the same bytes.
impl fmt::Display for NarInfo {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = &self.entry;
        writeln!(out, "StorePath: {}", entry.path)?;
        if let Some(archive) = &self.archive {
            write!(out, "{archive}")?;
        }
        writeln!(out, "NarHash: {}", entry.nar_hash.to_base32())?;
        writeln!(out, "NarSize: {}", entry.nar_size)?;
        let references = entry.references.iter().map(StorePath::base_name);
        let references: Vec<&str> = references.collect();
        writeln!(out, "References: {}", references.join(" "))?;
        if let Some(deriver) = &self.deriver {
            writeln!(out, "Deriver: {}", deriver.base_name())?;
        }
        // By their text, as Nix has them: that is not the order of (name, bytes).
        let signatures = entry.signatures.iter().map(Signature::to_string);
        for signature in signatures.collect::<BTreeSet<_>>() {
            writeln!(out, "Sig: {signature}")?;
        }
        if let Some(ca) = &entry.ca {
            writeln!(out, "CA: {ca}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Archive {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "URL: {}", self.url)?;
        writeln!(out, "Compression: {}", self.compression.name())?;
        if let Some(hash) = &self.file_hash {
            writeln!(out, "FileHash: {}", hash.to_base32())?;
        }
        if let Some(size) = self.file_size {
            writeln!(out, "FileSize: {size}")?;
        }
        Ok(())
    }
}

/// The lines of a text, as far as they were read.
#[derive(Default)]
struct Lines {
    path: Option<StorePath>,
    url: Option<String>,
    compression: Option<Compression>,
    file_hash: Option<NarHash>,
    file_size: Option<u64>,
    nar_hash: Option<NarHash>,
    nar_size: Option<u64>,
    references: Option<BTreeSet<StorePath>>,
    /// The outer one: whether there was a line. Old caches write `unknown-deriver`.
    deriver: Option<Option<StorePath>>,
    system: Option<()>,
    signatures: BTreeSet<Signature>,
    ca: Option<ContentAddress>,
}

impl Lines {
    fn add(&mut self, key: &str, value: &str) -> Result<(), NarInfoError> {
        match key {
            "StorePath" => once(&mut self.path, "StorePath", parsed("StorePath", value)),
            "URL" => once(&mut self.url, "URL", url(value)),
            "Compression" => once(&mut self.compression, "Compression", compression(value)),
            "FileHash" => once(&mut self.file_hash, "FileHash", parsed("FileHash", value)),
            "FileSize" => once(&mut self.file_size, "FileSize", size("FileSize", value)),
            "NarHash" => once(&mut self.nar_hash, "NarHash", parsed("NarHash", value)),
            "NarSize" => once(&mut self.nar_size, "NarSize", size("NarSize", value)),
            "References" => once(&mut self.references, "References", references(value)),
            "Deriver" => once(&mut self.deriver, "Deriver", deriver(value)),
            // What caches wrote once; Nix ignores it.
            "System" => once(&mut self.system, "System", Ok(())),
            "Sig" => {
                let new = self.signatures.insert(parsed("Sig", value)?);
                new.then_some(())
                    .ok_or_else(|| NarInfoError::Twice("Sig".to_owned()))
            }
            "CA" => once(&mut self.ca, "CA", parsed("CA", value)),
            other => Err(NarInfoError::Unknown(other.to_owned())),
        }
    }

    fn finish(self) -> Result<NarInfo, NarInfoError> {
        let archive = self.archive()?;
        let entry = Entry {
            path: self.path.ok_or(NarInfoError::Missing("StorePath"))?,
            nar_hash: self.nar_hash.ok_or(NarInfoError::Missing("NarHash"))?,
            nar_size: self.nar_size.ok_or(NarInfoError::Missing("NarSize"))?,
            references: self.references.unwrap_or_default(),
            ca: self.ca,
            signatures: self.signatures,
        };
        Ok(NarInfo {
            entry,
            deriver: self.deriver.flatten(),
            archive,
        })
    }

    fn archive(&self) -> Result<Option<Archive>, NarInfoError> {
        let told =
            self.compression.is_some() || self.file_hash.is_some() || self.file_size.is_some();
        match (&self.url, told) {
            (None, false) => Ok(None),
            (None, true) => Err(NarInfoError::Missing("URL")),
            (Some(url), _) => Ok(Some(Archive {
                url: url.clone(),
                // Nix' rule for the caches of its first years.
                compression: self
                    .compression
                    .clone()
                    .unwrap_or_else(|| Compression::Other("bzip2".to_owned())),
                file_hash: self.file_hash,
                file_size: self.file_size,
            })),
        }
    }
}

fn once<T>(
    slot: &mut Option<T>,
    key: &'static str,
    value: Result<T, NarInfoError>,
) -> Result<(), NarInfoError> {
    match slot.replace(value?) {
        None => Ok(()),
        Some(_) => Err(NarInfoError::Twice(key.to_owned())),
    }
}

fn wrong(key: &'static str, why: impl fmt::Display) -> NarInfoError {
    NarInfoError::Value {
        key,
        why: why.to_string(),
    }
}

fn parsed<T: FromStr<Err: fmt::Display>>(
    key: &'static str,
    value: &str,
) -> Result<T, NarInfoError> {
    value.parse().map_err(|error: T::Err| wrong(key, error))
}

/// A number of bytes, greater than 0, in its one spelling.
fn size(key: &'static str, value: &str) -> Result<u64, NarInfoError> {
    let number: Option<u64> = value.parse().ok();
    number
        .filter(|number| *number > 0 && number.to_string() == value)
        .ok_or_else(|| wrong(key, format!("`{}` is no number of bytes", shown(value))))
}

fn based(key: &'static str, base_name: &str) -> Result<StorePath, NarInfoError> {
    parsed(key, &format!("{STORE_DIR}/{base_name}"))
}

fn references(value: &str) -> Result<BTreeSet<StorePath>, NarInfoError> {
    let mut references = BTreeSet::new();
    for base_name in value.split(' ').filter(|name| !name.is_empty()) {
        if !references.insert(based("References", base_name)?) {
            return Err(NarInfoError::Twice(base_name.to_owned()));
        }
    }
    Ok(references)
}

fn deriver(value: &str) -> Result<Option<StorePath>, NarInfoError> {
    match value {
        "unknown-deriver" => Ok(None),
        _ => based("Deriver", value).map(Some),
    }
}

fn url(value: &str) -> Result<String, NarInfoError> {
    let plain = |component: &str| {
        !matches!(component, "" | "." | "..")
            && component
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b":\\%?#".contains(&byte))
    };
    if value.len() <= 1024 && value.split('/').all(plain) {
        return Ok(value.to_owned());
    }
    Err(wrong(
        "URL",
        format!(
            "`{}` is no file below the cache's folder, such as nar/….nar.xz",
            shown(value)
        ),
    ))
}

fn compression(value: &str) -> Result<Compression, NarInfoError> {
    let name = (1..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic());
    match name {
        true => Ok(Compression::of(value)),
        false => Err(wrong("Compression", "it is no name such as xz")),
    }
}
