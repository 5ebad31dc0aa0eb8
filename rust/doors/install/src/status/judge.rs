//! What the firmware makes of files on a partition, and whether they are what their names say.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read};

use touchstone_artifacts::verify::verdict;
use touchstone_esp::fs::Real;
use touchstone_esp::{EspPath, FileSystem, sha256};
use touchstone_pe::ReadError;
use touchstone_sign::firmware::Rule;

use super::answer::Judged;
use crate::install::place::FALLBACK;
use crate::variables::secure_boot::SecureBoot;

/// Looks at the files of one partition. Initrds and kernels that several entries share are read once.
pub(super) struct Judge<'a> {
    volume: &'a Real,
    secure_boot: Option<&'a SecureBoot>,
    hashed: HashMap<String, Result<[u8; 32], String>>,
    judged: HashMap<String, Judged>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(volume: &'a Real, secure_boot: Option<&'a SecureBoot>) -> Self {
        Self {
            volume,
            secure_boot,
            hashed: HashMap::new(),
            judged: HashMap::new(),
        }
    }

    /// What is wrong with a file whose name holds the first half of its content's hash; nothing when it is whole.
    pub(super) fn damage(&mut self, path: &EspPath, hash: &[u8; 16]) -> Option<String> {
        match self.digest(path) {
            Ok(digest) if digest.starts_with(hash) => None,
            Ok(_) => Some(format!("{path} is damaged: it is not what its name says")),
            Err(why) => Some(why),
        }
    }

    fn digest(&mut self, path: &EspPath) -> Result<[u8; 32], String> {
        let known = self.hashed.get(path.as_str()).cloned();
        known.unwrap_or_else(|| {
            let digest = self.volume.open(path).and_then(sha256);
            let digest = digest.map_err(|error| unreadable(path, &error));
            self.hashed.insert(path.to_string(), digest.clone());
            digest
        })
    }

    /// What the firmware makes of a program.
    pub(super) fn program(&mut self, path: &EspPath) -> Judged {
        if let Some(known) = self.judged.get(path.as_str()) {
            return known.clone();
        }
        let judged = match self.volume.open(path) {
            Ok(mut file) => self.judge(path, &mut file),
            Err(error) => refused(unreadable(path, &error)),
        };
        self.judged.insert(path.to_string(), judged.clone());
        judged
    }

    fn judge(&self, path: &EspPath, file: &mut File) -> Judged {
        let known = self.secure_boot.cloned().unwrap_or_default();
        let enforced = known.enforced;
        // shim starts everything but itself, and lies where firmware looks.
        let (db, dbx) = match FALLBACK.has(path) {
            true => (&known.db, &known.dbx),
            false => known.of_entries(),
        };
        let verdict = match verdict(file, db.clone(), dbx.clone()) {
            Ok(verdict) => verdict,
            Err(ReadError::Io(error)) => return refused(unreadable(path, &error)),
            Err(error) => {
                return refused(format!("{path} is no program for the firmware: {error}"));
            }
        };
        let malformed = verdict
            .reasons
            .iter()
            .any(|one| one.rule == Rule::ImageMalformed);
        let signers = verdict
            .signatures
            .iter()
            .filter_map(|one| one.signer.clone());
        let signed_by = signers.collect();
        if !enforced && !malformed {
            return Judged {
                boots: true,
                why: Vec::new(),
                signed_by,
            };
        }
        Judged {
            boots: verdict.boots,
            why: verdict.reasons.into_iter().map(|one| one.why).collect(),
            signed_by,
        }
    }

    /// A small file's text.
    pub(super) fn text(&self, path: &EspPath) -> io::Result<String> {
        /// More than any entry or `loader.conf` has, in bytes.
        const LIMIT: u64 = 1 << 20;
        let mut bytes = Vec::new();
        self.volume
            .open(path)?
            .take(LIMIT)
            .read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Opens a file of the partition.
    pub(super) fn open(&self, path: &EspPath) -> io::Result<File> {
        self.volume.open(path)
    }
}

pub(super) fn refused(why: String) -> Judged {
    Judged {
        boots: false,
        why: vec![why],
        signed_by: Vec::new(),
    }
}

fn unreadable(path: &EspPath, error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::NotFound => format!("{path} is missing"),
        _ => format!("{path} cannot be read: {error}"),
    }
}
