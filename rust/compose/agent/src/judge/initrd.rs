//! Whether `.initrd` is what a system brings.

use std::fs::File;
use std::io::{self, Read};

use touchstone_artifacts::extra_initrd::is_extra_initrd;
use touchstone_pe::Section;
use touchstone_store::StoreFile;
use touchstone_store::manifest::DOCUMENT_LIMIT;

use super::Store;
use super::refuse::refuse;
use super::window::Window;
use crate::protocol::Refusal;

/// What is compared at once.
const CHUNK: usize = 64 << 10;
/// Initrds begin at multiples of this.
const ALIGNMENT: u64 = 4;
/// Longest extra initrd in bytes: a manifest and the command lines.
const EXTRA_LIMIT: u64 = DOCUMENT_LIMIT as u64 + (1 << 20);

/// Sees that a section is these initrds, one behind the other, each filled up to four bytes, and then nothing, or the archive by which stage 1
/// verifies what these command lines boot.
///
/// # Errors
/// [`Refusal`].
pub(super) fn check(
    section: &Section,
    source: &mut File,
    store: &Store,
    initrds: &[StoreFile],
    lines: &[String],
) -> Result<(), Refusal> {
    let mut content = Window::of(source, section);
    let mut at = 0;
    for initrd in initrds {
        let mut file = store.open(initrd)?;
        let same = same(&mut content, &mut file).map_err(|error| failed(&error))?;
        let len =
            same.ok_or_else(|| wrong(format!("it does not hold {initrd} where that should be")))?;
        at += len;
        let padding = at.next_multiple_of(ALIGNMENT) - at;
        let zeros = zeros(&mut content, padding).map_err(|error| failed(&error))?;
        at += padding;
        if !zeros {
            return Err(wrong(format!(
                "there is something else than zeros between {initrd} and what follows"
            )));
        }
    }
    let mut extra = Vec::new();
    let read = content.take(EXTRA_LIMIT + 1).read_to_end(&mut extra);
    read.map_err(|error| failed(&error))?;
    match extra.is_empty() || is_extra_initrd(&extra, lines) {
        true => Ok(()),
        false => Err(wrong(
            "behind the system's initrds there is something else than the archive by which stage 1 verifies it",
        )),
    }
}

/// The length of a file, if the content begins with it.
fn same(content: &mut impl Read, file: &mut File) -> io::Result<Option<u64>> {
    let (mut ours, mut theirs) = (vec![0; CHUNK], vec![0; CHUNK]);
    let mut len = 0;
    loop {
        let got = full(file, &mut theirs)?;
        if got == 0 {
            return Ok(Some(len));
        }
        let ours = ours.get_mut(..got).unwrap_or_default();
        if full(content, ours)? != got || *ours != *theirs.get(..got).unwrap_or_default() {
            return Ok(None);
        }
        len += got as u64;
    }
}

/// Whether zeros follow, or the end.
fn zeros(content: &mut impl Read, len: u64) -> io::Result<bool> {
    let mut bytes = Vec::new();
    content.take(len).read_to_end(&mut bytes)?;
    Ok(bytes.iter().all(|byte| *byte == 0))
}

/// Reads until the room is full or nothing comes any more.
fn full(source: &mut impl Read, room: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while let Some(rest) = room.get_mut(got..).filter(|rest| !rest.is_empty()) {
        match source.read(rest) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn failed(error: &io::Error) -> Refusal {
    refuse(
        "image.initrd",
        format!("the initrd cannot be compared: {error}"),
        "try again",
    )
}

/// An initrd that is refused.
pub(super) fn wrong(what: impl AsRef<str>) -> Refusal {
    let what = format!("the section .initrd: {}", what.as_ref());
    refuse(
        "image.initrd",
        what,
        "use the initrds that boot.json of the system names, or name this content in `initrd` of the policy",
    )
}
