//! Paths whose names were made of what they hold: the engine recomputes it, from the disk.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256, Sha512};
use tempfile::TempDir;
use touchstone_store::closure::{Refused, Registry, Settings, Store, Trusted, check};
use touchstone_store::{Entry, NarInfo, SecretKey, StorePath, Trust, base32, nar};

const SYSTEM: &str = "/nix/store/11111111111111111111111111111111-system";
/// What Nix 2.26 made of `builtins.toFile "leaf" "leaf\n"`.
const LEAF: (&str, &str) = (
    "/nix/store/qyiban5iw6sd0xl4kihw5xk5vsw2fk5c-leaf",
    "text:sha256:1qk8b06d7jxmgknv5x60n9b5y9hp8nnz98126cpmp8y7y34vml16",
);
fn path(text: &str) -> StorePath {
    text.parse().unwrap()
}

/// A store of a signed system and one path that nobody signed, which the system refers to.
struct Made {
    folder: TempDir,
    addressed: StorePath,
    ca: String,
}

impl Made {
    fn of((addressed, ca): (&str, &str), content: &str) -> Made {
        let made = Made {
            folder: tempfile::tempdir().unwrap(),
            addressed: path(addressed),
            ca: ca.to_owned(),
        };
        made.write(SYSTEM, "system");
        made.write(addressed, content);
        made
    }

    fn on_disk(&self, path: &StorePath) -> PathBuf {
        self.folder.path().join(path.base_name())
    }

    fn write(&self, at: &str, content: &str) {
        fs::write(self.on_disk(&path(at)), content).unwrap();
    }

    /// The verdict, where whoever could write to the disk wrote the registry as well.
    fn verdict(&self) -> Result<(), Refused> {
        let key = SecretKey::from_seed("cache", &[1; 32].into()).unwrap();
        let entry = |path: &StorePath, references: &[StorePath]| {
            let nar = nar::hash_path(&self.on_disk(path)).unwrap();
            Entry {
                path: path.clone(),
                nar_hash: nar.hash,
                nar_size: nar.size,
                references: references.iter().cloned().collect(),
                ca: None,
                signatures: [].into(),
            }
        };
        let mut system = entry(&path(SYSTEM), std::slice::from_ref(&self.addressed));
        system.signatures = [key.sign(&system.fingerprint())].into();
        let mut addressed = entry(&self.addressed, &[]);
        addressed.ca = Some(self.ca.parse().unwrap());
        let known = [system, addressed].map(|entry| NarInfo {
            entry,
            deriver: None,
            archive: None,
        });
        let trust = Trust::new(vec![key.public_key()], 1).unwrap();
        let trusted = Trusted::from_registry(&path(SYSTEM), &Registry::known(known), &trust)?;
        let store = Store::open(self.folder.path()).unwrap();
        check(&store, &trusted, &Settings::default(), &|_| {}).map(|_| ())
    }
}

fn of_another_name(made: &Made) {
    let refused = made.verdict().unwrap_err();
    assert!(
        matches!(&refused, Refused::Name(path) if *path == made.addressed),
        "{refused}"
    );
}

#[test]
fn a_text_is_what_its_name_was_made_of_or_refused() {
    let made = Made::of(LEAF, "leaf\n");
    made.verdict().unwrap();
    made.write(LEAF.0, "Leaf\n");
    of_another_name(&made);
    // The same content, as a program, or in a folder.
    made.write(LEAF.0, "leaf\n");
    let file = made.on_disk(&made.addressed);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    of_another_name(&made);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    fs::write(file.join("leaf"), "leaf\n").unwrap();
    of_another_name(&made);
}

#[test]
fn hashes_of_sha512_are_recomputed_as_well() {
    // Nix makes the path's name of the text `fixed:out:sha512:<hexadecimal>:`, flat or recursive.
    let content = "a source\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("source"), content).unwrap();
    let mut nar = Vec::new();
    nar::archive_path(&folder.path().join("source"), &mut nar).unwrap();
    for (way, hashed) in [("", content.as_bytes()), ("r:", &nar)] {
        let digest = Sha512::digest(hashed);
        let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let inner = Sha256::digest(format!("fixed:out:{way}sha512:{hexadecimal}:"));
        let inner: String = inner.iter().map(|byte| format!("{byte:02x}")).collect();
        let outer = Sha256::digest(format!("output:out:sha256:{inner}:/nix/store:source"));
        let mut short = [0; 20];
        for (number, byte) in outer.iter().enumerate() {
            short[number % 20] ^= byte;
        }
        let hash = encode(&short);
        let ca = format!("fixed:{way}sha512:{}", encode(&digest));
        let made = Made::of((&format!("/nix/store/{hash}-source"), &ca), content);
        made.verdict().unwrap();
        made.write(made.addressed.as_str(), "another source\n");
        of_another_name(&made);
    }
}

/// Nix' base 32 of any length.
fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    assert_eq!(base32::encode(&[0; 32]).len(), 52);
    let length = (bytes.len() * 8).div_ceil(5);
    let digit = |place: usize| {
        let (byte, bit) = (place * 5 / 8, place * 5 % 8);
        let low = u16::from(bytes[byte]) >> bit;
        let high = bytes
            .get(byte + 1)
            .map_or(0, |next| u16::from(*next) << (8 - bit));
        char::from(DIGITS[usize::from((low | high) & 31)])
    };
    (0..length).rev().map(digit).collect()
}
