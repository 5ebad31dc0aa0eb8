//! What shim asks beyond the firmware's rules, where it starts the image. SBAT is another matter:
//! see `touchstone_pe::sbat`.
//!
//! Source: shim 15.3 to 16.1 (BSD-2-Clause), by its behaviour. shim computes SHA-256 and SHA-1 of an
//! image whatever its signatures say, as signers do (with zeros up to a multiple of 8 bytes), looks
//! both up in `db` and `dbx`, and compares a signature with the SHA-256 digest only. It knows no
//! elliptic curves, and of the certificate table PKCS#7 entries of type 0x0002 only. In some respects
//! it asks less than firmware; the verdict keeps the firmware's rules there.

use super::database::Database;
use super::digest::{DigestKind, ImageDigests};
use super::sentence;
use super::table::{Entry, Table};
use super::verdict::{Reason, Rule, SignatureVerdict, Verdict};

/// The digests that shim looks up.
const LOOKED_UP: [DigestKind; 2] = [DigestKind::Sha1, DigestKind::Sha256];

/// Why shim refuses an image of which firmware says `verdict`. `digests` are those that shim
/// computes: SHA-1 and SHA-256, padded.
pub fn objections(
    verdict: &Verdict,
    table: Option<&Table>,
    digests: &ImageDigests,
    db: &Database,
    dbx: &Database,
) -> Vec<Reason> {
    let in_list = |list: &Database, kind: DigestKind| {
        digests
            .get(&kind)
            .is_some_and(|digest| list.has_image(kind, digest))
    };
    let denied = LOOKED_UP.into_iter().filter(|kind| in_list(dbx, *kind));
    let mut reasons: Vec<_> = denied
        .map(|kind| sentence::digest_in("dbx", kind))
        .filter(|reason| !verdict.reasons.contains(reason))
        .collect();
    if verdict.boots && !LOOKED_UP.into_iter().any(|kind| in_list(db, kind)) {
        let entries = table.map(|table| table.entries.as_slice());
        let signatures = verdict.signatures.iter().zip(entries.unwrap_or_default());
        let objections: Vec<_> = signatures
            .filter(|(signature, _)| signature.ok)
            .map(|(signature, entry)| objection(signature, entry))
            .collect();
        if objections.is_empty() {
            reasons.push(not_over_sha256());
        } else if objections.iter().all(Option::is_some) {
            reasons.extend(objections.into_iter().flatten());
        }
    }
    reasons
}

/// Why shim does not accept what lets the image start under the firmware alone.
fn objection(signature: &SignatureVerdict, entry: &Entry) -> Option<Reason> {
    if signature.hash != Some(DigestKind::Sha256) || signature.trusted_by.is_none() {
        return Some(not_over_sha256());
    }
    if signature.elliptic {
        return Some(sentence::reason(
            Rule::ShimEllipticCurve,
            "shim verifies RSA only, and the trusted signature is of an elliptic curve",
        ));
    }
    matches!(entry, Entry::GuidSignature(_)).then(|| {
        sentence::reason(
            Rule::ShimType,
            "shim passes over the trusted signature, because its entry of the certificate table is of the GUID type",
        )
    })
}

fn not_over_sha256() -> Reason {
    sentence::reason(
        Rule::ShimDigest,
        "shim compares signatures and lists with the padded SHA-256 digest of the image (lists also with SHA-1), and nothing trusted is over it",
    )
}
