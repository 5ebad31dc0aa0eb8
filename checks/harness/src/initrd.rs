//! Initrds of programs that a root has, for guests that are to run somebody else's code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::enter::{Root, Visit};

/// The loader of programs, inside of every root.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
/// Modes of a folder, a link, and a file that everybody may run.
const FOLDER: u32 = 0o040_755;
const LINK: u32 = 0o120_777;
const PROGRAM: u32 = 0o100_755;

/// The files of an initrd. They are the same bytes each time, however they were added.
#[derive(Debug)]
pub struct Initrd {
    root: Root,
    /// Mode and content, by path.
    files: BTreeMap<String, (u32, Vec<u8>)>,
}

impl Initrd {
    /// An initrd without a file, for programs of this root.
    #[must_use]
    pub fn new(root: &Root) -> Initrd {
        Initrd {
            root: root.clone(),
            files: BTreeMap::new(),
        }
    }

    /// Adds a file at a path without `/` at its beginning, with the folders above it.
    pub fn add(&mut self, path: &str, mode: u32, content: impl Into<Vec<u8>>) {
        for (end, _) in path.match_indices('/') {
            let folder = path.get(..end).unwrap_or_default().to_owned();
            self.files.entry(folder).or_insert((FOLDER, Vec::new()));
        }
        self.files.insert(path.to_owned(), (mode, content.into()));
    }

    /// Adds an empty folder.
    pub fn folder(&mut self, path: &str) {
        self.add(path, FOLDER, "");
    }

    /// Adds a symbolic link.
    pub fn link(&mut self, path: &str, target: &str) {
        self.add(path, LINK, target);
    }

    /// Adds the program `from` of the root at the path `to`, with the libraries that it is linked with.
    ///
    /// # Errors
    /// When it is not there, or is no program for this machine.
    pub fn program(&mut self, from: &str, to: &str) -> Result<()> {
        let content = self.read(from)?;
        self.add(to, PROGRAM, content);
        self.libraries(&self.root.visit(), &format!("/{from}"))
    }

    /// Adds a library of the root, which programs load by name, where it is, with those that it is linked with.
    ///
    /// # Errors
    /// As for a program.
    pub fn library(&mut self, path: &str) -> Result<()> {
        self.program(path, path)
    }

    /// Adds the libraries that a program is linked with, which a visit sees at this path.
    ///
    /// # Errors
    /// As for a program.
    pub fn libraries(&mut self, visit: &Visit, program: &str) -> Result<()> {
        let output = visit
            .command(LOADER)?
            .args(["--list", program])
            .output()
            .context("starting unshare")?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("{program}: its libraries are not known: {}", said.trim());
        }
        let printed = String::from_utf8(output.stdout)?;
        for path in printed.split_whitespace() {
            if let Some(path) = path.strip_prefix('/') {
                let content = self.read(path)?;
                self.add(path, PROGRAM, content);
            }
        }
        Ok(())
    }

    /// Moves what lies in these folders of the initrd's root below `usr`, and puts links there in their places.
    pub fn merge(&mut self, folders: &[&str]) {
        for name in folders {
            let files = std::mem::take(&mut self.files);
            for (path, file) in files {
                let inside = path.strip_prefix(name);
                match inside.filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                    Some(_) => self.add(&format!("usr/{path}"), file.0, file.1),
                    None => drop(self.files.insert(path, file)),
                }
            }
            self.link(name, &format!("usr/{name}"));
        }
    }

    /// Writes the files into a new folder, in the place of an archive.
    ///
    /// # Errors
    /// When one cannot be written.
    pub fn lay_out(self, folder: &Path) -> Result<()> {
        fs::create_dir(folder).with_context(|| folder.display().to_string())?;
        for (path, (mode, content)) in self.files {
            let path = folder.join(path);
            let done = match mode {
                FOLDER => fs::create_dir(&path),
                LINK => symlink(OsString::from_vec(content), &path),
                _ => fs::write(&path, content)
                    .and_then(|()| fs::set_permissions(&path, Permissions::from_mode(mode))),
            };
            done.with_context(|| path.display().to_string())?;
        }
        Ok(())
    }

    /// A file of the root.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        fs::read(self.root.path().join(path)).with_context(|| format!("reading {path} of a root"))
    }

    /// The archive in the form newc (the kernel's `Documentation/driver-api/early-userspace/buffer-format.rst`).
    #[must_use]
    pub fn archive(self) -> Vec<u8> {
        let mut archive = Vec::new();
        let trailer = ("TRAILER!!!".to_owned(), (0, Vec::new()));
        // The trailer comes last, wherever its name sorts.
        for (number, (name, (mode, content))) in self.files.into_iter().chain([trailer]).enumerate()
        {
            // Its number, mode, owners, links, time, length, devices, and the length of its name; a sum that is not used.
            let fields = [
                number + 1,
                mode as usize,
                0,
                0,
                1,
                0,
                content.len(),
                0,
                0,
                0,
                0,
                name.len() + 1,
                0,
            ];
            archive.extend(b"070701");
            let fields = fields.iter().map(|field| format!("{field:08x}"));
            archive.extend(fields.flat_map(String::into_bytes));
            archive.extend(name.bytes().chain([0]));
            archive.resize(archive.len().next_multiple_of(4), 0);
            archive.extend(content);
            archive.resize(archive.len().next_multiple_of(4), 0);
        }
        archive
    }
}
