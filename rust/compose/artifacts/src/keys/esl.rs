//! `keys.esl`: signature lists, as cert-to-efi-sig-list and hash-to-efi-sig-list write them, joined.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use touchstone_pe::authenticode;
use touchstone_sign::auth::EfiTime;
use touchstone_sign::certificate::{read_all, tbs_sha256};
use touchstone_sign::esl::{self, SignatureList};
use uuid::Uuid;

use super::content::{Content, refused};
use super::facts::Entry;
use super::option_roms::{self, OptionRom};
use super::{OWNER, Warning, foreign, warning};
use crate::input::read_failed;
use crate::source::{open_image, read_small};
use crate::{Context, Error, Files, output};

const CERTIFICATE_LIMIT: u64 = 1 << 20;

/// The request of `keys.esl`. Entries stand in the order of the fields, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct MakeEsl {
    /// The owner that stands beside entries that have none yet; Touchstone's by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub owner: Option<Uuid>,
    /// Certificates, PEM or DER; a list for each.
    #[serde(default)]
    pub certificates: Vec<PathBuf>,
    /// Microsoft's: certificates or lists. Certificates get Microsoft's owner GUID.
    #[serde(default)]
    pub microsoft: Vec<PathBuf>,
    /// What the firmware was delivered with: lists, or the files `dbDefault-…` and `KEKDefault-…` of efivarfs.
    #[serde(default)]
    pub firmware_builtin: Vec<PathBuf>,
    /// Lists, whose owners are kept.
    #[serde(default)]
    pub lists: Vec<PathBuf>,
    /// PE images whose Authenticode SHA-256 digests become entries.
    #[serde(default)]
    pub images: Vec<PathBuf>,
    /// Authenticode SHA-256 digests in hex, of images that are not at hand.
    #[serde(default)]
    pub hashes: Vec<String>,
    /// An event log: the digests of the option ROMs that the machine ran become entries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpm_eventlog: Option<PathBuf>,
    /// Certificates to revoke by the digest of their signed part: for dbx.
    #[serde(default)]
    pub revoke_certificates: Vec<PathBuf>,
    /// From when on they are revoked, such as `2026-01-31T12:00:00Z`; always, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation_time: Option<String>,
    /// Where the lists are written.
    pub output: PathBuf,
}

/// The answer of `keys.esl`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MadeEsl {
    /// Size of the file in bytes.
    pub size: usize,
    /// The entries.
    pub entries: Vec<Entry>,
    /// The option ROMs of the event log.
    pub option_roms: Vec<OptionRom>,
    /// What may surprise on the machine.
    pub warnings: Vec<Warning>,
}

impl MakeEsl {
    /// Performs the operation.
    ///
    /// # Errors
    /// See [`Error`]; nothing is written then.
    pub fn run(&self, context: &Context<'_>) -> Result<MadeEsl, Error> {
        if self.names_nothing() {
            return Err(Error::Request {
                fact: "nothing is named that could become an entry".to_owned(),
                help: "name certificates, images, digests, lists or an event log",
            });
        }
        context.progress.phase("listing");
        let owner = self.owner.unwrap_or(OWNER);
        let roms = match &self.tpm_eventlog {
            Some(log) => option_roms::read(context.files, log)?,
            None => Vec::new(),
        };
        let mut lists = self.certificates(context.files, owner)?;
        lists.extend(self.digests(context.files, owner, &roms)?);
        lists.extend(self.revoked(context.files, owner)?);
        let lists = esl::without_duplicates(lists);
        let bytes = to_bytes(&lists, &self.output)?;
        output::bytes(context.files, &self.output, &bytes)?;
        let mut warnings = warning::of_lists(&lists, context.now);
        if lists.is_empty() {
            warnings.push(Warning::no_entries());
        }
        Ok(MadeEsl {
            size: bytes.len(),
            entries: Entry::of(&lists),
            option_roms: roms,
            warnings,
        })
    }

