//! Whether the firmware asks for signatures, and whose.
//!
//! Source: UEFI specification 2.10, sections 3.3 and 32.

use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::firmware::Database;

use super::{VariableError, Variables, Vendor};

/// What the firmware enforces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecureBoot {
    /// Whether images must be signed.
    pub enforced: bool,
    /// Whether the machine waits for keys: without a platform key, anybody may enrol some.
    pub setup_mode: bool,
    /// What may start.
    pub db: Database,
    /// What may not.
    pub dbx: Database,
    /// What shim lets start, and what not, where it started the boot loader: the firmware's lists and its own (`MokListRT`, `MokListXRT`, which hold
    /// its builder's certificate too).
    pub shim: Option<(Database, Database)>,
}

impl SecureBoot {
    /// What may start behind the boot loader, and what not: by shim's lists where it is in front, else by the firmware's.
    pub fn of_entries(&self) -> (&Database, &Database) {
        match &self.shim {
            Some((db, dbx)) => (db, dbx),
            None => (&self.db, &self.dbx),
        }
    }
}

impl Variables {
    /// What the firmware enforces; none on a machine that has no such variable.
    ///
    /// # Errors
    /// Those of [`Variables::read`], [`VariableError::Content`] when a switch or a list cannot be read.
    pub fn secure_boot(&self) -> Result<Option<SecureBoot>, VariableError> {
        let Some(enforced) = self.switch("SecureBoot")? else {
            return Ok(None);
        };
        let db = self.lists(Vendor::ImageSecurity, "db")?;
        let dbx = self.lists(Vendor::ImageSecurity, "dbx")?;
        let shim = match self.lists(Vendor::Shim, "MokListRT")? {
            allowed if allowed.is_empty() => None,
            allowed => {
                let denied = self.lists(Vendor::Shim, "MokListXRT")?;
                let both = |one: &[_], other: &[_]| Database::new(&[one, other].concat());
                Some((both(&db, &allowed), both(&dbx, &denied)))
            }
        };
        Ok(Some(SecureBoot {
            enforced,
            setup_mode: self.switch("SetupMode")?.unwrap_or(false),
            db: Database::new(&db),
            dbx: Database::new(&dbx),
            shim,
        }))
    }

    fn switch(&self, name: &str) -> Result<Option<bool>, VariableError> {
        let Some(variable) = self.read(Vendor::Global, name)? else {
            return Ok(None);
        };
        match variable.value.as_slice() {
            [0] => Ok(Some(false)),
            [1] => Ok(Some(true)),
            other => Err(VariableError::Content {
                file: self.path(Vendor::Global, name),
                fact: format!(
                    "is {other:?}, and neither 0 nor 1\n  help: look at the firmware's setup"
                ),
            }),
        }
    }

    fn lists(&self, vendor: Vendor, name: &str) -> Result<Vec<SignatureList>, VariableError> {
        let Some(variable) = self.read(vendor, name)? else {
            return Ok(Vec::new());
        };
        esl::parse(&variable.value).map_err(|error| VariableError::Content {
            file: self.path(vendor, name),
            fact: format!("cannot be read: {error}\n  help: enrol it again"),
        })
    }
}
