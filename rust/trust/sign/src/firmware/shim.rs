//! What shim asks beyond the firmware's rules, where it starts the image. SBAT is another matter:
//! see `touchstone_pe::sbat`.
//!
//! Source: shim 15.3 to 16.1 (BSD-2-Clause), by its behaviour. shim computes SHA-256 and SHA-1 of an
//! image whatever its signatures say, looks both up in `db` and `dbx`, and compares a signature with
//! the SHA-256 digest only. In one respect it asks less than firmware: a certificate in `dbx` forbids
//! the signatures that lead to it, not the image. The verdict keeps the firmware's rule there.

use super::database::Database;
use super::digest::{DigestKind, ImageDigests};
use super::sentence;
use super::verdict::{Reason, Rule, Verdict};

/// The digests that shim looks up.
const LOOKED_UP: [DigestKind; 2] = [DigestKind::Sha1, DigestKind::Sha256];

/// Why shim refuses an image of which firmware says `verdict`.
pub fn objections(
    verdict: &Verdict,
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
    let by_signature = |signature: &super::SignatureVerdict| {
        signature.ok && signature.hash == Some(DigestKind::Sha256) && signature.trusted_by.is_some()
    };
    let accepted = verdict.signatures.iter().any(by_signature)
        || LOOKED_UP.into_iter().any(|kind| in_list(db, kind));
    if verdict.boots && !accepted {
        reasons.push(sentence::reason(
            Rule::ShimDigest,
            "shim compares signatures with the SHA-256 digest of the image only, and no trusted one is over it",
        ));
    }
    reasons
}
