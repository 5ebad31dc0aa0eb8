//! What files around Secure Boot hold: certificates, signature lists, variables as efivarfs shows them, signed updates.

use std::path::Path;

use touchstone_sign::auth::SignedUpdate;
use touchstone_sign::esl::{self, SignatureList};
use touchstone_sign::{Certificate, certificate};
use uuid::Uuid;

use crate::source::read_small;
use crate::{Error, Files};

/// Lists are at most this large: a dbx of today has 24 KiB.
const LIMIT: u64 = 1 << 20;

/// The content of a file.
pub(crate) enum Content {
    /// X.509 certificates, PEM or DER.
    Certificates(Vec<Certificate>),
    /// Signature lists, after the attributes where it is a variable of efivarfs.
    Lists {
        attributes: Option<u32>,
        lists: Vec<SignatureList>,
    },
    /// A signed update with its lists, after attributes where a tool put some before it.
    Update {
        attributes: Option<u32>,
        update: SignedUpdate,
        lists: Vec<SignatureList>,
    },
}

impl Content {
    /// Reads a file, whichever of them it is.
    ///
    /// # Errors
    /// [`Error::Open`], or [`Error::SignatureData`] when it is none of them.
    pub(crate) fn read(files: &dyn Files, role: &'static str, path: &Path) -> Result<Self, Error> {
        let bytes = read_small(files, role, path, LIMIT)?;
        Self::of(&bytes).map_err(|fact| refused(role, path, fact))
    }

    fn of(bytes: &[u8]) -> Result<Self, String> {
        if is_certificate(bytes) {
            return certificate::read_all(bytes)
                .map(Self::Certificates)
                .map_err(|error| error.to_string());
        }
        let whole = lists(None, bytes);
        if whole.is_ok() {
            return whole;
        }
        // efivarfs puts the variable's attributes first, of which eight are known.
        match bytes.split_first_chunk::<4>() {
            Some((&[attributes, 0, 0, 0], rest)) if attributes != 0 => {
                lists(Some(attributes.into()), rest).or(whole)
            }
            _ => whole,
        }
    }

    /// The entries as signature lists; certificates get this owner.
    ///
    /// # Errors
    /// [`Error::SignatureData`].
    pub(crate) fn into_lists(
        self,
        owner: Uuid,
        role: &'static str,
        path: &Path,
    ) -> Result<Vec<SignatureList>, Error> {
        match self {
            Self::Certificates(certificates) => certificates
                .iter()
                .map(|certificate| SignatureList::of_certificate(owner, certificate))
                .collect::<Result<_, _>>()
                .map_err(|error| refused(role, path, error.to_string())),
            Self::Lists { lists, .. } | Self::Update { lists, .. } => Ok(lists),
        }
    }
}

/// The certificates among lists' entries that can be read.
pub(super) fn certificates(lists: &[SignatureList]) -> impl Iterator<Item = Certificate> {
    lists
        .iter()
        .filter(|list| list.kind == esl::X509)
        .flat_map(|list| &list.signatures)
        .filter_map(|entry| certificate::read(&entry.data).ok())
}

/// PEM, or DER, which begins with a SEQUENCE: no type of signature list does.
fn is_certificate(bytes: &[u8]) -> bool {
    let pem = |text: &str| text.contains("-----BEGIN ");
    bytes.first() == Some(&0x30) || std::str::from_utf8(bytes).is_ok_and(pem)
}

fn lists(attributes: Option<u32>, bytes: &[u8]) -> Result<Content, String> {
    let parse = |bytes: &[u8]| esl::parse(bytes).map_err(|error| error.to_string());
    match SignedUpdate::parse(bytes) {
        Ok(update) => Ok(Content::Update {
            attributes,
            lists: parse(&update.lists)?,
            update,
        }),
        Err(_) => parse(bytes).map(|lists| Content::Lists { attributes, lists }),
    }
}

/// The refusal of a file.
pub(super) fn refused(role: &'static str, path: &Path, fact: impl Into<String>) -> Error {
    Error::SignatureData {
        role,
        file: path.to_owned(),
        fact: fact.into(),
    }
}
