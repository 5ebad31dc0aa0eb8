//! What is to be on one file system when a transaction is done.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::EspPath;

/// What is to be on one file system. Whatever else lies in the folders that are ours is garbage, unless `keep` names it.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// Published, and on the disk, before anything that needs it: policies that must admit the new files and still admit the running ones.
    pub before: Vec<File>,
    /// Kernels, initrds and what else entries name. Their names hold the digest of their content.
    pub artifacts: Vec<File>,
    /// What the boot loader offers.
    pub entries: Vec<Entry>,
    /// Files that have one name whatever they hold: the boot loader's two copies, in this order, `loader.conf`, extra files.
    pub fixed: Vec<File>,
    /// Files in our folders that nobody asked for and that stay.
    pub keep: Vec<EspPath>,
    /// Whether garbage is collected at all: not while a generation could not be read, whose files it might be.
    pub collect: bool,
}

impl Desired {
    /// The paths of all files, those of entries without a counter.
    pub fn paths(&self) -> impl Iterator<Item = &EspPath> {
        let files = self.before.iter().chain(&self.artifacts).chain(&self.fixed);
        let entries = self.entries.iter().map(|entry| &entry.path);
        files.map(|file| &file.path).chain(entries)
    }
}

impl Content {
    /// Its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Copy { size, .. } => *size,
        }
    }

    /// SHA-256 of it.
    pub fn sha256(&self) -> [u8; 32] {
        match self {
            Content::Bytes(bytes) => Sha256::digest(bytes).into(),
            Content::Copy { sha256, .. } => *sha256,
        }
    }
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it lies.
    pub path: EspPath,
    /// What it holds.
    pub content: Content,
}

/// A boot entry: a unified kernel image (Type #2), or a text that names kernel and initrds (Type #1).
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it lies when it has no counter: `EFI/Linux/nixos-….efi` or `loader/entries/nixos-….conf`.
    pub path: EspPath,
    /// What it holds.
    pub content: Content,
    /// How often a new one is tried before it counts as bad; none when boots are not counted. One that is there already keeps what it has.
    pub tries: Option<u32>,
}

/// What a file holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this file holds, elsewhere.
    Copy {
        /// The file.
        source: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// SHA-256 of it: what is copied is compared with it.
        sha256: [u8; 32],
    },
}
