//! The extra initrd: what an image tells the stage 1 that lies in it (docs/boot-artifacts.md, docs/stage1.md).
//!
//! A small archive behind the other initrds of an image, signed and measured with them. It names the command lines of the image, and with them
//! the toplevel that is to be verified: a toplevel cannot be named in its own initrd, which it depends on. The manifest may lie there, too.

mod quotes;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_pe::layout::Content;
use touchstone_store::manifest::IN_IMAGE;
use touchstone_store::{Manifest, StorePath};

use crate::cpio::Archive;
use crate::input::Input;
use crate::manifest;
use crate::{Error, Files};

/// The folder of both files.
const FOLDER: &str = ".touchstone";
/// Where the command lines lie in the initrd.
pub const COMMAND_LINES: &str = ".touchstone/command-lines";

/// The kernel keeps this many bytes of a command line (`COMMAND_LINE_SIZE` of x86 and arm64, without the NUL).
const LINE_LIMIT: usize = 2047;
/// The kernel reads no parameters behind this word; what the machine appends could start something else than the initrd's `/init`.
pub const LAST: &str = "--";
/// Without this word, stage 1 resumes a hibernated system before it verifies anything.
const NO_RESUME: &str = "noresume";
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
    pub(crate) fn initrd(
        &self,
        files: &dyn Files,
        command_lines: &[String],
    ) -> Result<Vec<Content<'static>>, Error> {
        let lines = command_lines.iter().map(|line| signed_line(line));
        let lines = lines.collect::<Result<Vec<_>, Error>>()?;
        let Some(file) = &self.manifest else {
            return Ok(vec![Content::bytes(archive(&text(&lines)))]);
        };
        let listed = manifest::read(files, file)?;
        for line in &lines {
            is_of(file, &listed, &toplevel(line)?)?;
        }
        let input = Input::open(files, ROLE, file)?;
        let (before, behind) = around_manifest(&text(&lines), short(file, input.len())?);
        let content = Content::reader(input.len(), Box::new(input));
        Ok(vec![
            Content::bytes(before),
            content,
            Content::bytes(behind),
        ])
    }
}

/// What an extra initrd carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carried<'b> {
    /// The command lines alone.
    CommandLines,
    /// And a manifest: its bytes, which were not looked at.
    Manifest(&'b [u8]),
}

/// What the archive carries, if it is, byte for byte, the one of an image with these command lines.
pub(crate) fn carried<'b>(bytes: &'b [u8], command_lines: &[String]) -> Option<Carried<'b>> {
    let lines = command_lines.iter().map(|line| signed_line(line).ok());
    let text = text(&lines.collect::<Option<Vec<_>>>()?);
    if bytes == archive(&text) {
        return Some(Carried::CommandLines);
    }
    let (before, behind) = around_manifest(&text, 0);
    let room = bytes.len().checked_sub(before.len() + behind.len())?;
    // The length stands in front of the manifest; up to three zeros stand behind it.
    let mut lengths = room.saturating_sub(3)..=room;
    lengths.find_map(|length| {
        let (before, behind) = around_manifest(&text, u32::try_from(length).ok()?);
        let rest = bytes.strip_prefix(before.as_slice())?;
        let (content, rest) = rest.split_at_checked(length)?;
        let padding = rest.strip_suffix(behind.as_slice())?;
        let zeros = padding.len() < 4 && padding.iter().all(|byte| *byte == 0);
        zeros.then_some(Carried::Manifest(content))
    })
}

/// Whether bytes are the extra initrd of an image with these command lines, with a manifest or without one.
pub fn is_extra_initrd(bytes: &[u8], command_lines: &[String]) -> bool {
    carried(bytes, command_lines).is_some()
}

/// One a line.
fn text(lines: &[&str]) -> String {
    lines.iter().flat_map(|line| [*line, "\n"]).collect()
}

/// The archive without a manifest.
fn archive(command_lines: &str) -> Vec<u8> {
    begun(command_lines).finish()
}

/// What stands before and behind the manifest in an archive with one.
fn around_manifest(command_lines: &str, length: u32) -> (Vec<u8>, Vec<u8>) {
    let mut archive = begun(command_lines);
    archive.begin_file(IN_IMAGE, PERMISSIONS, length);
    (archive.take(), archive.finish())
}

