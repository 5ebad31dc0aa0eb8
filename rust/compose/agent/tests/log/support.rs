//! Logs in folders of their own.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_agent::log::{
    CheckpointKey, CheckpointSigner, Digest, Entry, Event, Log, LogError, Operation, PublicKey,
    Settings, Signed, Subject,
};
use touchstone_agent::{Derivation, Identity};
use zeroize::Zeroizing;

/// The key of checkpoints in these tests.
pub fn key() -> CheckpointKey {
    CheckpointKey::from_seed("builder.example", &Zeroizing::new([7; 32])).unwrap()
}

pub fn public_key() -> PublicKey {
    key().public_key().clone()
}

/// Settings that make no checkpoint by themselves.
pub fn settings() -> Settings {
    Settings {
        checkpoint_entries: u64::MAX,
        checkpoint_seconds: 86_400,
        ..Settings::new("/unused".into())
    }
}

/// A folder for a log, and one for exports.
pub struct Place {
    folder: PathBuf,
    /// Removed at the end, unless the folder is another process'.
    _own: Option<TempDir>,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("exports")).unwrap();
        Place {
            folder: folder.path().to_owned(),
            _own: Some(folder),
        }
    }

    /// The place that another process has made.
    pub fn at(folder: &str) -> Place {
        Place {
            folder: folder.into(),
            _own: None,
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    pub fn exports(&self) -> PathBuf {
        self.folder.join("exports")
    }

    /// The settings of [`settings`], with the folder of exports.
    pub fn settings(&self) -> Settings {
        Settings {
            exports: vec![self.exports()],
            ..settings()
        }
    }

    pub fn open(&self) -> Log {
        self.open_with(self.settings())
    }

    pub fn open_with(&self, settings: Settings) -> Log {
        // A process that another test has just started holds what this one has open until it is another program.
        for _ in 0..200 {
            match Log::open(&self.log(), settings.clone(), Box::new(key())) {
                Err(LogError::Busy { .. }) => {
                    std::thread::sleep(std::time::Duration::from_millis(20))
                }
                opened => return opened.unwrap(),
            }
        }
        panic!("the log stays locked");
    }

    /// The names of the exported checkpoints, the oldest first.
    pub fn exported(&self) -> Vec<PathBuf> {
        sorted(&self.exports())
    }
}

/// The files of a folder, sorted.
pub fn sorted(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

/// The segments of a log.
pub fn segments(log: &Path) -> Vec<PathBuf> {
    let mut files = sorted(log);
    files.retain(|file| file.extension().is_some_and(|end| end == "log"));
    files
}

/// Every entry of a log.
pub fn entries(log: &Path) -> Vec<Entry> {
    let lines = segments(log).into_iter().flat_map(|segment| {
        let text = fs::read_to_string(segment).unwrap();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    });
    lines
        .map(|line| Entry::parse(line.as_bytes()).unwrap())
        .collect()
}

pub fn derivation(number: usize) -> Derivation {
    let path = format!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-web-{number}.drv");
    Derivation::parse(&path).unwrap()
}

/// What an agent writes of a signature that it gave to the build of a derivation.
pub fn signed(number: usize) -> Signed {
    Signed {
        client: Identity::Build {
            derivation: derivation(number),
        },
        key: "db".to_owned().try_into().unwrap(),
        operation: Operation::Authenticode,
        rule: Some("web".to_owned()),
        subjects: vec![Subject {
            what: "image".to_owned(),
            digest: Digest::of(&number.to_le_bytes()).to_string(),
        }],
        signatures: vec![Digest::of(b"signature")],
    }
}

pub fn refused(what: &str) -> Event {
    Event::Refused {
        client: Identity::User {
            uid: 0,
            gid: 0,
            name: Some("root".to_owned()),
        },
        operation: Some(Operation::Manifest),
        key: None,
        code: "policy.rule".to_owned(),
        what: what.to_owned(),
    }
}
