//! Store paths with many files, as parts of a system have them: for what is measured on whole stores.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Files of a folder, before another one begins.
const IN_A_FOLDER: u64 = 40;
/// The smallest file of a part, in bytes.
const SMALLEST: f64 = 200.0;

/// The attributes of `mode = "parts"`.
#[derive(Deserialize)]
pub struct Attributes {
    /// By output.
    parts: BTreeMap<String, Part>,
    /// Paths that every output refers to.
    #[serde(default)]
    inputs: Vec<PathBuf>,
}

/// One output.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    /// What tells its bytes from those of others.
    seed: u64,
    /// How many files.
    files: u64,
    /// The size of the largest in bytes; the others' are spread evenly over the orders of magnitude below.
    largest: f64,
    /// Outputs of the same derivation that it refers to.
    #[serde(default)]
    uses: Vec<String>,
}

/// Makes every output: files below `lib`, a link, and the list of what it refers to.
pub fn build(work: &Attributes, outputs: &BTreeMap<String, PathBuf>) -> Result<()> {
    for (name, part) in &work.parts {
        let at = |name: &String| {
            outputs
                .get(name)
                .with_context(|| format!("no output {name}"))
        };
        let out = at(name)?;
        fs::create_dir(out).with_context(|| format!("making {}", out.display()))?;
        let used = part.uses.iter().map(at).collect::<Result<Vec<_>>>()?;
        let mut list = String::new();
        for used in used.into_iter().chain(&work.inputs) {
            list += &format!("{}\n", used.display());
        }
        fs::write(out.join("uses"), list)?;
        symlink("uses", out.join("link"))?;
        fill(part, &out.join("lib"))?;
    }
    Ok(())
}

fn fill(part: &Part, lib: &Path) -> Result<()> {
    let mut noise = Noise(part.seed.wrapping_mul(2).wrapping_add(1));
    let orders = (part.largest / SMALLEST).max(1.0).ln();
    for number in 0..part.files {
        let folder = lib.join(format!("folder-{}", number / IN_A_FOLDER));
        if number % IN_A_FOLDER == 0 {
            fs::create_dir_all(&folder)?;
        }
        let share = (noise.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let size = match number {
            0 => part.largest,
            _ => SMALLEST * (orders * share).exp(),
        };
        let file = folder.join(format!("file-{number:06}.so"));
        write(&file, size as usize, &mut noise)?;
        // Every eighth is a program.
        let mode = if number % 8 == 0 { 0o755 } else { 0o644 };
        fs::set_permissions(&file, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Bytes that nothing can shortcut.
fn write(file: &Path, size: usize, noise: &mut Noise) -> Result<()> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    let mut left = size;
    while left > 0 {
        let bytes = noise.next().to_le_bytes();
        let count = left.min(bytes.len());
        out.write_all(bytes.get(..count).unwrap_or_default())?;
        left -= count;
    }
    out.flush()?;
    Ok(())
}

/// Source: G. Marsaglia, "Xorshift RNGs".
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_the_same_whenever_it_is_made_and_refers_to_what_it_is_told_to() {
        let folder = tempfile::tempdir().unwrap();
        let text = r#"{"parts":{"a":{"seed":1,"files":50,"largest":9000,"uses":["b"]},"b":{"seed":2,"files":0,"largest":0}},"inputs":["/nix/store/x"]}"#;
        let work: Attributes = serde_json::from_str(text).unwrap();
        let made = |round: &str| {
            let place = |name: &str| (name.to_owned(), folder.path().join(round).join(name));
            fs::create_dir(folder.path().join(round)).unwrap();
            let outputs: BTreeMap<_, _> = ["a", "b"].map(place).into();
            build(&work, &outputs).unwrap();
            outputs
        };
        let (one, two) = (made("one"), made("two"));
        let list = fs::read_to_string(one["a"].join("uses")).unwrap();
        assert_eq!(list, format!("{}\n/nix/store/x\n", one["b"].display()));
        let first = |outputs: &BTreeMap<String, PathBuf>, name: &str| {
            fs::read(outputs["a"].join("lib").join(name)).unwrap()
        };
        let largest = first(&one, "folder-0/file-000000.so");
        assert_eq!(largest.len(), 9000);
        assert_eq!(largest, first(&two, "folder-0/file-000000.so"));
        assert!(!first(&one, "folder-1/file-000049.so").is_empty());
    }
}
