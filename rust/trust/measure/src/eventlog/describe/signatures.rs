//! Signature databases: what stands in them.

use std::collections::BTreeMap;

use touchstone_sign::{certificate, esl};

use crate::eventlog::describe::{bytes, printable};

/// The subject of a certificate in DER.
pub(super) fn subject(der: &[u8]) -> Option<String> {
    let certificate = certificate::read(der).ok()?;
    // A file of PEM is a certificate as well, but not here.
    (der.first() == Some(&0x30)).then(|| certificate::subject(&certificate))
}

/// The certificates by their subjects, the rest by its number; none when it is no sequence of signature lists.
pub(super) fn summary(content: &[u8]) -> Option<String> {
    let lists = esl::parse(content).ok()?;
    let mut parts = Vec::new();
    let mut others: BTreeMap<&str, usize> = BTreeMap::new();
    for list in &lists {
        for entry in &list.signatures {
            match subject(&entry.data).filter(|_| list.kind == esl::X509) {
                Some(subject) => parts.push(format!("certificate {subject}")),
                None => {
                    let count = others.entry(kind_of(list.kind)).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
    }
    parts.extend(
        others
            .into_iter()
            .map(|(kind, count)| format!("{count} × {kind}")),
    );
    Some(match parts.as_slice() {
        [] => "no entry".to_owned(),
        parts => parts.join("; "),
    })
}

fn kind_of(kind: uuid::Uuid) -> &'static str {
    match kind {
        esl::X509 => "certificate that cannot be read",
        esl::SHA256 => "digest of an image",
        esl::X509_SHA256 => "digest of a certificate",
        _ => "entry of another type",
    }
}

/// Each entry in words, in order, by which two lists can be compared; none when it is no sequence of signature lists.
pub(in crate::eventlog) fn entries(content: &[u8]) -> Option<Vec<String>> {
    let lists = esl::parse(content).ok()?;
    let entries = lists.iter().flat_map(|list| {
        let entry = |entry: &esl::Signature| {
            let what = match (list.kind, subject(&entry.data)) {
                (esl::X509, Some(subject)) => {
                    // Two certificates may have one subject.
                    let digest = crate::Bank::Sha256.hash(&entry.data).to_string();
                    let begin = digest.get(..16).unwrap_or_default();
                    format!("the certificate {subject} (SHA-256 {begin}…)")
                }
                (esl::SHA256, _) => {
                    let digest = data_encoding::HEXLOWER.encode(&entry.data);
                    format!("the image digest {digest}")
                }
                (kind, _) => format!("an entry of type {kind}, {}", bytes(entry.data.len())),
            };
            printable(&format!("{what}, owner {}", entry.owner))
        };
        list.signatures.iter().map(entry).collect::<Vec<_>>()
    });
    Some(entries.collect())
}
