//! The rules, applied.
//!
//! Firmware walks the table and stops at the first signature that is forbidden. What it decides does
//! not depend on that: an image boots when its table is well-formed, no signature of it is
//! forbidden, and one is trusted. So each signature is judged alone here, and all are told.

use std::collections::BTreeSet;

use super::certificate::Certificate;
use super::chain::{self, NoChain};
use super::database::Database;
use super::digest::{DigestKind, ImageDigests};
use super::message::{Message, digest_kind};
use super::sentence;
use super::table::{Entry, Table};
use super::verdict::{Reason, Rule, SignatureVerdict, Verdict};

/// The digests of the image that [`judge`] asks for: those that signatures or lists name, and
/// SHA-256.
pub fn digests_needed(
    table: Option<&Table>,
    db: &Database,
    dbx: &Database,
) -> BTreeSet<DigestKind> {
    let entries = table.map(|table| table.entries.as_slice());
    let signatures = entries.unwrap_or_default().iter().filter_map(kind_of);
    db.kinds()
        .chain(dbx.kinds())
        .chain(signatures)
        .chain([DigestKind::Sha256])
        .collect()
}

/// Does firmware with these variables start an image with these digests and this certificate table
/// (`None` when it has none)? A digest that was not computed is in no list, and no signature is of it.
pub fn judge(
    digests: &ImageDigests,
    table: Option<&Table>,
    db: &Database,
    dbx: &Database,
) -> Verdict {
    let court = Court { digests, db, dbx };
    let mut verdict = match table {
        None => court.unsigned(),
        Some(table) => court.signed(table),
    };
    verdict.notes = court.notes(table);
    verdict
}

/// Does a chain lead from the signers of `pkcs7`, a good signature of the image, to this certificate
/// (in DER)? That is how an entry of `db` lets an image start, when `dbx` does not object.
pub fn leads_to(digests: &ImageDigests, pkcs7: &[u8], certificate: &[u8]) -> bool {
    let anchor = Certificate::read(certificate);
    let message = good(digests, pkcs7).ok();
    anchor
        .zip(message)
        .is_some_and(|(anchor, (message, _))| path(&message, &anchor).is_ok())
}

fn kind_of(entry: &Entry) -> Option<DigestKind> {
    entry.pkcs7().and_then(digest_kind)
}

/// A signature that its signers made of this image, and with which digest.
fn good(digests: &ImageDigests, pkcs7: &[u8]) -> Result<(Message, DigestKind), Reason> {
    let kind = digest_kind(pkcs7).ok_or_else(|| sentence::hash_unknown(pkcs7))?;
    let message = Message::read(pkcs7).ok_or_else(sentence::unreadable)?;
    let digest = digests.get(&kind);
    let digest = digest.filter(|digest| digest.len() == kind.length());
    match message.check(kind, digest.ok_or_else(|| sentence::no_digest(kind))?) {
        Ok(()) => Ok((message, kind)),
        Err(flaw) => Err(sentence::flaw(&flaw, kind, digests)),
    }
}

/// From the first signer to `anchor`; every signer must get there.
fn path(message: &Message, anchor: &Certificate) -> Result<Vec<String>, NoChain> {
    let mut first = None;
    for signer in message.signers().unwrap_or_default() {
        let path = chain::find(signer, &message.certificates, anchor)?;
        first = first.or(Some(path));
    }
    Ok(first.unwrap_or_default())
}

/// Why an image is let start, and by which certificate of `db` if by one.
type Trusted<'a> = (Reason, Option<&'a Certificate>);

/// What is judged by.
struct Court<'a> {
    digests: &'a ImageDigests,
    db: &'a Database,
    dbx: &'a Database,
}

