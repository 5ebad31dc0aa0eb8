//! One record.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{Record, Target, UserspaceLogError};
use crate::bank::{Bank, Digest};
use crate::eventlog::describe::printable;

/// The fields that are looked at; a field given twice is an error.
#[derive(Deserialize)]
struct Raw {
    pcr: Option<u64>,
    nv_index: Option<u64>,
    digests: Vec<RawDigest>,
    content_type: Option<String>,
    content: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawDigest {
    hash_alg: String,
    digest: String,
}

/// The content of systemd's own records.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    string: Option<String>,
    event_type: Option<String>,
    boot_id: Option<String>,
}

/// A record, and the boot that it says it is of.
pub(super) fn read(
    number: usize,
    text: &[u8],
) -> Result<(Record, Option<String>), UserspaceLogError> {
    let Some((b'\n', json)) = text.split_last() else {
        return Err(UserspaceLogError::Truncated { record: number });
    };
    let form = |error: serde_json::Error| UserspaceLogError::Form {
        record: number,
        fact: printable(&error.to_string()),
    };
    let raw: Raw = serde_json::from_slice(json).map_err(form)?;
    let (digests, others) = digests(number, raw.digests)?;
    let target = target(number, raw.pcr, raw.nv_index)?;
    let (content, foreign) = match raw.content_type.as_deref() {
        Some("systemd") => {
            let content = raw.content.unwrap_or(Value::Null);
            (Content::deserialize(content).map_err(form)?, None)
        }
        writer => {
            let writer = writer.unwrap_or("an unnamed writer");
            (Content::default(), Some(printable(writer)))
        }
    };
    let record = Record {
        target,
        digests,
        others,
        kind: content.event_type,
        text: content.string,
        foreign,
    };
    Ok((record, content.boot_id))
}

fn target(
    record: usize,
    pcr: Option<u64>,
    nv_index: Option<u64>,
) -> Result<Target, UserspaceLogError> {
    match (pcr, nv_index) {
        (Some(pcr @ 17..=22), None) => Err(UserspaceLogError::DynamicRegister { record, pcr }),
        (Some(pcr), None) => match u32::try_from(pcr) {
            Ok(pcr @ 0..=23) => Ok(Target::Pcr(pcr)),
            _ => Err(UserspaceLogError::Register { record, pcr }),
        },
        (None, Some(index)) => u32::try_from(index)
            .map(Target::NvIndex)
            .map_err(|_| UserspaceLogError::Target { record }),
        _ => Err(UserspaceLogError::Target { record }),
    }
}

type Digests = (BTreeMap<Bank, Digest>, BTreeMap<String, String>);

/// Digests of banks, and those of other algorithms.
fn digests(record: usize, raw: Vec<RawDigest>) -> Result<Digests, UserspaceLogError> {
    if raw.is_empty() {
        return Err(UserspaceLogError::NoDigest { record });
    }
    let (mut known, mut others) = (BTreeMap::new(), BTreeMap::new());
    for RawDigest { hash_alg, digest } in raw {
        let algorithm = printable(&hash_alg);
        let again = match hash_alg.parse::<Bank>() {
            Ok(bank) => {
                let digest: Digest = digest
                    .parse()
                    .ok()
                    .filter(|digest: &Digest| digest.bank() == bank)
                    .ok_or(UserspaceLogError::Digest { record, bank })?;
                known.insert(bank, digest).is_some()
            }
            Err(_) => others
                .insert(algorithm.clone(), printable(&digest))
                .is_some(),
        };
        if again {
            return Err(UserspaceLogError::DuplicateDigest { record, algorithm });
        }
    }
    Ok((known, others))
}
