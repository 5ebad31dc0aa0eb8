//! Files beside a log that is compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::Value;
use touchstone_measure::eventlog::compare::{Known, Values};
use touchstone_measure::{Bank, Digest, Prediction, Uki, authenticode_digests};
use touchstone_pe::Image;
use touchstone_sign::esl;

use crate::source::{open, read_small};
use crate::{Error, Files};

/// The largest prediction, in bytes.
const PREDICTION_LIMIT: u64 = 64 << 20;
/// The largest list and the largest set of values: a dbx of today has 24 KiB.
const LIMIT: u64 = 1 << 20;
/// The largest section `.sdmagic`.
const MAGIC_LIMIT: u64 = 4096;

/// An answer of `measure.predict`.
pub(super) fn prediction(files: &dyn Files, path: &Path) -> Result<Prediction, Error> {
    let role = "prediction";
    let bytes = read_small(files, role, path, PREDICTION_LIMIT)?;
    serde_json::from_slice(&bytes).map_err(|error| Error::Text {
        role,
        file: path.to_owned(),
        fact: error.to_string(),
    })
}

/// Knows an image by the name that it gives itself, or by its file's.
pub(super) fn image(files: &dyn Files, path: &Path, known: &mut Known) -> Result<(), Error> {
    let role = "known image";
    let failed = |source| Error::Pe {
        role,
        file: path.to_owned(),
        source,
    };
    let mut file = open(files, role, path)?;
    let image = Image::read(&mut file).map_err(failed)?;
    let magic = match image.section(".sdmagic").cloned() {
        Some(section) => image
            .section_bytes(&mut file, &section, MAGIC_LIMIT)
            .map_err(failed)?,
        None => Vec::new(),
    };
    let name = own_name(path, &magic);
    let digests = authenticode_digests(&image, &mut file, &Bank::ALL).map_err(failed)?;
    for digest in Bank::ALL.into_iter().filter_map(|bank| digests.get(bank)) {
        known.add(digest, name.clone());
    }
    if image.section(".linux").is_some() {
        // A UKI whose stub is not known can be called by its name all the same.
        if let Ok(uki) = Uki::from_file(name.clone(), &mut file, &Bank::ALL, None) {
            known.add_uki(&name, &uki);
        }
    }
    Ok(())
}

/// systemd's programs say what they are: `#### LoaderInfo: systemd-boot 257.13 ####`. A stub is the beginning of a UKI.
fn own_name(path: &Path, magic: &[u8]) -> String {
    let text = std::str::from_utf8(magic).unwrap_or_default();
    let text = text.trim_end_matches('\0');
    let info = text
        .strip_prefix("#### LoaderInfo: ")
        .and_then(|rest| rest.strip_suffix(" ####"));
    let file = path.display();
    match info {
        Some(info) if info.starts_with("systemd-boot ") => info.to_owned(),
        Some(info) => format!("{file} ({info})"),
        None => file.to_string(),
    }
}

/// Content of PK, KEK, db or dbx.
pub(super) fn list(files: &dyn Files, path: &Path) -> Result<Vec<u8>, Error> {
    let role = "signature list";
    let bytes = read_small(files, role, path, LIMIT)?;
    match esl::parse(&bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(Error::SignatureData {
            role,
            file: path.to_owned(),
            fact: error.to_string(),
        }),
    }
}

/// What the machine's registers hold.
pub(super) fn values(files: &dyn Files, path: &Path) -> Result<Values, Error> {
    let role = "set of PCR values";
    let bytes = read_small(files, role, path, LIMIT)?;
    let text = |fact: String| Error::Text {
        role,
        file: path.to_owned(),
        fact,
    };
    let read = std::str::from_utf8(&bytes).map_err(|error| text(error.to_string()))?;
    if !read.trim_start().starts_with('{') {
        return printed(read)
            .ok_or_else(|| text("it is neither JSON nor what `tpm2_pcrread` prints".to_owned()));
    }
    in_json(read).map_err(|error| text(error.to_string()))
}

/// As `eventlog.replay` answers, or register → value.
fn in_json(text: &str) -> Result<Values, serde_json::Error> {
    let value: Value = serde_json::from_str(text)?;
    if let Some(pcrs) = value.get("pcrs") {
        return Values::deserialize(pcrs);
    }
    let values = BTreeMap::<u32, Digest>::deserialize(value)?;
    let of = |(pcr, value): (u32, Digest)| (pcr, BTreeMap::from([(value.bank(), value)]));
    Ok(values.into_iter().map(of).collect())
}

/// What `tpm2_pcrread` prints: banks, and below each `number: 0xVALUE`. Banks that are not known are passed over.
fn printed(text: &str) -> Option<Values> {
    let mut values = Values::new();
    let mut bank: Option<Bank> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, value) = line.split_once(':')?;
        match value.trim() {
            "" => bank = word.trim().parse().ok(),
            value => {
                let pcr = word.trim().parse().ok()?;
                let Some(bank) = bank else { continue };
                let digest: Digest = value.strip_prefix("0x")?.parse().ok()?;
                let digest = Some(digest).filter(|digest| digest.bank() == bank)?;
                values.entry(pcr).or_default().insert(bank, digest);
            }
        }
    }
    (!values.is_empty()).then_some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_tpm2_pcrread_prints() {
        let text = "  sha1:\n    7 : 0x6A5043C73A30327110D492592D8A59132046960A\n  sm3_256:\n    7 : 0x00\n";
        let values = printed(text).unwrap();
        let value = "6a5043c73a30327110d492592d8a59132046960a".parse().unwrap();
        assert_eq!(
            values,
            Values::from([(7, BTreeMap::from([(Bank::Sha1, value)]))])
        );
        for text in ["", "sha1:", "sha1:\n 7: 0x00", "sha1:\n 7: x", "x"] {
            assert_eq!(printed(text), None, "{text}");
        }
    }

    #[test]
    fn reads_both_forms_of_json() {
        let value = Bank::Sha1.hash(b"");
        let expected = Values::from([(7, BTreeMap::from([(Bank::Sha1, value)]))]);
        let plain = format!("{{\"7\":\"{value}\"}}");
        assert_eq!(in_json(&plain).unwrap(), expected);
        let replayed = format!("{{\"pcrs\":{{\"7\":{{\"sha1\":\"{value}\"}}}}}}");
        assert_eq!(in_json(&replayed).unwrap(), expected);
        assert!(in_json("{\"7\":1}").is_err() && in_json("{\"x\":\"00\"}").is_err());
    }

    #[test]
    fn calls_systemds_programs_by_their_own_names() {
        let path = Path::new("x.efi");
        let magic = |what: &str| format!("#### LoaderInfo: {what} ####\0").into_bytes();
        assert_eq!(
            own_name(path, &magic("systemd-boot 257.9-1")),
            "systemd-boot 257.9-1"
        );
        let stub = own_name(path, &magic("systemd-stub 257.9-1"));
        assert_eq!(stub, "x.efi (systemd-stub 257.9-1)");
        assert_eq!(own_name(path, b"\xff"), "x.efi");
    }
}
