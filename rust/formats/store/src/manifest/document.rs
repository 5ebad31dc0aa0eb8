//! A manifest read as one document, with errors that name places as JSON has them.

use serde_json::Value;

use super::{ClosureError, DOCUMENT_LIMIT, Entry, LINE_LIMIT, Manifest, VERSIONS, Whole};
use crate::json::{self, JsonError, Object};

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not the JSON that a manifest is.
    #[error("the manifest is malformed: {0}")]
    Json(#[from] JsonError),
    /// A version that this program does not know.
    #[error("the manifest has version {0}; this program reads versions 1 and 2")]
    Version(u64),
    /// The paths are not the toplevel's closure.
    #[error("the manifest's paths are no closure: {0}")]
    Closure(#[from] ClosureError),
    /// Everything is there but not in canonical form.
    #[error(
        "the manifest is not in canonical form from byte {0} on (order, spacing or spelling): write it again with touchstone"
    )]
    NotCanonical(usize),
    /// The document is longer than [`DOCUMENT_LIMIT`].
    #[error("the manifest has {0} bytes; at most {DOCUMENT_LIMIT} are read")]
    TooLarge(usize),
    /// A line is longer than [`LINE_LIMIT`].
    #[error("line {0} of the manifest is longer than {LINE_LIMIT} bytes")]
    TooLong(usize),
}

impl Manifest {
    /// Reads a document. Total: any bytes give a manifest or a named error; what is accepted prints back to the same bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        if bytes.len() > DOCUMENT_LIMIT {
            return Err(ReadError::TooLarge(bytes.len()));
        }
        let manifest = Self::from_value(json::parse(bytes)?)?;
        let canonical = manifest.to_json();
        if canonical.as_bytes() == bytes {
            let mut lines = canonical.lines();
            return match lines.position(|line| line.len() >= LINE_LIMIT) {
                Some(index) => Err(ReadError::TooLong(index + 1)),
                None => Ok(manifest),
            };
        }
        let same = canonical
            .bytes()
            .zip(bytes)
            .take_while(|(left, right)| left == *right)
            .count();
        Err(ReadError::NotCanonical(same))
    }

    fn from_value(document: Value) -> Result<Self, ReadError> {
        let mut document = Object::new("", document)?;
        // First, so that a newer version is named as such and not as a pile of unknown keys.
        let version = document.number("version")?;
        if !VERSIONS.contains(&version) {
            return Err(ReadError::Version(version));
        }
        let [plain, _] = VERSIONS;
        let toplevel = document.parsed("toplevel")?;
        let whole = match version == plain {
            true => None,
            false => Some(whole(&mut document)?),
        };
        let Value::Array(paths) = document.required("paths")? else {
            return Err(document.kind("paths", "a list of objects").into());
        };
        document.close()?;
        let entries = paths
            .into_iter()
            .enumerate()
            .map(|(index, value)| entry(index, value));
        let entries: Vec<Entry> = entries.collect::<Result<_, _>>()?;
        Ok(Self {
            whole,
            ..Self::new(toplevel, entries)?
        })
    }
}

fn whole(document: &mut Object) -> Result<Whole, JsonError> {
    Ok(Whole {
        class: document.parsed("class")?,
        signatures: document.all_parsed("signatures")?.into_iter().collect(),
    })
}

fn entry(index: usize, value: Value) -> Result<Entry, JsonError> {
    let mut object = Object::new(format!("paths[{index}]"), value)?;
    let entry = Entry {
        path: object.parsed("path")?,
        nar_hash: object.parsed("narHash")?,
        nar_size: object.number("narSize")?,
        references: object.all_parsed("references")?.into_iter().collect(),
        ca: object.optional_parsed("ca")?,
        signatures: object.all_parsed("signatures")?.into_iter().collect(),
    };
    object.close()?;
    Ok(entry)
}
