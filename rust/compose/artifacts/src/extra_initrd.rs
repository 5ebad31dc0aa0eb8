//! The extra initrd: what an image tells the stage 1 that lies in it (docs/boot-artifacts.md, docs/stage1.md).
//!
//! A small archive behind the other initrds of an image, signed and measured with them. It names the command lines of the image, and with them
//! the toplevel that is to be verified: a toplevel cannot be named in its own initrd, which it depends on. The manifest may lie there, too.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::layout::Content;
use touchstone_store::{Manifest, StorePath};

use crate::Error;
use crate::cpio::{self, Archive};
use crate::input::Input;
use crate::manifest;

/// Where the command lines lie in the initrd.
pub const COMMAND_LINES: &str = ".touchstone/command-lines";
/// Likewise the manifest.
pub const MANIFEST: &str = ".touchstone/manifest";

/// The kernel keeps this many bytes of a command line (`COMMAND_LINE_SIZE` of x86 and arm64, without the NUL).
const LINE_LIMIT: usize = 2047;
/// The kernel reads no parameters behind this word; what the machine appends could start something else than the initrd's `/init`.
pub const LAST: &str = "--";
/// Everybody may read what everybody can read in the image.
const PERMISSIONS: u32 = 0o444;

/// What the initrd in an image verifies the system by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Verification {
    /// The signed manifest of the toplevel that the image boots, to be carried in it; it lies elsewhere when null.
    pub manifest: Option<PathBuf>,
}

impl Verification {
    /// The initrd of an image with these command lines: its pieces, each to be padded to four bytes.
    ///
    /// # Errors
    /// [`Error::Request`] when a command line names no toplevel, or not the manifest's; [`Error::Open`] and [`Error::Manifest`].
    pub(crate) fn initrd(&self, command_lines: &[String]) -> Result<Vec<Content<'static>>, Error> {
        let file = self.manifest.as_deref();
        let listed = file.map(|file| Ok((file, manifest::read(file)?)));
        let listed: Option<(&Path, Manifest)> = listed.transpose()?;
        let mut text = String::new();
        for line in command_lines {
            let line = signed_line(line)?;
            let booted = toplevel(line)?;
            if let Some((file, listed)) = &listed {
                is_of(file, listed, &booted)?;
            }
            text.push_str(line);
            text.push('\n');
        }
        self.archive(text.as_bytes())
    }

    fn archive(&self, command_lines: &[u8]) -> Result<Vec<Content<'static>>, Error> {
        let mut pieces = Vec::new();
        let mut archive = Archive::default();
        let names = [COMMAND_LINES].into_iter();
        let names = names.chain(self.manifest.iter().map(|_| MANIFEST));
        for member in cpio::sorted(names) {
            match (member.path, &self.manifest) {
                (COMMAND_LINES, _) => archive.file(COMMAND_LINES, PERMISSIONS, command_lines),
                (MANIFEST, Some(file)) => {
                    let input = Input::open(ROLE, file)?;
                    archive.begin_file(MANIFEST, PERMISSIONS, short(file, input.len())?);
                    pieces.push(Content::bytes(archive.take()));
                    pieces.push(Content::reader(input.len(), Box::new(input)));
                }
                (folder, _) => archive.folder(folder),
            }
        }
        pieces.push(Content::bytes(archive.finish()));
        Ok(pieces)
    }
}

/// What the manifest is called in messages.
const ROLE: &str = "manifest";

/// A manifest's length, which is no longer than a manifest may be.
fn short(file: &Path, length: u64) -> Result<u32, Error> {
    let fits = u32::try_from(length).ok();
    fits.filter(|_| length <= manifest::MANIFEST_LIMIT)
        .ok_or_else(|| Error::Text {
            role: ROLE,
            file: file.to_owned(),
            fact: format!("it is larger than {} bytes", manifest::MANIFEST_LIMIT),
        })
}

/// A command line as the kernel will have it.
fn signed_line(text: &str) -> Result<&str, Error> {
    let line = text.trim_matches(|c: char| c <= ' ' || c == '\u{7f}');
    let refused = |fact: String, help| Err(Error::Request { fact, help });
    if let Some(other) = line.chars().find(|c| c.is_control() || c.len_utf16() != 1) {
        return refused(
            format!(
                "the command line {line:?} has the character {other:?}, which the stub changes"
            ),
            "take it out of the kernel parameters",
        );
    }
    if line.len() > LINE_LIMIT {
        return refused(
            format!(
                "a command line has {} bytes, and the kernel keeps {LINE_LIMIT}: what is cut off cannot be verified",
                line.len()
            ),
            "name fewer kernel parameters",
        );
    }
    if line.rsplit(' ').next() != Some(LAST) {
        return refused(
            format!(
                "the command line `{line}` does not end with the word `{LAST}`, behind which the kernel reads no parameters: `rdinit=` could be appended on the machine"
            ),
            "put the kernel parameter `--` behind all others, as the module boot.initrd.verify does",
        );
    }
    Ok(line)
}

/// Kernel parameters with more of them, in front of a last [`LAST`]: behind it they would be none.
pub fn with_more(parameters: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    let last = parameters.pop_if(|last| last == LAST);
    parameters.extend(more);
    parameters.extend(last);
}

/// The toplevel that a command line names.
fn toplevel(line: &str) -> Result<StorePath, Error> {
    let refused = |fact: String| Error::Request {
        fact,
        help: "stage 1 verifies the one system that `init=` names: write init=/nix/store/<hash>-<name>/init, once",
    };
    let mut named = line
        .split(' ')
        .filter_map(|word| word.strip_prefix("init="));
    let (Some(init), None) = (named.next(), named.next()) else {
        return Err(refused(format!(
            "the command line `{line}` does not name `init=` exactly once"
        )));
    };
    let toplevel = init.strip_suffix("/init").map(StorePath::parse);
    match toplevel {
        Some(Ok(toplevel)) => Ok(toplevel),
        _ => Err(refused(format!(
            "the command line names `init={init}`, which is not the program `init` of a store path"
        ))),
    }
}

/// Sees that the manifest is that of the system that is booted.
fn is_of(file: &Path, listed: &Manifest, booted: &StorePath) -> Result<(), Error> {
    if listed.toplevel() == booted {
        return Ok(());
    }
    Err(Error::Request {
        fact: format!(
            "the manifest {} is that of {}, and the image boots {booted}",
            file.display(),
            listed.toplevel()
        ),
        help: "give each image the manifest of its own system; with shared specialisations it has to lie elsewhere than in the image",
    })
}