fn begun(command_lines: &str) -> Archive {
    let mut archive = Archive::default();
    archive.folder(FOLDER);
    archive.file(COMMAND_LINES, PERMISSIONS, command_lines.as_bytes());
    archive
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
    if let Some(other) = line.chars().find(|c| !matches!(c, ' '..='~')) {
        return refused(
            format!(
                "the command line {line:?} has the character {other:?}, and stage 1 takes printable ASCII alone"
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
            "put the word `--` behind all others",
        );
    }
    if !has_no_resume(line) {
        return refused(
            format!(
                "the command line `{line}` lacks the word `{NO_RESUME}`: stage 1 would resume a hibernated system in the place of the one that it verifies"
            ),
            "add the kernel parameter `noresume`, as the module boot.initrd.verify does",
        );
    }
    toplevel(line)?;
    alike(line).map(|()| line)
}

/// Sees that the kernel, systemd and programs that know no quotes read the same in a line, as stage 1 will.
fn alike(line: &str) -> Result<(), Error> {
    let refused = |fact: String, help| Err(Error::Request { fact, help });
    if quotes::bare(line).any(|word| word.starts_with("rdinit=")) {
        return refused(
            format!(
                "the command line `{line}` has `rdinit=`, by which the kernel starts another program than stage 1"
            ),
            "take it out of the kernel parameters",
        );
    }
    let Some(outside) = quotes::outside(line) else {
        return refused(
            format!(
                "the command line `{line}` has a quote that is not closed, within which the words behind it are none for some who read it"
            ),
            "close it, or take it out of the kernel parameters",
        );
    };
    let inits = |line: &str| {
        let words = line.split(' ').filter(|word| word.starts_with("init="));
        words.map(str::to_owned).collect::<Vec<_>>()
    };
    let bare: Vec<String> = quotes::bare(line).collect();
    let same = |seen: &String| inits(seen) == inits(line) && has_no_resume(seen);
    if inits(&bare.join(" ")) != inits(line) || !outside.iter().all(same) {
        return refused(
            format!(
                "the command line `{line}` has `init=` or `{NO_RESUME}` in quotes, which not everybody who reads it understands alike"
            ),
            "write these words without quotes, and none of them within the quotes of another",
        );
    }
    Ok(())
}

/// Whether a command line has a quote that is not closed, for some who read it.
pub fn leaves_a_quote_open(line: &str) -> bool {
    quotes::outside(line).is_none()
}

fn has_no_resume(line: &str) -> bool {
    line.split(' ').any(|word| word == NO_RESUME)
}

/// Kernel parameters with more of them, in front of a last [`LAST`]: behind it they would be none.
pub fn with_more(parameters: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    let last = parameters.pop_if(|last| last == LAST);
    parameters.extend(more);
    parameters.extend(last);
}

/// A command line that ends with [`LAST`].
pub fn ended(line: String) -> String {
    match line.rsplit(' ').next() == Some(LAST) {
        true => line,
        false => format!("{line} {LAST}"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        "init=/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-system/init quiet noresume --";

    fn with_manifest(manifest: &[u8]) -> Vec<u8> {
        let length = manifest.len().try_into().unwrap();
        let (mut bytes, behind) = around_manifest(&text(&[LINE]), length);
        bytes.extend(manifest);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes.extend(behind);
        bytes
    }

    #[test]
    fn what_is_carried_is_found_again() {
        let lines = [LINE.to_owned()];
        let alone = archive(&text(&[LINE]));
        assert_eq!(carried(&alone, &lines), Some(Carried::CommandLines));
        for manifest in ["", "a", "ab", "abc", "abcd", "abcde", "a\0\0"] {
            let bytes = with_manifest(manifest.as_bytes());
            let found = carried(&bytes, &lines);
            assert_eq!(found, Some(Carried::Manifest(manifest.as_bytes())));
        }
    }

    #[test]
    fn another_archive_is_none() {
        let lines = [LINE.to_owned()];
        let bytes = with_manifest(b"abc");
        assert_eq!(carried(&bytes, &[]), None);
        assert_eq!(carried(&bytes, &[format!("init=/x {LINE}")]), None);
        assert_eq!(carried(&[], &lines), None);
        for place in 0..bytes.len() {
            let mut other = bytes.clone();
            other[place] ^= 1;
            let found = carried(&other, &lines);
            assert!(matches!(
                found,
                None | Some(Carried::Manifest(b"`bc" | b"acc" | b"abb"))
            ));
            assert_eq!(carried(&bytes[..place], &lines), None);
        }
    }

    #[test]
    fn a_line_that_stage_1_would_refuse_is_refused_at_assembly() {
        let init = "init=/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-system/init";
        let quoted = format!("{init} noresume dyndbg=\"file x +p\" a='b c' --");
        assert_eq!(signed_line(&quoted).unwrap(), quoted);
        let cases = [
            (
                format!("{init} noresume rdinit=/bin/sh --"),
                "has `rdinit=`",
            ),
            (
                format!("{init} noresume \"rdinit=/bin/sh\" --"),
                "has `rdinit=`",
            ),
            (
                format!("{init} noresume rd'init=/bin/sh' --"),
                "has `rdinit=`",
            ),
            (format!("{init} noresume a=\"b --"), "not closed"),
            (format!("{init} noresume a=it's --"), "not closed"),
            (format!("{init} noresume a='\"' --"), "not closed"),
            (format!("{init} a=\"b noresume c\" --"), "in quotes"),
            (format!("{init} a='b noresume c' --"), "in quotes"),
            (format!("{init} noresume \"init=/x/init\" --"), "in quotes"),
            (format!("noresume a=\"b {init} c\" --"), "in quotes"),
            (format!("noresume 'a {init} c' --"), "in quotes"),
        ];
        for (line, fact) in cases {
            let error = signed_line(&line).unwrap_err().to_string();
            assert!(error.contains(fact), "{line}: {error}");
        }
    }

    #[test]
    fn more_parameters_stand_before_the_last_word() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let mut line = words("quiet --");
        with_more(&mut line, words("debug"));
        assert_eq!(line, words("quiet debug --"));
        let mut line = words("quiet");
        with_more(&mut line, words("debug"));
        assert_eq!(ended(line.join(" ")), "quiet debug --");
        assert_eq!(ended("quiet --".to_owned()), "quiet --");
    }
}
