//! `mode = "initrd"`: the first user space of a machine. It is this program alone, or another one with files beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::BufWriter;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

mod archive;

use self::archive::{Archive, Entry};
use crate::disk;

/// Attributes of the mode.
#[derive(Default, Deserialize)]
pub struct Attributes {
    /// Text of `/etc/generation`, by which two initrds differ; absent: no such file.
    generation: Option<String>,
    /// Kernel modules that are loaded, in their order.
    #[serde(default)]
    modules: Vec<PathBuf>,
    /// Where the system goes on behind the initrd; absent: nowhere.
    disk: Option<disk::Place>,
    /// Folders whose files and links are put into the root.
    #[serde(default)]
    trees: Vec<PathBuf>,
    /// Further files by their paths; one at `init` takes this program's place.
    #[serde(default)]
    files: BTreeMap<String, Content>,
}

/// What a file of the initrd is.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Content {
    /// This text.
    Text(String),
    /// A symbolic link with this target.
    Link(String),
    /// A copy of this file.
    Source(PathBuf),
    /// An empty folder.
    Folder {},
}

/// Writes the archive `<out>/initrd`, as NixOS places it.
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    let program = std::env::current_exe()
        .context("the path of this program is not known: is /proc mounted?")?;
    let archive = archive(attributes, &program)?;
    fs::create_dir(out).with_context(|| out.display().to_string())?;
    let path = out.join("initrd");
    let file = File::create_new(&path).with_context(|| path.display().to_string())?;
    let written = archive.write(&mut BufWriter::new(file));
    written.with_context(|| path.display().to_string())
}

/// The folders of the kernel's file systems, the program, and what the attributes put beside it.
fn archive(attributes: &Attributes, program: &Path) -> Result<Archive> {
    let mut archive = Archive::default();
    for (folder, mode) in [("dev", 0o755), ("proc", 0o555), ("sys", 0o555)] {
        archive.add(folder, Entry::folder(mode));
    }
    archive.add("init", Entry::program(read(program)?));
    if let Some(text) = &attributes.generation {
        archive.add("etc/generation", Entry::file(text.as_str()));
    }
    if let Some(place) = &attributes.disk {
        archive.add(
            disk::PLACE.trim_start_matches('/'),
            Entry::file(serde_json::to_vec(place)?),
        );
        archive.add(disk::ROOT.trim_start_matches('/'), Entry::folder(0o755));
    }
    for (number, module) in attributes.modules.iter().enumerate() {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        // A store path has a name with its hash before it: the number alone says the order.
        let name = format!("{}/{number:02}-{name}", disk::MODULES).replacen('/', "", 1);
        archive.add(&name, Entry::file(read(module)?));
    }
    for tree in &attributes.trees {
        add_tree(&mut archive, tree, "")?;
    }
    for (path, content) in &attributes.files {
        archive.add(path.trim_start_matches('/'), entry(content)?);
    }
    Ok(archive)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| path.display().to_string())
}

fn entry(content: &Content) -> Result<Entry> {
    match content {
        Content::Text(text) => Ok(Entry::file(text.as_str())),
        Content::Link(target) => Ok(Entry::link(target.as_str())),
        Content::Source(path) => copy(path),
        Content::Folder {} => Ok(Entry::folder(0o755)),
    }
}

/// A file with the right to run it, where it has that.
fn copy(path: &Path) -> Result<Entry> {
    let metadata = fs::metadata(path).with_context(|| path.display().to_string())?;
    let content = read(path)?;
    Ok(if metadata.permissions().mode() & 0o111 == 0 {
        Entry::file(content)
    } else {
        Entry::program(content)
    })
}

fn add_tree(archive: &mut Archive, folder: &Path, prefix: &str) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}{name}");
        if path.is_symlink() {
            let target = fs::read_link(&path)?;
            archive.add(
                &name,
                Entry::link(target.into_os_string().into_encoded_bytes()),
            );
        } else if path.is_dir() {
            archive.add(&name, Entry::folder(0o755));
            add_tree(archive, &path, &format!("{name}/"))?;
        } else {
            archive.add(&name, copy(&path)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use cpio::newc::Reader;

    fn archive_with(generation: Option<&str>) -> Vec<u8> {
        archive_of(&Attributes {
            generation: generation.map(str::to_owned),
            ..Attributes::default()
        })
    }

    fn archive_of(attributes: &Attributes) -> Vec<u8> {
        let mut program = tempfile::NamedTempFile::new().unwrap();
        program.write_all(b"program").unwrap();
        let mut bytes = Vec::new();
        let archive = archive(attributes, program.path()).unwrap();
        archive.write(&mut bytes).unwrap();
        bytes
    }

    fn seen_in(bytes: &[u8]) -> Vec<(String, u32, String)> {
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
        let bytes = archive_with(Some("2"));
        let seen = seen_in(&bytes);
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
        let seen = seen_in(&archive_of(&Attributes {
            modules: modules.to_vec(),
            disk: Some(disk::Place {
                root: "/dev/vda2".into(),
                esp: "/dev/vda1".into(),
            }),
            ..Attributes::default()
        }));
        let expected = ["dev", "etc", "etc/disk", "init", "modules"];
        let after = ["modules/00-b.ko", "modules/01-a.ko", "proc", "sys"];
        assert_eq!(names(&seen), [&expected[..], &after, &["sysroot"]].concat());
        assert_eq!(seen[2].2, r#"{"root":"/dev/vda2","esp":"/dev/vda1"}"#);
    }

    #[test]
    fn trees_and_files_are_laid_over_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("usr/bin")).unwrap();
        for (name, mode) in [("usr/bin/tool", 0o755), ("usr/text", 0o644)] {
            fs::write(at(name), name).unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        std::os::unix::fs::symlink("usr/bin", at("bin")).unwrap();
        let files = [
            ("/etc/unit", Content::Text("[Unit]".to_owned())),
            ("usr/text", Content::Link("/etc/unit".to_owned())),
            ("usr/bin/copy", Content::Source(at("usr/bin/tool"))),
            ("tmp", Content::Folder {}),
        ];
        let seen = seen_in(&archive_of(&Attributes {
            trees: vec![folder.path().to_owned()],
            files: files
                .map(|(name, content)| (name.to_owned(), content))
                .into(),
            ..Attributes::default()
        }));
        let found = |name: &str| {
            let (_, mode, content) = seen.iter().find(|(found, ..)| found == name).unwrap();
            (*mode, content.as_str())
        };
        assert_eq!(found("bin"), (0o120777, "usr/bin"));
        assert_eq!(found("usr/bin/tool"), (0o100555, "usr/bin/tool"));
        assert_eq!(found("usr/bin/copy"), (0o100555, "usr/bin/tool"));
        assert_eq!(found("etc/unit"), (0o100444, "[Unit]"));
        assert_eq!(found("usr/text"), (0o120777, "/etc/unit"));
        assert_eq!(found("tmp"), (0o040755, ""));
    }

    #[test]
    fn generations_differ_and_repeats_do_not() {
        assert_eq!(archive_with(Some("1")), archive_with(Some("1")));
        assert_ne!(archive_with(Some("1")), archive_with(Some("2")));
        assert_ne!(archive_with(Some("1")), archive_with(None));
    }
}
