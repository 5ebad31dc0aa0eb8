//! Whether `.initrd` is what a system brings.

use std::io::{self, Read};

use touchstone_artifacts::extra_initrd::is_extra_initrd;
use touchstone_store::StoreFile;
use touchstone_store::manifest::DOCUMENT_LIMIT;

use super::Store;
use super::compare;
use super::refuse::refuse;
use crate::payload::Reader;
use crate::protocol::Refusal;

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
    mut content: Reader<'_>,
    store: &Store,
    initrds: &[StoreFile],
    lines: &[String],
) -> Result<(), Refusal> {
    let mut at = 0;
    for initrd in initrds {
        let same = match content.pass(initrd) {
            Some(len) => Some(len),
            None => compare::begins_with(&mut content, &mut store.open(initrd)?)
                .map_err(|error| failed(&error))?,
        };
        let len =
            same.ok_or_else(|| wrong(format!("it does not hold {initrd} where that should be")))?;
        at += len;
        let padding = at.next_multiple_of(ALIGNMENT) - at;
        let zeros =
            compare::is_followed_by_zeros(&mut content, padding).map_err(|error| failed(&error))?;
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