impl Court<'_> {
    /// UEFI 2.10 section 32.5.3.3: without a signature, digests decide.
    fn unsigned(&self) -> Verdict {
        let found = |list: &str, database: &Database| -> Vec<Reason> {
            let digests = self.digests.iter();
            let found = digests.filter(|(kind, digest)| database.has_image(**kind, digest));
            found
                .map(|(kind, _)| sentence::digest_in(list, *kind))
                .collect()
        };
        let (denied, allowed) = (found("dbx", self.dbx), found("db", self.db));
        let reasons = match (denied.is_empty(), allowed.is_empty()) {
            (false, _) => denied,
            (true, false) => allowed,
            (true, true) => vec![sentence::not_signed()],
        };
        Verdict {
            boots: reasons.iter().all(|reason| reason.rule == Rule::DigestInDb),
            reasons,
            signatures: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn signed(&self, table: &Table) -> Verdict {
        let signatures: Vec<_> = table
            .entries
            .iter()
            .map(|entry| self.entry(entry))
            .collect();
        let malformed = table.malformed.map(sentence::malformed);
        let all = || signatures.iter().map(|one| &one.reason).chain(&malformed);
        let forbidden: Vec<Reason> = all().filter(|one| one.rule.forbids()).cloned().collect();
        let trusted = signatures.iter().filter(|one| one.ok);
        let trusted: Vec<Reason> = trusted.map(|one| one.reason.clone()).collect();
        let boots = forbidden.is_empty() && !trusted.is_empty();
        let reasons = match (boots, forbidden.is_empty()) {
            (true, _) => trusted,
            (false, false) => forbidden,
            (false, true) => all().cloned().collect(),
        };
        Verdict {
            boots,
            reasons,
            signatures,
            notes: Vec::new(),
        }
    }

    fn entry(&self, entry: &Entry) -> SignatureVerdict {
        match entry {
            Entry::Signature(pkcs7) | Entry::GuidSignature(pkcs7) => self.signature(pkcs7),
            Entry::PassedOver(what) => SignatureVerdict {
                signer: None,
                issuer: None,
                trusted_by: None,
                forbidden_by: None,
                hash: None,
                elliptic: false,
                ok: false,
                reason: sentence::reason(
                    Rule::TypeSkipped,
                    format!("firmware passes over an entry of the certificate table {what}"),
                ),
            },
        }
    }

    fn signature(&self, pkcs7: &[u8]) -> SignatureVerdict {
        let message = Message::read(pkcs7);
        let signer = message.as_ref().and_then(Message::signers);
        let signer = signer.and_then(|signers| signers.first().copied());
        let hash = digest_kind(pkcs7);
        let (forbidden, trusted) = match hash {
            None => (None, Err(sentence::hash_unknown(pkcs7))),
            Some(kind) => (
                self.forbidden(pkcs7, message.as_ref(), kind),
                self.trusted(pkcs7, kind),
            ),
        };
        let anchor = trusted.as_ref().ok().and_then(|(_, anchor)| *anchor);
        let elliptic = anchor.is_some_and(Certificate::is_elliptic)
            || message.as_ref().is_some_and(Message::is_elliptic);
        SignatureVerdict {
            signer: signer.map(Certificate::subject),
            issuer: signer.map(Certificate::issuer),
            trusted_by: anchor.map(Certificate::subject),
            forbidden_by: forbidden.as_ref().map(|(_, by)| by.clone()),
            hash,
            elliptic,
            ok: forbidden.is_none() && trusted.is_ok(),
            reason: match (forbidden, trusted) {
                (Some((reason, _)), _) | (None, Ok((reason, _)) | Err(reason)) => reason,
            },
        }
    }

    /// Why `dbx` forbids the image on account of this signature, and by which entry.
    fn forbidden(
        &self,
        pkcs7: &[u8],
        message: Option<&Message>,
        kind: DigestKind,
    ) -> Option<(Reason, String)> {
        if !self.dbx.exists {
            return None;
        }
        if let Ok((good, _)) = good(self.digests, pkcs7) {
            let paths = self.dbx.certificates.iter();
            if let Some(path) = paths.filter_map(|denied| path(&good, denied).ok()).next() {
                let by = path.last().cloned().unwrap_or_default();
                return Some((sentence::forbidden(&path), by));
            }
        }
        let Some(signers) = message.and_then(Message::signers) else {
            return Some((sentence::signer_unreadable(), "any dbx".to_owned()));
        };
        let named = signers
            .into_iter()
            .find_map(|signer| Some((signer.subject(), self.dbx.revokes(signer)?)));
        if let Some((subject, kind)) = named {
            let by = format!("the {kind} digest of the certificate of {subject}");
            return Some((sentence::revoked(&subject, kind), by));
        }
        let digest = self.digests.get(&kind)?;
        self.dbx.has_image(kind, digest).then(|| {
            let by = format!("the {kind} digest of the image");
            (sentence::digest_in("dbx", kind), by)
        })
    }

    /// Why `db` lets the image start on account of this signature, and by which certificate.
    fn trusted(&self, pkcs7: &[u8], kind: DigestKind) -> Result<Trusted<'_>, Reason> {
        let by_certificate = self.by_certificate(pkcs7);
        let digest = self.digests.get(&kind);
        match by_certificate {
            Ok(trusted) => Ok(trusted),
            Err(_) if digest.is_some_and(|digest| self.db.has_image(kind, digest)) => {
                Ok((sentence::digest_in("db", kind), None))
            }
            Err(reason) => Err(reason),
        }
    }

    fn by_certificate(&self, pkcs7: &[u8]) -> Result<Trusted<'_>, Reason> {
        let (message, _) = good(self.digests, pkcs7)?;
        let mut found = Vec::new();
        for anchor in &self.db.certificates {
            match path(&message, anchor) {
                Ok(path) => return self.unless_revoked(anchor, &path),
                Err(reason) => found.push(reason),
            }
        }
        let signer = message.signers().unwrap_or_default();
        let signer = signer.first().map(|signer| signer.subject());
        Err(sentence::no_chain(&signer.unwrap_or_default(), &found))
    }

    /// The first certificate of `db` that is reached decides, also when it is revoked.
    fn unless_revoked<'a>(
        &self,
        anchor: &'a Certificate,
        path: &[String],
    ) -> Result<Trusted<'a>, Reason> {
        match self.dbx.revokes(anchor) {
            Some(kind) => Err(sentence::anchor_revoked(&anchor.subject(), kind)),
            None => Ok((sentence::trusted(path), Some(anchor))),
        }
    }

    fn notes(&self, table: Option<&Table>) -> Vec<String> {
        let passed_over = |list: &str, database: &Database| -> Vec<String> {
            let what = database.passed_over.iter();
            what.map(|what| {
                format!("{list} has {what}: firmware passes over them, and so did this verdict")
            })
            .collect()
        };
        let mut notes = passed_over("db", self.db);
        notes.extend(passed_over("dbx", self.dbx));
        if !self.dbx.revoked.is_empty() {
            notes.push(
                "dbx names certificates by digest: when they were revoked is not looked at, as if it were for ever"
                    .to_owned(),
            );
        }
        let entries = table.map(|table| table.entries.as_slice());
        let signatures = || entries.unwrap_or_default().iter();
        if signatures().any(|entry| kind_of(entry) == Some(DigestKind::Sha1)) {
            notes.push(
                "a signature is over a SHA-1 digest: firmware that is built without SHA-1 passes over it"
                    .to_owned(),
            );
        }
        let messages = signatures().filter_map(|entry| Message::read(entry.pkcs7()?));
        if messages.into_iter().any(|message| message.is_elliptic()) {
            notes.push(
                "a signature is of an elliptic curve: firmware that is built without them refuses it, RSA works everywhere"
                    .to_owned(),
            );
        }
        notes
    }
}
