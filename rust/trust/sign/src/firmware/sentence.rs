//! The verdict in sentences.

use super::certificate::NotIssuer;
use super::chain::NoChain;
use super::digest::{DigestKind, ImageDigests};
use super::message::Flaw;
use super::verdict::{Reason, Rule};

pub(super) fn reason(rule: Rule, why: impl Into<String>) -> Reason {
    Reason {
        rule,
        why: why.into(),
    }
}

pub(super) fn digest_in(list: &str, kind: DigestKind) -> Reason {
    let rule = match list {
        "db" => Rule::DigestInDb,
        _ => Rule::DigestInDbx,
    };
    reason(rule, format!("{list} has the {kind} digest of the image"))
}

pub(super) fn not_signed() -> Reason {
    reason(
        Rule::NotSigned,
        "the image is not signed, and db has no digest of it",
    )
}

pub(super) fn malformed(at: usize) -> Reason {
    reason(
        Rule::TableMalformed,
        format!(
            "the certificate table is malformed at byte {at}: an entry with its padding does not fit into it, or has no data"
        ),
    )
}

pub(super) fn hash_unknown(pkcs7: &[u8]) -> Reason {
    // 1.2.840.113549.2.5
    const MD5: [u8; 8] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05];
    let what = match pkcs7.get(32..).is_some_and(|place| place.starts_with(&MD5)) {
        true => "the signature is over an MD5 digest, which firmware does not compute",
        false => {
            "where a signature names its digest (at byte 32) stands none that firmware computes: SHA-1, SHA-256, SHA-384 or SHA-512"
        }
    };
    reason(Rule::HashUnknown, what)
}

pub(super) fn no_digest(kind: DigestKind) -> Reason {
    reason(
        Rule::HashUnknown,
        format!("the image has no {kind} digest that the signature could be of"),
    )
}

/// Of a path from signer to anchor.
pub(super) fn trusted(path: &[String]) -> Reason {
    let why = match path {
        [signer] => format!("signed by {signer}, whose certificate is in db"),
        [signer, .., anchor] => format!(
            "signed by {signer}; the chain {} ends at {anchor}, which is in db",
            chain(path)
        ),
        [] => "signed by a certificate in db".to_owned(),
    };
    reason(Rule::SignatureTrusted, why)
}

pub(super) fn forbidden(path: &[String]) -> Reason {
    let why = match path {
        [signer] => format!("signed by {signer}, whose certificate is in dbx"),
        _ => format!(
            "the chain of the signature, {}, leads to a certificate in dbx",
            chain(path)
        ),
    };
    reason(Rule::CertificateInDbx, why)
}

fn chain(path: &[String]) -> String {
    path.join(" ← ")
}

pub(super) fn revoked(subject: &str, kind: DigestKind) -> Reason {
    reason(
        Rule::TbsInDbx,
        format!(
            "signed by {subject}, whose certificate dbx names by the {kind} digest of its signed part"
        ),
    )
}

pub(super) fn anchor_revoked(subject: &str, kind: DigestKind) -> Reason {
    reason(
        Rule::AnchorTbsInDbx,
        format!(
            "the signature leads to {subject}, which is in db, but dbx names that certificate by the {kind} digest of its signed part: no other certificate in db is asked"
        ),
    )
}

pub(super) fn signer_unreadable() -> Reason {
    reason(
        Rule::SignerUnreadable,
        "there is a dbx, and the signature does not tell whose it is: its signer's certificate cannot be found in it",
    )
}

pub(super) fn unreadable() -> Reason {
    reason(
        Rule::Unreadable,
        "the signature is no CMS SignedData in DER with a signer whose certificate is in it",
    )
}

pub(super) fn flaw(flaw: &Flaw, kind: DigestKind, digests: &ImageDigests) -> Reason {
    match flaw {
        Flaw::NotAuthenticode => reason(
            Rule::Unreadable,
            "the signature is not of an image's digest",
        ),
        Flaw::OtherImage { stated } => {
            let own = digests.get(&kind).map(|digest| hex(digest));
            reason(
                Rule::ImageChanged,
                format!(
                    "the image was changed after it was signed, or the signature is of another image: its {kind} digest is {}, signed is {}",
                    own.unwrap_or_default(),
                    hex(stated)
                ),
            )
        }
        Flaw::Algorithm(name) => reason(
            Rule::SignatureBad,
            format!("the signature uses the algorithm {name}, which is not verified"),
        ),
        Flaw::Altered => reason(
            Rule::SignatureBad,
            "what the signature says was changed after it was signed",
        ),
        Flaw::Bad { signer } => reason(
            Rule::SignatureBad,
            format!("the signature is bad: the key of {signer} did not make it"),
        ),
    }
}

/// `signer` is the subject, `found` why each certificate of `db` is not reached.
pub(super) fn no_chain(signer: &str, found: &[NoChain]) -> Reason {
    let telling = found
        .iter()
        .find(|reason| !matches!(reason, NoChain::Apart { .. }))
        .or(found.first());
    let why = match telling {
        None => format!("signed by {signer}, and db has no certificates"),
        Some(NoChain::Apart { top, missing }) if top == missing => {
            format!("signed by {signer}, which is not trusted: {top} is not in db")
        }
        Some(NoChain::Apart { top, missing }) => format!(
            "signed by {signer}, which is not trusted: neither db nor the signature has the certificate {missing} that issued {top}"
        ),
        Some(NoChain::Not { issued, why }) => format!(
            "signed by {signer}, which is not trusted: the certificate in db that bears the name of the issuer of {issued} {}",
            not_issuer(*why)
        ),
        Some(NoChain::TooLong(authority)) => format!(
            "signed by {signer}, which is not trusted: {authority} allows fewer authorities below it than there are"
        ),
        Some(NoChain::Critical(subject, id)) => format!(
            "signed by {signer}, which is not trusted: the certificate of {subject} has the critical extension {id}, which firmware does not understand"
        ),
    };
    reason(Rule::NoChain, why)
}

fn not_issuer(why: NotIssuer) -> &'static str {
    match why {
        NotIssuer::OtherName => "has another name",
        NotIssuer::NoAuthority => "is no certificate authority",
        NotIssuer::OtherKey => "is of another key",
        NotIssuer::BadSignature => "did not sign it",
    }
}

/// Bytes in hex.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
