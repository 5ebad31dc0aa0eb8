//! The faults, and what they need of the world.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

/// What is wrong with the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    WrongSignature,
    SometimesWrong,
    PinLocked,
    SaysLocked,
    SaysLastTry,
    Removed,
    RemovedAtLogin,
    KeysOnReader,
}

impl Fault {
    /// The fault that the environment asks for. None is no module: a test that misspells its fault must not pass.
    pub(crate) fn asked_for() -> Option<Self> {
        Some(match std::env::var("FAULTY_TOKEN_FAULT").ok()?.as_str() {
            "wrong-signature" => Self::WrongSignature,
            "sometimes-wrong" => Self::SometimesWrong,
            "pin-locked" => Self::PinLocked,
            "says-locked" => Self::SaysLocked,
            "says-last-try" => Self::SaysLastTry,
            "removed" => Self::Removed,
            "removed-at-login" => Self::RemovedAtLogin,
            "keys-on-reader" => Self::KeysOnReader,
            _ => return None,
        })
    }

    /// Whether the signature that was just made is to be spoilt.
    pub(crate) fn spoils_this_signature(self) -> bool {
        match self {
            Self::WrongSignature => true,
            Self::SometimesWrong => count().is_none_or(|count| count % 2 == 1),
            _ => false,
        }
    }
}

fn file() -> Option<PathBuf> {
    std::env::var_os("FAULTY_TOKEN_FILE").map(PathBuf::from)
}

/// How many signatures there were, with this one: the file has a byte for each.
fn count() -> Option<u64> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file()?)
        .ok()?;
    file.write_all(b".").ok()?;
    Some(file.metadata().ok()?.len())
}

/// The PIN that somebody types on the reader's keys.
pub(crate) fn typed_pin() -> Option<Vec<u8>> {
    fs::read(file()?).ok()
}
