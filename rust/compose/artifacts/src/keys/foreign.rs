//! Other people's keys: Microsoft's, and those that the firmware was delivered with.

use std::path::{Path, PathBuf};

use touchstone_sign::auth::Variable;
use touchstone_sign::certificate::subject;
use touchstone_sign::esl::{self, SignatureList};
use uuid::Uuid;

use super::content::{Content, certificates, refused};
use super::facts::MICROSOFT;
use crate::{Error, Files};

const MICROSOFT_ROLE: &str = "Microsoft certificate";
const BUILTIN_ROLE: &str = "firmware's own list";

/// Other people's entries, by the variable that they go into.
#[derive(Default)]
pub(super) struct Foreign {
    pub(super) kek: Vec<SignatureList>,
    pub(super) db: Vec<SignatureList>,
    pub(super) dbx: Vec<SignatureList>,
}

impl Foreign {
    /// Reads files of Microsoft's and of the firmware's.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::SignatureData`].
    pub(super) fn read(
        files: &dyn Files,
        microsoft: &[PathBuf],
        builtin: &[PathBuf],
        owner: Uuid,
    ) -> Result<Self, Error> {
        let mut all = Self::default();
        for path in microsoft {
            all.add(MICROSOFT_ROLE, path, self::microsoft(files, path)?)?;
        }
        for path in builtin {
            all.add(BUILTIN_ROLE, path, self::builtin(files, path, owner)?)?;
        }
        Ok(all)
    }

    /// Sorts lists by the file's name where it is a variable's, else each by what it holds.
    fn add(
        &mut self,
        role: &'static str,
        path: &Path,
        lists: Vec<SignatureList>,
    ) -> Result<(), Error> {
        match variable(path) {
            Named::Known(Variable::Kek) => self.kek.extend(lists),
            Named::Known(Variable::Db) => self.db.extend(lists),
            Named::Known(Variable::Dbx) => self.dbx.extend(lists),
            Named::Known(Variable::Pk) | Named::Other => {
                return Err(refused(
                    role,
                    path,
                    "by its name it is a variable whose entries belong neither into KEK nor into db or dbx",
                ));
            }
            Named::Nothing => {
                let (kek, db): (Vec<_>, Vec<_>) = lists.into_iter().partition(exchanges_keys);
                self.kek.extend(kek);
                self.db.extend(db);
            }
        }
        Ok(())
    }
}

/// Microsoft's entries in a file, their owner GUID beside certificates.
///
/// # Errors
/// [`Error::SignatureData`] when a certificate is not Microsoft's.
pub(super) fn microsoft(files: &dyn Files, path: &Path) -> Result<Vec<SignatureList>, Error> {
    let lists =
        Content::read(files, MICROSOFT_ROLE, path)?.into_lists(MICROSOFT, MICROSOFT_ROLE, path)?;
    let other =
        certificates(&lists).find(|certificate| !subject(certificate).contains("Microsoft"));
    match other {
        None => Ok(lists),
        Some(other) => Err(refused(
            MICROSOFT_ROLE,
            path,
            format!("{} is not Microsoft", subject(&other)),
        )),
    }
}

/// The firmware's entries in a file; certificates that stand in no list get `owner`.
///
/// # Errors
/// [`Error::Open`], [`Error::SignatureData`].
pub(super) fn builtin(
    files: &dyn Files,
    path: &Path,
    owner: Uuid,
) -> Result<Vec<SignatureList>, Error> {
    Content::read(files, BUILTIN_ROLE, path)?.into_lists(owner, BUILTIN_ROLE, path)
}

/// Whether a list holds certificates that sign updates of db and dbx, by their subject: Microsoft's and the vendors' all say so.
fn exchanges_keys(list: &SignatureList) -> bool {
    certificates(std::slice::from_ref(list)).any(|certificate| {
        let subject = subject(&certificate);
        subject.contains("KEK") || subject.contains("Key Exchange Key")
    })
}

/// Whether a certificate may have signed option ROMs: any that is not for Windows alone.
pub(super) fn may_sign_option_roms(lists: &[SignatureList]) -> bool {
    certificates(lists).any(|certificate| !subject(&certificate).contains("Windows"))
}

/// Whether one of Microsoft's certificates is among the entries.
pub(super) fn has_microsoft(lists: &[SignatureList]) -> bool {
    certificates(lists).any(|certificate| subject(&certificate).contains("Microsoft"))
}

/// The digests of images among the entries.
pub(super) fn digests(lists: &[SignatureList]) -> Vec<[u8; 32]> {
    lists
        .iter()
        .filter(|list| list.kind == esl::SHA256)
        .flat_map(|list| &list.signatures)
        .filter_map(|entry| entry.data.as_slice().try_into().ok())
        .collect()
}

/// Which variable a file's name names.
enum Named {
    Known(Variable),
    /// A variable whose entries go nowhere.
    Other,
    /// None at all.
    Nothing,
}

/// The variable by the name that efivarfs and common tools give its file: `dbDefault-8be4df61-…`, `KEK.esl`.
fn variable(path: &Path) -> Named {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split(['-', '.']).next().unwrap_or_default();
    let name = name.strip_suffix("Default").unwrap_or(name);
    match Variable::ALL
        .into_iter()
        .find(|variable| variable.name() == name)
    {
        Some(variable) => Named::Known(variable),
        None if ["dbt", "dbr"].contains(&name) => Named::Other,
        None => Named::Nothing,
    }
}
