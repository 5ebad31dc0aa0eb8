//! What `db` or `dbx` holds, by kinds that firmware looks up.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::certificate::Certificate;
use super::digest::DigestKind;
use crate::esl::{SignatureList, X509};

/// The entries of a variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    pub(super) certificates: Vec<Certificate>,
    /// Authenticode digests.
    pub(super) images: BTreeSet<(DigestKind, Vec<u8>)>,
    /// Digests of what is signed in a certificate. The time of the revocation is left out.
    pub(super) revoked: BTreeSet<(DigestKind, Vec<u8>)>,
    /// Types of entries that firmware passes over, and certificates that it cannot read.
    pub(super) passed_over: Vec<String>,
    /// Whether the variable exists.
    pub(super) exists: bool,
}

/// Length of an `EFI_TIME`, which follows the digest of a revoked certificate.
const TIME: usize = 16;

impl Database {
    /// What these lists hold. No lists: a variable that does not exist, since firmware deletes a
    /// variable that becomes empty.
    pub fn new(lists: &[SignatureList]) -> Self {
        let mut database = Self {
            exists: !lists.is_empty(),
            ..Self::default()
        };
        for list in lists {
            database.add(list);
        }
        database.passed_over.sort();
        database.passed_over.dedup();
        database
    }

    /// These certificates, and nothing else.
    ///
    /// # Errors
    /// When one of them cannot be encoded.
    pub fn of_certificates(certificates: &[x509_cert::Certificate]) -> Result<Self, der::Error> {
        let mut database = Self {
            exists: true,
            ..Self::default()
        };
        for certificate in certificates {
            database.add_certificate(&crate::certificate::to_der(certificate)?);
        }
        Ok(database)
    }

    /// Which digests of images it holds.
    pub(super) fn kinds(&self) -> impl Iterator<Item = DigestKind> {
        self.images.iter().map(|(kind, _)| *kind)
    }

    pub(super) fn has_image(&self, kind: DigestKind, digest: &[u8]) -> bool {
        self.images.contains(&(kind, digest.to_vec()))
    }

    /// By which digest the certificate is revoked, if it is.
    pub(super) fn revokes(&self, certificate: &Certificate) -> Option<DigestKind> {
        let mut kinds: Vec<DigestKind> = self.revoked.iter().map(|(kind, _)| *kind).collect();
        kinds.dedup();
        kinds.into_iter().find(|kind| {
            self.revoked
                .contains(&(*kind, certificate.tbs_digest(*kind)))
        })
    }

    fn add(&mut self, list: &SignatureList) {
        let entries = list.signatures.iter().map(|entry| entry.data.as_slice());
        if list.kind == X509 {
            entries.for_each(|data| self.add_certificate(data));
        } else if let Some(kind) = DigestKind::of_images(list.kind) {
            // Firmware compares entries of exactly that size only.
            let whole = entries.filter(|data| data.len() == kind.length());
            self.images.extend(whole.map(|data| (kind, data.to_vec())));
        } else if let Some(kind) = DigestKind::of_certificates(list.kind) {
            let whole = entries.filter(|data| data.len() == kind.length() + TIME);
            let digests = whole.filter_map(|data| data.get(..kind.length()));
            self.revoked
                .extend(digests.map(|digest| (kind, digest.to_vec())));
        } else {
            self.passed_over.push(named(list.kind));
        }
    }

    fn add_certificate(&mut self, data: &[u8]) {
        match Certificate::read(data) {
            Some(certificate) => self.certificates.push(certificate),
            None => self
                .passed_over
                .push("a certificate that cannot be read".to_owned()),
        }
    }
}

fn named(kind: Uuid) -> String {
    format!("entries of type {kind}")
}
