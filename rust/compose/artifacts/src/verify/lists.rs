//! The lists that a verdict is by.

use std::path::Path;

use touchstone_sign::certificate;
use touchstone_sign::esl::SignatureList;
use touchstone_sign::firmware::Database;
use uuid::Uuid;

use super::VerifyPe;
use crate::keys::content::Content;
use crate::source::read_small;
use crate::{Error, Files};

/// `db` and `dbx`.
#[derive(Default)]
pub(crate) struct Lists {
    pub(super) db: Database,
    pub(super) dbx: Database,
}

/// A variable is at most this large: a dbx of today has 24 KiB.
const LIMIT: u64 = 1 << 20;

impl Lists {
    /// Reads the files that the request names.
    ///
    /// # Errors
    /// [`Error::Request`] when they contradict one another, [`Error::Open`], [`Error::SignatureData`].
    pub(super) fn read(files: &dyn Files, request: &VerifyPe) -> Result<Self, Error> {
        match (request.certificates.as_slice(), &request.db, &request.dbx) {
            ([], Some(db), dbx) => Ok(Self {
                db: Database::new(&variable(files, "variable db", db)?),
                dbx: match dbx {
                    Some(dbx) => Database::new(&variable(files, "variable dbx", dbx)?),
                    None => Database::default(),
                },
            }),
            ([_, ..], None, None) => Ok(Self {
                db: certificates(files, request)?,
                dbx: Database::default(),
            }),
            _ => Err(Error::Request {
                fact: "it does not say whom the firmware trusts, or says it twice".to_owned(),
                help: "give certificates, or db and where there is one dbx",
            }),
        }
    }
}

fn certificates(files: &dyn Files, request: &VerifyPe) -> Result<Database, Error> {
    let role = "trusted certificate";
    let mut all = Vec::new();
    for file in &request.certificates {
        let bytes = read_small(files, role, file, LIMIT)?;
        let read = certificate::read_all(&bytes);
        all.extend(read.map_err(|error| refused(role, file, &error))?);
    }
    let file = request.certificates.first().map(|file| file.as_path());
    Database::of_certificates(&all)
        .map_err(|error| refused(role, file.unwrap_or(Path::new("")), &error))
}

/// The lists of a variable: its value alone, after the attributes that efivarfs puts first, or in a signed update.
fn variable(
    files: &dyn Files,
    role: &'static str,
    path: &Path,
) -> Result<Vec<SignatureList>, Error> {
    Content::read(files, role, path)?.into_lists(Uuid::nil(), role, path)
}

fn refused(role: &'static str, file: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::SignatureData {
        role,
        file: file.to_owned(),
        fact: error.to_string(),
    }
}
