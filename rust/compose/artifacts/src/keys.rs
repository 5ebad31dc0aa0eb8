//! Secure Boot's keys and variables: making keys, writing signature lists, signing updates, and showing what files hold.

mod auth;
pub(crate) mod content;
mod esl;
mod facts;
mod foreign;
mod generate;
mod inspect;
mod make;
mod option_roms;
mod warning;

use touchstone_sign::auth::{EfiTime, seconds as seconds_of};
use uuid::uuid;

pub use auth::{
    PrepareUpdate, PreparedUpdate, SignUpdate, SignedUpdate, UpdateSignature, Variable,
};
pub use esl::{MadeEsl, MakeEsl};
pub use facts::{CertificateFacts, Entry};
pub use generate::{Algorithm, GenerateKeys, GeneratedKeys};
pub use inspect::{Form, InspectKeys, InspectedFile, InspectedKeys, InspectedUpdate};
pub use option_roms::OptionRom;
pub use uuid::Uuid;
pub use warning::Warning;

use crate::Error;

/// The owner that stands beside entries of test keys, and of lists for which none is named.
const OWNER: Uuid = uuid!("5ac8e1a5-6a3e-4d0b-9c64-9f2f6f1c7a01");

/// The time that is asked for, else now, in seconds since 1970-01-01 UTC.
///
/// # Errors
/// [`Error::Request`] when it cannot be read, or when there is neither.
fn seconds(asked: Option<&str>, now: Option<u64>) -> Result<u64, Error> {
    let refused = |fact: String| Error::Request {
        fact,
        help: "give the time as 2026-01-31T12:00:00Z; firmware takes no update that is older than the variable",
    };
    match asked {
        Some(text) => seconds_of(text)
            .map_err(|error| refused(format!("the time `{text}` cannot be read: {error}"))),
        None => now.ok_or_else(|| {
            refused("an update carries a time, and there is no clock here".to_owned())
        }),
    }
}

/// The time at these seconds since 1970-01-01 UTC, as an update carries it.
///
/// # Errors
/// [`Error::Request`] after the year 9999.
fn efi_time(seconds: u64) -> Result<EfiTime, Error> {
    EfiTime::from_unix(seconds).map_err(|error| Error::Request {
        fact: error.to_string(),
        help: "give a time before the year 10000",
    })
}
