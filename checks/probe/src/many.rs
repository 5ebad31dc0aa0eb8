//! Many store paths by one derivation, with references to each other and to others: a store as large as a system's.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Attributes of `mode = "many"`.
#[derive(Deserialize)]
pub struct Attributes {
    /// Paths to which the outputs refer in turn.
    #[serde(default)]
    depends: Vec<PathBuf>,
    /// Bytes of the largest file.
    size: usize,
    /// Whether the output `out` looks like a NixOS system.
    #[serde(default, rename = "isSystem")]
    is_system: bool,
}

/// Fills all outputs: each refers to the one before it and to the one in the middle before that, to one of `depends`, and some to
/// themselves. One in five is a single file; the others have folders, a program, a link and files of every length up to `size`.
pub fn build(attributes: &Attributes, outputs: &BTreeMap<String, PathBuf>) -> Result<()> {
    let all: Vec<&PathBuf> = outputs.values().collect();
    let system = outputs.get("out").filter(|_| attributes.is_system);
    for (number, out) in all.iter().enumerate() {
        let before = number.checked_sub(1).into_iter().chain([number / 2]);
        let before = before.filter(|other| *other < number);
        let mut words: Vec<String> = before
            .filter_map(|other| all.get(other))
            .map(|other| other.display().to_string())
            .collect();
        let turn = number.checked_rem(attributes.depends.len());
        let depends = turn.and_then(|turn| attributes.depends.get(turn));
        words.extend(depends.map(|path| path.display().to_string()));
        if number % 3 == 0 {
            words.push(out.display().to_string());
        }
        let text = words.join("\n");
        let filled = match system == Some(*out) {
            true => fill_system(out, &text),
            false => fill(out, number, &text, attributes.size),
        };
        filled.with_context(|| out.display().to_string())?;
    }
    Ok(())
}

/// What a toplevel of NixOS has at least.
fn fill_system(out: &Path, text: &str) -> Result<()> {
    fs::create_dir(out)?;
    fs::write(out.join("nixos-version"), "25.11\n")?;
    fs::write(out.join("words"), text)?;
    program(&out.join("init"), "a system's first program\n")
}

fn program(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text)?;
    Ok(fs::set_permissions(file, PermissionsExt::from_mode(0o755))?)
}

fn fill(out: &Path, number: usize, text: &str, size: usize) -> Result<()> {
    if number % 5 == 4 {
        return Ok(fs::write(out, format!("{number}\n{text}\n"))?);
    }
    fs::create_dir_all(out.join("share/empty"))?;
    fs::create_dir(out.join("bin"))?;
    fs::write(out.join("share/words"), text)?;
    program(
        &out.join("bin/program"),
        &format!("a program, number {number}\n"),
    )?;
    symlink("../bin/program", out.join("share/link"))?;
    let length = size.checked_div(number % 8 + 1).unwrap_or_default() + number;
    let bytes = (0..length).map(|at| (at * 31 + number) as u8);
    Ok(fs::write(
        out.join("share/library"),
        bytes.collect::<Vec<_>>(),
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_output_names_those_that_it_refers_to() {
        let folder = tempfile::tempdir().unwrap();
        let outputs =
            (0..6).map(|number| (number.to_string(), folder.path().join(number.to_string())));
        let outputs: BTreeMap<_, _> = outputs.collect();
        let attributes = Attributes {
            depends: vec!["/nix/store/one".into(), "/nix/store/other".into()],
            size: 100,
            is_system: false,
        };
        build(&attributes, &outputs).unwrap();
        let words = fs::read_to_string(outputs["3"].join("share/words")).unwrap();
        for path in [
            &outputs["2"],
            &outputs["1"],
            &outputs["3"],
            &attributes.depends[1],
        ] {
            assert!(words.contains(&path.display().to_string()), "{words}");
        }
        assert!(outputs["4"].is_file());
    }
}
