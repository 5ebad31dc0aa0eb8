//! A disk or a CD with one file system for EFI, made without root: mtools on a sparse file.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::machine::{Content, System};
use super::prepared::{checked, copy};
use super::{Programs, el_torito, gpt, guard, run, sparse};

const MEBIBYTE: u64 = 1 << 20;
/// Enough clusters of 4 KiB for FAT32, which counts as such from 65525 clusters on.
const SMALLEST_ESP: u64 = 300;

/// What firmware finds the file system by. Either has it from the first mebibyte on.
#[derive(Clone, Copy)]
pub(super) enum Table {
    /// A partition of a disk.
    Gpt,
    /// The boot image of a CD.
    ElTorito,
}

impl Table {
    fn write(self, file: &File, sectors: u64) -> io::Result<()> {
        match self {
            Table::Gpt => gpt::write(file, sectors, None),
            Table::ElTorito => el_torito::write(file, sectors),
        }
    }
}

/// Writes [`run::DISK`] in the private folder.
pub(super) fn make(
    programs: &dyn Programs,
    home: &Path,
    table: Table,
    files: &[(String, Content)],
) -> Result<()> {
    let tree = home.join("esp");
    let content = stage(&tree, files)?;
    // FAT rounds each file up to a cluster; an eighth more covers that and the tables.
    let size = SMALLEST_ESP.max(content / MEBIBYTE / 8 * 9 + 16);
    let disk = home.join(run::DISK);
    let sectors = (size + 2) * MEBIBYTE / gpt::SECTOR;
    let file = File::create_new(&disk).with_context(|| disk.display().to_string())?;
    file.set_len(sectors * gpt::SECTOR)
        .and_then(|()| table.write(&file, sectors))
        .with_context(|| disk.display().to_string())?;
    format(programs, home, gpt::partition_end(sectors) + 1 - gpt::FIRST)?;
    fill(programs, home, &tree)?;
    fs::remove_dir_all(&tree).with_context(|| tree.display().to_string())
}

/// The same of a system's disk.
pub(super) fn make_system(programs: &dyn Programs, home: &Path, system: &System) -> Result<()> {
    let tree = home.join("esp");
    stage(&tree, &system.esp)?;
    let sectors = |bytes: u64| bytes.div_ceil(gpt::SECTOR);
    let esp = sectors(system.esp_mebibytes * MEBIBYTE);
    let root = &system.root;
    let size = fs::metadata(root).with_context(|| root.display().to_string())?;
    let first = gpt::FIRST + esp;
    // A mebibyte behind it is the second table's.
    let all = first + sectors(size.len() + MEBIBYTE);
    let disk = home.join(run::DISK);
    let file = File::create_new(&disk).with_context(|| disk.display().to_string())?;
    file.set_len(all * gpt::SECTOR)
        .and_then(|()| gpt::write(&file, all, Some(first)))
        .with_context(|| disk.display().to_string())?;
    sparse::copy_into(root, &file, first * gpt::SECTOR)?;
    format(programs, home, esp)?;
    fill(programs, home, &tree)?;
    fs::remove_dir_all(&tree).with_context(|| tree.display().to_string())
}

/// Lays the files out below `tree`; the sum of their sizes in bytes.
fn stage(tree: &Path, files: &[(String, Content)]) -> Result<u64> {
    fs::create_dir(tree).with_context(|| tree.display().to_string())?;
    let mut total = 0;
    for (path, content) in files {
        let target = tree.join(checked(path)?);
        if target.exists() {
            bail!("{path} is twice on the ESP");
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        match content {
            Content::Bytes(bytes) => {
                fs::write(&target, bytes).with_context(|| target.display().to_string())?
            }
            Content::File(source) => copy(source, &target)?,
        }
        total += fs::metadata(&target)?.len();
    }
    Ok(total)
}

/// Makes the file system; `size` in sectors. FAT32 whatever the size, with a fixed serial number.
fn format(programs: &dyn Programs, home: &Path, size: u64) -> Result<()> {
    let mut command = programs.command("mformat", home)?;
    command
        .args(["-F", "-c", "8", "-N", "54535445", "-v", "ESP", "-T"])
        .arg(size.to_string());
    command.arg("-i").arg(image(home)).arg("::");
    guard::run(command)
}

fn fill(programs: &dyn Programs, home: &Path, tree: &Path) -> Result<()> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(tree).with_context(|| tree.display().to_string())? {
        entries.push(entry?.path());
    }
    if entries.is_empty() {
        return Ok(());
    }
    entries.sort();
    let mut command = programs.command("mcopy", home)?;
    command
        .arg("-sQ")
        .arg("-i")
        .arg(image(home))
        .args(entries)
        .arg("::/");
    guard::run(command)
}

/// The partition in mtools' notation.
pub(super) fn image(home: &Path) -> String {
    format!("{}@@1M", home.join(run::DISK).display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_paths_that_leave_the_esp() {
        let folder = tempfile::tempdir().unwrap();
        for (number, path) in ["", "/EFI", "EFI//x", "../x", "EFI/."]
            .into_iter()
            .enumerate()
        {
            let files = [(path.to_owned(), Content::Bytes(Vec::new()))];
            assert!(
                stage(&folder.path().join(number.to_string()), &files).is_err(),
                "{path}"
            );
        }
    }

    #[test]
    fn refuses_a_path_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let file = ("a/b".to_owned(), Content::Bytes(vec![1]));
        let error = stage(&folder.path().join("esp"), &[file.clone(), file]).unwrap_err();
        assert!(error.to_string().contains("twice"));
    }
}
