//! Images with a verdict: signed well or badly by five signers, spoiled, forbidden, each with the lists `db` and `dbx` under which
//! it is judged and whether firmware starts it.
//!
//! What is expected stands beside each case and was not computed by what is tested: see `docs/verify.md` for the rules. The lists
//! and digests are written here by hand, keys and chains are OpenSSL's.

mod bytes;
mod lists;
mod make;
mod spoil;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::Root;

pub use bytes::Image;
pub use lists::{Entry, write_list};

/// What makes the images.
#[derive(Debug, Clone)]
pub struct Tools {
    /// The program `touchstone`.
    pub touchstone: PathBuf,
    /// The root with OpenSSL, sbsign, osslsigncode, pesign and systemd-sbsign: Debian 13.
    pub root: Root,
}

/// An image, the lists, and what firmware does.
#[derive(Debug, Clone)]
pub struct Case {
    /// What is special about it, in words of a file name.
    pub name: &'static str,
    /// The image: an EFI application for x86-64 that prints [`SAYS`].
    pub image: PathBuf,
    /// The value of `db`: signature lists; empty when there is no `db`.
    pub db: PathBuf,
    /// The value of `dbx`; none when the variable does not exist.
    pub dbx: Option<PathBuf>,
    /// Whether firmware starts the image.
    pub boots: bool,
    /// The rule of `docs/verify.md` that decides.
    pub rule: &'static str,
    /// The certificate under which verifiers that know no lists judge the image (PEM), where `db` is one certificate and there is no `dbx`.
    pub certificate: Option<PathBuf>,
}

/// What the images print.
pub const SAYS: &str = "Touchstone: this image was started";

/// Makes keys, images and lists in `folder`, which must be empty and of an absolute path.
///
/// # Errors
/// When a tool fails.
pub fn cases(folder: &Path, tools: &Tools) -> Result<Vec<Case>> {
    make::keys(folder, tools)?;
    make::images(folder, tools)?;
    table::cases(folder)
}
