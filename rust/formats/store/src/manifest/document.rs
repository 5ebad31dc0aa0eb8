//! A manifest as a document: canonical JSON, one line a path.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

use super::{ClosureError, ContentAddress, Entry, Manifest, VERSION};
use crate::json::{self, JsonError, Object};
use crate::{NarHash, Signature, StorePath};

/// Why a text is no manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not the JSON that a manifest is.
    #[error("the manifest is malformed: {0}")]
    Json(#[from] JsonError),
    /// A version that this program does not know.
    #[error("the manifest has version {0}; this program reads version {VERSION}")]
    Version(u64),
    /// The paths are not the toplevel's closure.
    #[error("the manifest's paths are no closure: {0}")]
    Closure(#[from] ClosureError),
    /// Everything is there but not in canonical form.
    #[error(
        "the manifest is not in canonical form from byte {0} on (order, spacing or spelling): write it again with touchstone"
    )]
    NotCanonical(usize),
}

/// An entry as it is written: these keys in this order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    path: &'a StorePath,
    nar_hash: &'a NarHash,
    nar_size: u64,
    references: &'a BTreeSet<StorePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: &'a Option<ContentAddress>,
    signatures: Vec<String>,
}

impl Manifest {
    /// The canonical document: the same manifest always gives the same bytes.
    pub fn to_json(&self) -> String {
        let head = format!(
            "{{\"version\":{VERSION},\"toplevel\":\"{}\",\"paths\":[\n",
            self.toplevel()
        );
        let lines: Vec<String> = self.entries().map(line).collect();
        format!("{head}{}\n]}}\n", lines.join(",\n"))
    }

    /// Reads a document. Total: any bytes give a manifest or a named error; what is accepted prints back to the same bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, ReadError> {
        let manifest = Self::from_value(json::parse(bytes)?)?;
        let canonical = manifest.to_json();
        if canonical.as_bytes() == bytes {
            return Ok(manifest);
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
        match document.number("version")? {
            VERSION => {}
            other => return Err(ReadError::Version(other)),
        }
        let toplevel = document.parsed("toplevel")?;
        let Value::Array(paths) = document.required("paths")? else {
            return Err(document.kind("paths", "a list of objects").into());
        };
        document.close()?;
        let entries = paths
            .into_iter()
            .enumerate()
            .map(|(index, value)| entry(index, value));
        Ok(Self::new(
            toplevel,
            entries.collect::<Result<Vec<_>, _>>()?,
        )?)
    }
}

fn line(entry: &Entry) -> String {
    let mut signatures: Vec<String> = entry.signatures.iter().map(Signature::to_string).collect();
    // By their text: that is not the order of (name, bytes).
    signatures.sort_unstable();
    let line = Line {
        path: &entry.path,
        nar_hash: &entry.nar_hash,
        nar_size: entry.nar_size,
        references: &entry.references,
        ca: &entry.ca,
        signatures,
    };
    // Strings and numbers under fixed keys: there is nothing that cannot be written.
    serde_json::to_string(&line).unwrap_or_default()
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
