//! Unpacked package sets: roots in which peers run. Nothing is installed and no package script runs, so
//! the few files that those scripts would have made are written here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail};

use crate::debian::Package;
use crate::progress::Stage;

/// Raised when what unpacking does to a root changes, so that roots are made anew.
pub const LAYOUT: &str = "4";

/// Top-level names that Debian merges into `/usr`.
const MERGED: [&str; 4] = ["bin", "sbin", "lib", "lib64"];

/// How Nix runs: offline, in its sandbox or not at all, with nothing of the machine in that sandbox (Debian's
/// Nix puts a shell there).
pub(crate) const NIX_CONF: &str = "\
experimental-features = nix-command flakes
build-users-group =
substituters =
sandbox = true
sandbox-paths =
sandbox-fallback = false
";

/// Unpacks package files from `archives` over each other into `root`.
///
/// # Errors
/// When a package cannot be unpacked.
pub fn unpack(archives: &Path, packages: &[Package], root: &Path, stage: &Stage) -> Result<()> {
    // The package with the links into /usr comes first and alone: everything else goes through them.
    let (base, others): (Vec<&Package>, Vec<&Package>) = packages
        .iter()
        .partition(|package| package.file.starts_with("base-files_"));
    for package in base {
        unpack_one(&archives.join(&package.file), root)?;
        stage.step();
    }
    let next = AtomicUsize::new(0);
    let worker = || -> Result<()> {
        while let Some(package) = others.get(next.fetch_add(1, Ordering::Relaxed)) {
            unpack_one(&archives.join(&package.file), root)?;
            stage.step();
        }
        Ok(())
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        for thread in running {
            match thread.join() {
                Ok(result) => result?,
                Err(_) => bail!("a thread that unpacks packages ended early"),
            }
        }
        Ok(())
    })
}

fn unpack_one(file: &Path, into: &Path) -> Result<()> {
    let output = Command::new("dpkg-deb")
        .arg("--extract")
        .args([file, into])
        .output()
        .context("starting dpkg-deb")?;
    if !output.status.success() {
        bail!(
            "unpacking {}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// Writes what package scripts would have made: accounts, `sh`, the certificate bundle, Nix' settings.
///
/// # Errors
/// When a file cannot be written, or a package replaced a link into `/usr` by a folder.
pub fn finish(root: &Path) -> Result<()> {
    for name in MERGED {
        if !root.join(name).is_symlink() {
            bail!(
                "a package replaced {}/{name}, which is a link into /usr",
                root.display()
            );
        }
    }
    let files = [
        (
            "passwd",
            "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ),
        ("group", "root:x:0:\nnogroup:x:65534:\n"),
        // The machine's own is shown in its place to what needs the network.
        ("resolv.conf", ""),
        ("hosts", "127.0.0.1 localhost\n::1 localhost\n"),
        (
            "nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        ),
    ];
    fs::create_dir_all(root.join("etc/nix"))?;
    for (name, text) in files {
        fs::write(root.join("etc").join(name), text)?;
    }
    fs::write(root.join("etc/nix/nix.conf"), NIX_CONF)?;
    let shell = root.join("usr/bin/sh");
    if !shell.is_symlink() {
        symlink("bash", shell)?;
    }
    bundle_certificates(root)
}

/// Links programs that go by another name.
///
/// # Errors
/// When a link cannot be made.
pub fn link(root: &Path, links: &[(&str, &str)]) -> Result<()> {
    for (name, target) in links {
        let link = root.join("usr/bin").join(name);
        symlink(target, &link).with_context(|| format!("linking {}", link.display()))?;
    }
    Ok(())
}

/// The certificates in one file, where OpenSSL and curl look for it.
fn bundle_certificates(root: &Path) -> Result<()> {
    let from = root.join("usr/share/ca-certificates/mozilla");
    if !from.exists() {
        return Ok(());
    }
    let mut files: Vec<PathBuf> = fs::read_dir(from)?
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut bundle = Vec::new();
    for file in files {
        bundle.extend(fs::read(file)?);
    }
    fs::create_dir_all(root.join("etc/ssl/certs"))?;
    fs::write(root.join("etc/ssl/certs/ca-certificates.crt"), bundle)?;
    Ok(())
}
