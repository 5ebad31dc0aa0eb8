//! What is known by name beside the predictions that a log is compared with.

use std::collections::BTreeMap;

use crate::bank::Digest;
use crate::boot_path::Uki;
use crate::hash::Digests;
use crate::predict::Prediction;
use crate::utf16;

/// Digests with names, and signature lists: from files, and from other predictions.
#[derive(Clone, Debug, Default)]
pub struct Known {
    names: BTreeMap<Digest, String>,
    lists: Vec<Vec<u8>>,
}

impl Known {
    /// Knows a digest by this name, such as `systemd-boot 257.9-1`; the first name counts.
    pub fn add(&mut self, digest: Digest, name: impl Into<String>) {
        self.names.entry(digest).or_insert_with(|| name.into());
    }

    /// Knows every measurement of a prediction by its reason.
    pub fn add_prediction(&mut self, prediction: &Prediction) {
        for leaf in &prediction.leaves {
            for measurement in &leaf.measurements {
                self.add(measurement.digest, measurement.why.clone());
            }
        }
    }

    /// Knows what the stub of a UKI and the kernel in it measure, by this name of the UKI: the kernel's image, the sections, and
    /// the command line.
    pub fn add_uki(&mut self, name: &str, uki: &Uki) {
        for digest in uki.kernel.iter().flat_map(Digests::iter) {
            self.add(digest, format!("the kernel inside {name}"));
        }
        for section in uki.measured.sections() {
            for digest in section.digests.iter() {
                self.add(digest, format!("the section {} of {name}", section.name));
            }
        }
        let release = uki.measured.stub().release;
        let section = uki.measured.text(".cmdline").unwrap_or_default();
        if let Ok(line) = utf16::command_line(release, section) {
            for bank in uki.measured.banks() {
                let digest = bank.hash(&utf16::with_nul(&line));
                self.add(digest, format!("the command line of {name}: {line:?}"));
            }
        }
    }

    /// Knows a signature list: content of PK, KEK, db or dbx without authentication header.
    pub fn add_list(&mut self, content: Vec<u8>) {
        self.lists.push(content);
    }

    /// The name of a digest.
    pub(super) fn name(&self, digest: &Digest) -> Option<&str> {
        self.names.get(digest).map(String::as_str)
    }

    /// The list that makes this digest when it is a variable's content. The variable is taken from `logged`, the data of the
    /// event that was measured in its place.
    pub(super) fn content(&self, digest: &Digest, logged: &[u8]) -> Option<&[u8]> {
        let vendor = logged.get(..16)?;
        let characters = logged.get(16..24)?;
        let count = usize::try_from(u64::from_le_bytes(characters.try_into().ok()?)).ok()?;
        let name = logged.get(32..)?.get(..count.checked_mul(2)?)?;
        // A variable may have been predicted as absent.
        let lists = self.lists.iter().map(Vec::as_slice).chain([&[][..]]);
        lists.into_iter().find(|content| {
            let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
            let data = [vendor, characters, &length.to_le_bytes(), name, content].concat();
            digest.bank().hash(&data) == *digest
        })
    }
}
