//! The canonical document: the same manifest always gives the same bytes.

use std::fmt::{Display, Write};

use sha2::{Digest, Sha256};

use super::{Class, Entry, Manifest, VERSIONS};
use crate::{Signature, StorePath};

impl Manifest {
    /// The canonical document.
    pub fn to_json(&self) -> String {
        let lines: Vec<String> = self.entries().map(|entry| line(entry, true)).collect();
        let mut text = head(self.toplevel(), self.class());
        text.push_str(&lines.join(",\n"));
        text.push_str("\n]");
        if let Some(whole) = self.whole() {
            text.push_str(",\"signatures\":");
            list(&mut text, sorted(whole.signatures.iter()));
        }
        text.push_str("}\n");
        text
    }

    /// What signatures over the whole manifest bind beside toplevel and class, see [`whole_text`](super::whole_text).
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        hasher.update(head(self.toplevel(), self.class()));
        let mut between = "";
        for entry in self.entries() {
            hasher.update(between);
            hasher.update(line(entry, false));
            between = ",\n";
        }
        hasher.update("\n");
        hasher.finalize().into()
    }
}

fn head(toplevel: &StorePath, class: Option<&Class>) -> String {
    let [plain, with_class] = VERSIONS;
    match class {
        None => format!("{{\"version\":{plain},\"toplevel\":\"{toplevel}\",\"paths\":[\n"),
        Some(class) => format!(
            "{{\"version\":{with_class},\"toplevel\":\"{toplevel}\",\"class\":\"{class}\",\"paths\":[\n"
        ),
    }
}

/// An entry on its line, with its signatures or without any.
fn line(entry: &Entry, signed: bool) -> String {
    let mut text = String::new();
    text.push_str("{\"path\":");
    string(&mut text, &entry.path);
    text.push_str(",\"narHash\":");
    string(&mut text, entry.nar_hash);
    // Writing to a string does not fail.
    let _ = write!(text, ",\"narSize\":{},\"references\":", entry.nar_size);
    list(&mut text, &entry.references);
    if let Some(ca) = &entry.ca {
        text.push_str(",\"ca\":");
        string(&mut text, ca);
    }
    text.push_str(",\"signatures\":");
    match signed {
        true => list(&mut text, sorted(entry.signatures.iter())),
        false => text.push_str("[]"),
    }
    text.push('}');
    text
}

/// Signatures by their text: that is not the order of (name, bytes).
fn sorted<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Vec<String> {
    let mut texts: Vec<String> = signatures.map(Signature::to_string).collect();
    texts.sort_unstable();
    texts
}

fn list<T: Display>(text: &mut String, items: impl IntoIterator<Item = T>) {
    text.push('[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        string(text, item);
    }
    text.push(']');
}

/// A string of printable ASCII: nothing but quotes and backslashes has to be escaped.
fn string(text: &mut String, value: impl Display) {
    text.push('"');
    for character in value.to_string().chars() {
        if matches!(character, '"' | '\\') {
            text.push('\\');
        }
        text.push(character);
    }
    text.push('"');
}