    fn names_nothing(&self) -> bool {
        let files = [
            &self.certificates,
            &self.microsoft,
            &self.firmware_builtin,
            &self.lists,
            &self.images,
            &self.revoke_certificates,
        ];
        files.iter().all(|files| files.is_empty())
            && self.hashes.is_empty()
            && self.tpm_eventlog.is_none()
    }

    /// Everything that comes as lists or becomes a list of its own.
    fn certificates(&self, files: &dyn Files, owner: Uuid) -> Result<Vec<SignatureList>, Error> {
        let mut lists = Vec::new();
        for path in &self.certificates {
            lists.extend(certificates(files, path, owner)?);
        }
        for path in &self.microsoft {
            lists.extend(foreign::microsoft(files, path)?);
        }
        for path in &self.firmware_builtin {
            lists.extend(foreign::builtin(files, path, owner)?);
        }
        for path in &self.lists {
            let role = "signature list";
            lists.extend(Content::read(files, role, path)?.into_lists(owner, role, path)?);
        }
        Ok(lists)
    }

    /// One list of all digests of images. One that is unsigned and whose length is no multiple of 8 has two: firmware hashes what is in the
    /// file, shim and signing tools hash zeros behind it.
    fn digests(
        &self,
        files: &dyn Files,
        owner: Uuid,
        roms: &[OptionRom],
    ) -> Result<Option<SignatureList>, Error> {
        let mut digests = Vec::new();
        for path in &self.images {
            let (mut file, image) = open_image(files, "image", path)?;
            let digest = authenticode::sha256(&image, &mut file)
                .map_err(|error| read_failed(error, "image", path))?;
            digests.push(digest);
            if authenticode::is_padded(&image) {
                let stored = authenticode::stored_digest::<Sha256, _>(&image, &mut file)
                    .map_err(|error| read_failed(error, "image", path))?;
                digests.push(stored.into());
            }
        }
        for text in &self.hashes {
            digests.push(digest(text)?);
        }
        digests.extend(option_roms::digests(roms));
        Ok(SignatureList::of_sha256(owner, &digests))
    }

    /// One list of all revoked certificates.
    fn revoked(&self, files: &dyn Files, owner: Uuid) -> Result<Option<SignatureList>, Error> {
        let from = match &self.revocation_time {
            Some(text) => Some(text.parse::<EfiTime>().map_err(|error| Error::Request {
                fact: format!("the revocation time `{text}` cannot be read: {error}"),
                help: "correct it, or leave it out: then the certificate is revoked whenever it signed",
            })?),
            None => None,
        };
        let mut revoked = Vec::new();
        for path in &self.revoke_certificates {
            let role = "certificate to revoke";
            let bytes = read_small(files, role, path, CERTIFICATE_LIMIT)?;
            let failed = |error: &dyn std::fmt::Display| refused(role, path, error.to_string());
            for certificate in read_all(&bytes).map_err(|error| failed(&error))? {
                let digest = tbs_sha256(&certificate).map_err(|error| failed(&error))?;
                revoked.push((digest, from));
            }
        }
        Ok(SignatureList::of_revoked(owner, &revoked))
    }
}

/// All certificates of a file, a list for each.
fn certificates(files: &dyn Files, path: &Path, owner: Uuid) -> Result<Vec<SignatureList>, Error> {
    let role = "certificate";
    match Content::read(files, role, path)? {
        found @ Content::Certificates(_) => found.into_lists(owner, role, path),
        _ => Err(refused(
            role,
            path,
            "it is a signature list: name it as one",
        )),
    }
}

fn digest(text: &str) -> Result<[u8; 32], Error> {
    data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Error::Request {
            fact: format!("`{text}` is no SHA-256 digest"),
            help: "give 64 hex digits, as `touchstone pe digest` prints them (the digest of an image is not that of its file)",
        })
}

/// The bytes of lists one after another.
///
/// # Errors
/// [`Error::SignatureData`] with the name `target`, when a list is too long.
pub(super) fn to_bytes(lists: &[SignatureList], target: &Path) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    for list in lists {
        let list = list
            .to_bytes()
            .map_err(|error| refused("signature list", target, error.to_string()))?;
        bytes.extend(list);
    }
    Ok(bytes)
}
