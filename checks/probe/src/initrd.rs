//! `mode = "initrd"`: this program as the whole first user space of a machine.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};
use serde::Deserialize;

use crate::disk;

/// Attributes of the mode.
#[derive(Deserialize)]
pub struct Attributes {
    /// Text of `/etc/generation`, by which two initrds differ; absent: no such file.
    generation: Option<String>,
    /// Kernel modules that are loaded, in their order.
    #[serde(default)]
    modules: Vec<PathBuf>,
    /// Where the system goes on behind the initrd; absent: nowhere.
    disk: Option<disk::Place>,
}

/// Writes the archive `<out>/initrd`, as NixOS places it.
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    let program = std::env::current_exe()
        .context("the path of this program is not known: is /proc mounted?")?;
    let init = fs::read(&program).with_context(|| program.display().to_string())?;
    let files = files(attributes)?;
    fs::create_dir(out).with_context(|| out.display().to_string())?;
    let path = out.join("initrd");
    let file = File::create_new(&path).with_context(|| path.display().to_string())?;
    write(&mut BufWriter::new(file), init, files).with_context(|| path.display().to_string())
}

/// What the attributes put into the archive beside the program.
fn files(attributes: &Attributes) -> Result<Vec<Entry>> {
    let mut files = Vec::new();
    if let Some(text) = &attributes.generation {
        files.push(Entry::file("etc/generation", text.clone().into_bytes()));
    }
    if let Some(place) = &attributes.disk {
        let text = serde_json::to_vec(place)?;
        files.push(Entry::file(disk::PLACE.trim_start_matches('/'), text));
        files.push(Entry::folder(disk::ROOT.trim_start_matches('/'), 0o755));
    }
    for (number, module) in attributes.modules.iter().enumerate() {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        // A store path has a name with its hash before it: the number alone says the order.
        let name = format!("{}/{number:02}-{name}", disk::MODULES).replacen('/', "", 1);
        let content = fs::read(module).with_context(|| module.display().to_string())?;
        files.push(Entry::file(&name, content));
    }
    for folder in ["etc/", "modules/"] {
        if files.iter().any(|file| file.name.starts_with(folder)) {
            files.push(Entry::folder(folder.trim_end_matches('/'), 0o755));
        }
    }
    Ok(files)
}

/// A file or folder of the archive.
struct Entry {
    name: String,
    kind: ModeFileType,
    mode: u32,
    content: Vec<u8>,
}

impl Entry {
    fn file(name: &str, content: Vec<u8>) -> Entry {
        Entry {
            name: name.to_owned(),
            kind: ModeFileType::Regular,
            mode: 0o444,
            content,
        }
    }

    fn folder(name: &str, mode: u32) -> Entry {
        Entry {
            name: name.to_owned(),
            kind: ModeFileType::Directory,
            mode,
            content: Vec::new(),
        }
    }
}

/// The archive: the kernel's file systems have their folders, the program is `/init`. Entries are sorted, belong
/// to root, have no time stamp and are numbered from 1: the same program and files give the same bytes.
fn write<W: Write>(out: &mut W, init: Vec<u8>, files: Vec<Entry>) -> Result<()> {
    let mut entries = vec![
        Entry::folder("dev", 0o755),
        Entry {
            mode: 0o555,
            ..Entry::file("init", init)
        },
        Entry::folder("proc", 0o555),
        Entry::folder("sys", 0o555),
    ];
    entries.extend(files);
    entries.sort_by(|one, other| one.name.cmp(&other.name));

    for (entry, number) in entries.into_iter().zip(1..) {
        let links = if matches!(entry.kind, ModeFileType::Directory) {
            2
        } else {
            1
        };
        let size = u32::try_from(entry.content.len())
            .context("a file of 4 GiB or more does not fit a newc archive")?;
        let mut place = Builder::new(&entry.name)
            .ino(number)
            .nlink(links)
            .mode(entry.mode)
            .set_mode_file_type(entry.kind)
            .write(&mut *out, size);
        place.write_all(&entry.content)?;
        place.finish()?;
    }
    trailer(&mut *out)?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpio::newc::Reader;

    fn archive(generation: Option<&str>) -> Vec<u8> {
        archive_of(&Attributes {
            generation: generation.map(str::to_owned),
            modules: Vec::new(),
            disk: None,
        })
    }

    fn archive_of(attributes: &Attributes) -> Vec<u8> {
        let mut bytes = Vec::new();
        let files = files(attributes).unwrap();
        write(&mut bytes, b"program".to_vec(), files).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Vec<(String, u32, String)> {
        let mut rest = bytes;
        let mut seen = Vec::new();
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                return seen;
            }
            let mut content = String::new();
            std::io::Read::read_to_string(&mut reader, &mut content).unwrap();
            let (name, mode) = (reader.entry().name().to_owned(), reader.entry().mode());
            seen.push((name, mode, content));
            rest = reader.finish().unwrap();
        }
    }

    fn names(seen: &[(String, u32, String)]) -> Vec<&str> {
        seen.iter().map(|(name, ..)| name.as_str()).collect()
    }

    #[test]
    fn the_archive_reads_back_with_the_program_as_init() {
        let bytes = archive(Some("2"));
        let seen = read(&bytes);
        assert_eq!(
            names(&seen),
            ["dev", "etc", "etc/generation", "init", "proc", "sys"]
        );
        assert_eq!(seen[2].2, "2");
        assert_eq!((seen[3].1, seen[3].2.as_str()), (0o100555, "program"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn modules_are_numbered_and_the_place_of_the_system_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let modules = ["b.ko", "a.ko"].map(|name| folder.path().join(name));
        for module in &modules {
            fs::write(module, "module").unwrap();
        }
        let seen = read(&archive_of(&Attributes {
            generation: None,
            modules: modules.to_vec(),
            disk: Some(disk::Place {
                root: "/dev/vda2".into(),
                esp: "/dev/vda1".into(),
            }),
        }));
        let expected = ["dev", "etc", "etc/disk", "init", "modules"];
        let after = ["modules/00-b.ko", "modules/01-a.ko", "proc", "sys"];
        assert_eq!(names(&seen), [&expected[..], &after, &["sysroot"]].concat());
        assert_eq!(seen[2].2, r#"{"root":"/dev/vda2","esp":"/dev/vda1"}"#);
    }

    #[test]
    fn generations_differ_and_repeats_do_not() {
        assert_eq!(archive(Some("1")), archive(Some("1")));
        assert_ne!(archive(Some("1")), archive(Some("2")));
        assert_ne!(archive(Some("1")), archive(None));
    }
}
