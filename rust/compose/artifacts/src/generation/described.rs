//! What a folder of boot artifacts says of itself.

use std::path::Path;

use touchstone_bootspec::touchstone::{KEY, Touchstone};
use touchstone_store::json::{self, Object};

use crate::bootspec::{DOCUMENT, LIMIT};
use crate::source::read_small;
use crate::{Error, Files};

/// The extension `org.touchstone.v1` of the `boot.json` in `folder`.
///
/// # Errors
/// [`Error::Open`], and [`Error::Text`] when there is no such extension or it breaks a rule of its own.
pub(crate) fn described(files: &dyn Files, folder: &Path) -> Result<Touchstone, Error> {
    let role = "folder of boot artifacts";
    let file = folder.join(DOCUMENT);
    let bytes = read_small(files, role, &file, LIMIT)?;
    let read = || Touchstone::read(Object::new("", json::parse(&bytes)?)?.required(KEY)?);
    read().map_err(|error| Error::Text {
        role,
        file,
        fact: error.to_string(),
    })
}
