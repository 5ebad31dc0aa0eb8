//! The form of the sources: rustfmt for Rust, nixpkgs-fmt for Nix.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::toolchain::{cargo, checkout, run};

/// Whether every Rust file is in rustfmt's form.
pub fn check_rust() -> Result<()> {
    let mut command = cargo()?;
    command.args(["fmt", "--all", "--check"]);
    run(command)
}

/// Whether every Nix file is in nixpkgs-fmt's form; the answer is their number.
pub fn check_nix() -> Result<usize> {
    let files = nix_files()?;
    let mut wrong = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file)?;
        if nixpkgs_fmt::reformat_string(&text) != text {
            wrong.push(file.display().to_string());
        }
    }
    if !wrong.is_empty() {
        bail!(
            "not in nixpkgs-fmt's form, run `cargo xtask fmt-nix`:\n{}",
            wrong.join("\n")
        );
    }
    Ok(files.len())
}

/// Brings every Nix file into nixpkgs-fmt's form.
pub fn write_nix() -> Result<()> {
    for file in nix_files()? {
        let text = fs::read_to_string(&file)?;
        let formatted = nixpkgs_fmt::reformat_string(&text);
        if formatted != text {
            fs::write(&file, formatted)?;
            println!("{}", file.display());
        }
    }
    Ok(())
}

fn nix_files() -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(&checkout()?, &mut found)?;
    found.sort();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let hidden = name.to_string_lossy().starts_with('.');
        if entry.file_type()?.is_dir() && !hidden && name != "target" {
            collect(&entry.path(), found)?;
        } else if entry.file_type()?.is_file()
            && entry.path().extension().is_some_and(|kind| kind == "nix")
        {
            found.push(entry.path());
        }
    }
    Ok(())
}
