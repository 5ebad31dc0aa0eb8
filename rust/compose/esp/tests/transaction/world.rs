//! A folder that stands for an EFI system partition, and what is installed on it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use touchstone_esp::fs::Real;
use touchstone_esp::{
    Content, Desired, Entry, EspPath, File, FileSystem, Observed, Plan, Refusal, Silent,
    TransactionError, Trust, Verified, transact,
};

pub fn path(text: &str) -> EspPath {
    EspPath::parse(text).unwrap()
}

/// A folder in memory where there is one: thousands of syncs take their time on a disk.
pub fn folder() -> TempDir {
    match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm").unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

/// Everything below a folder: files with the digests of their contents, folders with nothing.
pub fn everything(root: &Path) -> BTreeMap<PathBuf, Option<[u8; 32]>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let file = entry.unwrap().path();
            let name = file.strip_prefix(root).unwrap().to_owned();
            if file.is_dir() {
                found.insert(name, None);
                folders.push(file);
            } else {
                let sha256 = Sha256::digest(fs::read(&file).unwrap()).into();
                found.insert(name, Some(sha256));
            }
        }
    }
    found
}

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

pub fn write(root: &Path, name: &str, content: &[u8]) {
    let file = root.join(name);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, content).unwrap();
}

pub fn read(root: &Path, name: &str) -> Vec<u8> {
    fs::read(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub fn bytes(text: &str) -> Content {
    Content::Bytes(text.repeat(100).into_bytes())
}

pub fn file(name: &str, text: &str) -> File {
    File {
        path: path(name),
        content: bytes(text),
    }
}

/// The name of a generation's unified kernel image, without a counter.
pub fn uki(generation: u32) -> String {
    format!("EFI/Linux/nixos-{generation}-{generation:032x}.efi")
}

/// The same with something between the name and `.efi`.
pub fn counted(generation: u32, counter: &str) -> String {
    format!("EFI/Linux/nixos-{generation}-{generation:032x}{counter}.efi")
}

pub fn entry(generation: u32, tries: Option<u32>) -> Entry {
    Entry {
        path: path(&uki(generation)),
        content: bytes(&format!("kernel {generation}\n")),
        tries,
    }
}

/// What an installer asks for: entries, a boot loader of this version twice, and its settings.
pub fn desired(generations: &[u32], tries: Option<u32>, loader: &str) -> Desired {
    let newest = generations.iter().max().unwrap();
    let entries = generations.iter().map(|number| entry(*number, tries));
    Desired {
        before: vec![file("EFI/nixos/policy.json", &format!("policy {newest}\n"))],
        artifacts: Vec::new(),
        entries: entries.collect(),
        fixed: vec![
            file("EFI/systemd/systemd-bootx64.efi", loader),
            file("EFI/BOOT/BOOTX64.EFI", loader),
            file("loader/loader.conf", &format!("default nixos-{newest}-*\n")),
        ],
        keep: Vec::new(),
        collect: true,
    }
}

/// How an installation can end badly.
#[derive(Debug)]
pub enum Bad {
    Refused(Refusal),
    Failed(TransactionError),
}

/// Installs, and tells whether there was anything to do.
pub fn install(fs: &impl FileSystem, desired: &Desired) -> Result<bool, Bad> {
    let observed = Observed::look(fs, desired).map_err(Bad::Refused)?;
    let mut digests = Verified::default().digests(fs.name(), Trust::default());
    let plan = Plan::make(fs, desired, &observed, &mut digests).map_err(Bad::Refused)?;
    transact(&[(fs, &plan)], &mut Silent).map_err(Bad::Failed)?;
    Ok(!plan.is_empty())
}

pub fn real(root: &Path) -> Real {
    Real::open(root).unwrap()
}

pub fn install_on(root: &Path, desired: &Desired) -> Result<bool, Bad> {
    install(&real(root), desired)
}

pub fn plan_of(fs: &impl FileSystem, desired: &Desired) -> Result<(), Refusal> {
    let observed = Observed::look(fs, desired)?;
    let mut digests = Verified::default().digests(fs.name(), Trust::default());
    Plan::make(fs, desired, &observed, &mut digests).map(drop)
}
