//! EFI programs of Debian's packages: every PE file that a package holds, found by content and not by name.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::debian::Package;
use crate::progress::Stage;
use crate::roots;

/// Unpacks each package into a folder of its own below `folder`, and keeps its PE files alone.
///
/// # Errors
/// When a package cannot be unpacked.
pub fn unpack(archives: &Path, packages: &[Package], folder: &Path, stage: &Stage) -> Result<()> {
    for package in packages {
        let own = folder.join(label(&package.file));
        fs::create_dir_all(&own)?;
        roots::unpack(archives, std::slice::from_ref(package), &own, stage)?;
        keep_images(&own).with_context(|| format!("looking through {}", package.file))?;
    }
    Ok(())
}

/// The PE files below `folder`, in order of their names.
///
/// # Errors
/// When a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if is_image(&path)? {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// `name_architecture` of `name_version_architecture.deb`.
fn label(file: &str) -> String {
    let parts: Vec<&str> = file.trim_end_matches(".deb").split('_').collect();
    match parts.as_slice() {
        [name, _version, architecture] => format!("{name}_{architecture}"),
        _ => file.to_owned(),
    }
}

fn keep_images(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        if kind.is_dir() {
            keep_images(&path)?;
            if fs::read_dir(&path)?.next().is_none() {
                fs::remove_dir(&path)?;
            }
        } else if !kind.is_file() || !is_image(&path)? {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Whether a file begins with a DOS header that leads to a PE signature.
fn is_image(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let mut dos = [0; 64];
    let [.., a, b, c, d] = match read(&mut file, &mut dos)? {
        true if dos.starts_with(b"MZ") => dos,
        _ => return Ok(false),
    };
    file.seek(SeekFrom::Start(u32::from_le_bytes([a, b, c, d]).into()))?;
    let mut signature = [0; 4];
    Ok(read(&mut file, &mut signature)? && signature == *b"PE\0\0")
}

/// Fills the buffer; false when the file ends before.
fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_images_whatever_they_are_called() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut image = vec![0; 68];
        image[..2].copy_from_slice(b"MZ");
        image[60] = 64;
        image[64..].copy_from_slice(b"PE\0\0");
        fs::create_dir(at("empty")).unwrap();
        fs::write(at("vmlinux-6"), &image).unwrap();
        fs::write(at("short.efi"), &image[..40]).unwrap();
        fs::write(at("text.efi"), "MZ").unwrap();
        keep_images(folder.path()).unwrap();
        assert_eq!(files(folder.path()).unwrap(), [at("vmlinux-6")]);
        assert!(!at("empty").exists() && !at("text.efi").exists() && !at("short.efi").exists());
    }

    #[test]
    fn a_package_is_called_by_name_and_architecture() {
        assert_eq!(
            label("fwupd-unsigned_1%3a1.7-1_riscv64.deb"),
            "fwupd-unsigned_riscv64"
        );
    }
}
