//! `mode = "initrd"`: this program as the whole first user space of a machine.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context, Result};
use cpio::newc::{Builder, ModeFileType, trailer};
use serde::Deserialize;

/// Attributes of the mode.
#[derive(Deserialize)]
pub struct Attributes {
    /// Text of `/etc/generation`, by which two initrds differ; absent: no such file.
    generation: Option<String>,
}

/// Writes the archive `<out>/initrd`, as NixOS places it.
pub fn build(attributes: &Attributes, out: &Path) -> Result<()> {
    let program = std::env::current_exe()
        .context("the path of this program is not known: is /proc mounted?")?;
    let init = fs::read(&program).with_context(|| program.display().to_string())?;
    fs::create_dir(out).with_context(|| out.display().to_string())?;
    let path = out.join("initrd");
    let file = File::create_new(&path).with_context(|| path.display().to_string())?;
    write(
        &mut BufWriter::new(file),
        &init,
        attributes.generation.as_deref(),
    )
    .with_context(|| path.display().to_string())
}

/// The archive: the kernel's file systems have their folders, the program is `/init`. Entries are sorted, belong
/// to root, have no time stamp and are numbered from 1: the same program and text give the same bytes.
fn write<W: Write>(out: &mut W, init: &[u8], generation: Option<&str>) -> Result<()> {
    let mut entries: Vec<(&str, ModeFileType, u32, &[u8])> =
        vec![("dev", ModeFileType::Directory, 0o755, &[])];
    if let Some(text) = generation {
        entries.push(("etc", ModeFileType::Directory, 0o755, &[]));
        entries.push((
            "etc/generation",
            ModeFileType::Regular,
            0o444,
            text.as_bytes(),
        ));
    }
    entries.push(("init", ModeFileType::Regular, 0o555, init));
    entries.push(("proc", ModeFileType::Directory, 0o555, &[]));
    entries.push(("sys", ModeFileType::Directory, 0o555, &[]));

    for ((name, kind, mode, content), number) in entries.into_iter().zip(1..) {
        let links = if matches!(kind, ModeFileType::Directory) {
            2
        } else {
            1
        };
        let size = u32::try_from(content.len())
            .context("a file of 4 GiB or more does not fit a newc archive")?;
        let mut entry = Builder::new(name)
            .ino(number)
            .nlink(links)
            .mode(mode)
            .set_mode_file_type(kind)
            .write(&mut *out, size);
        entry.write_all(content)?;
        entry.finish()?;
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
        let mut bytes = Vec::new();
        write(&mut bytes, b"program", generation).unwrap();
        bytes
    }

    #[test]
    fn the_archive_reads_back_with_the_program_as_init() {
        let bytes = archive(Some("2"));
        let mut rest = bytes.as_slice();
        let mut seen = Vec::new();
        loop {
            let mut reader = Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            let mut content = String::new();
            std::io::Read::read_to_string(&mut reader, &mut content).unwrap();
            seen.push((
                reader.entry().name().to_owned(),
                reader.entry().mode(),
                content,
            ));
            rest = reader.finish().unwrap();
        }
        let names: Vec<&str> = seen.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(
            names,
            ["dev", "etc", "etc/generation", "init", "proc", "sys"]
        );
        assert_eq!(seen[2].2, "2");
        assert_eq!((seen[3].1, seen[3].2.as_str()), (0o100555, "program"));
        assert_eq!(bytes.len() % 4, 0);
    }

    #[test]
    fn generations_differ_and_repeats_do_not() {
        assert_eq!(archive(Some("1")), archive(Some("1")));
        assert_ne!(archive(Some("1")), archive(Some("2")));
        assert_ne!(archive(Some("1")), archive(None));
    }
}
