//! Making keys, and writing the files that come with them.

use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use touchstone_sign::auth::{EfiTime, Update, Variable};
use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::keys::{self, KeyAlgorithm, KeyRequest, NewKey};
use touchstone_sign::{CertifiedSigner, FileSigner, certificate};
use uuid::Uuid;

use super::esl::to_bytes;
use crate::output::STAGED;
use crate::{Error, output};

/// What all keys of one run have in common.
pub(super) struct Terms {
    /// Stands beside the certificates.
    pub(super) owner: Uuid,
    /// The time of the updates.
    pub(super) time: EfiTime,
    /// The time of the update that removes the platform key.
    pub(super) removal: EfiTime,
    /// The validity of the certificates, in seconds since 1970-01-01 UTC.
    pub(super) validity: (u64, u64),
    /// Kind and size of the keys.
    pub(super) algorithm: KeyAlgorithm,
    /// Whether they are marked as test keys.
    pub(super) test: bool,
    /// What stands before the variable in the common names.
    pub(super) name: Option<String>,
}

/// One variable's key.
pub(super) struct Made {
    variable: Variable,
    key: NewKey,
    signer: CertifiedSigner,
    list: SignatureList,
}

impl Made {
    /// A new key.
    ///
    /// # Errors
    /// [`Error::Key`] when name or validity are not possible in a certificate.
    pub(super) fn new(variable: Variable, terms: &Terms) -> Result<Self, Error> {
        let name = match &terms.name {
            Some(name) => format!("{name} {variable}"),
            None => variable.to_string(),
        };
        let refused = |error: &dyn std::fmt::Display| refused(&name, error);
        let key = keys::generate(&KeyRequest {
            common_name: &name,
            algorithm: terms.algorithm,
            not_before: terms.validity.0,
            not_after: terms.validity.1,
            test: terms.test,
        })
        .map_err(|error| refused(&error))?;
        let certificate =
            certificate::read(key.certificate_pem.as_bytes()).map_err(|error| refused(&error))?;
        let list = SignatureList::of_certificate(terms.owner, &certificate)
            .map_err(|error| refused(&error))?;
        let signer = FileSigner::new(key.key_pem.as_bytes())
            .and_then(|holder| CertifiedSigner::new(Box::new(holder), vec![certificate]))
            .map_err(|error| refused(&error))?;
        Ok(Self {
            variable,
            key,
            signer,
            list,
        })
    }
}

/// Where the files go, and the time of the updates.
pub(super) struct Writer<'a> {
    pub(super) folder: &'a Path,
    pub(super) time: EfiTime,
}

impl Writer<'_> {
    /// Writes key, certificate, lists and update, the lists with `others` after the key's own.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn key(
        &self,
        made: &Made,
        signer: &Made,
        others: Vec<SignatureList>,
    ) -> Result<(), Error> {
        let path = |extension: &str| self.folder.join(format!("{}.{extension}", made.variable));
        write_private(&path("key"), made.key.key_pem.as_bytes())?;
        output::bytes(&STAGED, &path("pem"), made.key.certificate_pem.as_bytes())?;
        let own = std::iter::once(made.list.clone());
        self.lists(made.variable, own.chain(others).collect(), signer)
    }

    /// Writes lists, each entry once, and the update with them.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn lists(
        &self,
        variable: Variable,
        lists: Vec<SignatureList>,
        signer: &Made,
    ) -> Result<(), Error> {
        let path = self.folder.join(format!("{variable}.esl"));
        let bytes = to_bytes(&esl::without_duplicates(lists), &path)?;
        output::bytes(&STAGED, &path, &bytes)?;
        self.update(variable.name(), variable, &bytes, signer)
    }

    /// Writes an update of these lists.
    ///
    /// # Errors
    /// [`Error::Write`].
    pub(super) fn update(
        &self,
        name: &str,
        variable: Variable,
        lists: &[u8],
        signer: &Made,
    ) -> Result<(), Error> {
        let update = Update {
            variable,
            append: false,
            time: self.time,
            lists,
        };
        let signed = update
            .sign(&signer.signer)
            .map_err(|error| refused(name, &error))?;
        output::bytes(&STAGED, &self.folder.join(format!("{name}.auth")), &signed)
    }
}

fn refused(key: &str, error: &dyn std::fmt::Display) -> Error {
    Error::Key {
        key: key.to_owned(),
        fact: error.to_string(),
        help: "ask for a name of 1 to 60 characters and a validity that ends before the year 10000",
    }
}

/// Writes a file that only its owner may read.
fn write_private(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write {
        file: path.to_owned(),
        source,
    };
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    std::io::Write::write_all(&mut file, bytes).map_err(failed)
}
