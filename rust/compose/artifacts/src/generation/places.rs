//! Where the files of a generation go.

use std::collections::BTreeMap;
use std::path::Path;

use touchstone_bootspec::touchstone::Specialisation;
use touchstone_store::StorePath;

/// Where what is made goes, and what is made elsewhere.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    /// The folder of images, predictions and manifest.
    pub(crate) artifacts: &'a Path,
    /// The folder of `boot.json`.
    pub(crate) document: &'a Path,
    /// How the first is named from the second: empty, or a path that ends in a slash.
    pub(crate) prefix: &'static str,
    /// Specialisations whose files lie elsewhere: they are named, not made.
    pub(crate) elsewhere: BTreeMap<String, Specialisation>,
    /// The path of the sealed generation that is made.
    pub(crate) sealed: Option<StorePath>,
}

impl<'a> Places<'a> {
    /// Everything beside `boot.json`.
    pub(crate) fn beside(folder: &'a Path) -> Self {
        Self {
            artifacts: folder,
            document: folder,
            prefix: "",
            elsewhere: BTreeMap::new(),
            sealed: None,
        }
    }
}
