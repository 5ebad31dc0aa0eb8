//! Paths that real Nix named by what they hold, in every way that counts, and that nobody signed: they are what a signed path refers to, and their
//! content is all that is believed of them. What Nix' database says of it is not.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::TempDir;
use touchstone_harness::closure::{Closure, Size};
use touchstone_harness::inputs;
use touchstone_harness::nix::output;
use touchstone_nix_database::Database;
use touchstone_store::closure::{Proof, Refused, Registry, Settings, Store, Trusted, lies};
use touchstone_store::{AddressError, Digest, NarInfo, StorePath, Trust, nar};

/// A system whose outputs refer to the paths that are given.
const SYSTEM: &str = r#"{ probe, paths }:
derivation {
  name = "system";
  system = "x86_64-linux";
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  mode = "many";
  size = 100;
  isSystem = true;
  outputs = [ "out" ] ++ builtins.genList (number: "o${toString number}") 8;
  depends = map builtins.storePath paths;
}
"#;

struct Made {
    folder: TempDir,
    closure: Closure,
    key: String,
}

impl Made {
    fn new() -> Made {
        let folder = tempfile::tempdir().unwrap();
        let closure = Closure::build(&inputs(), folder.path(), Size::SMALL).unwrap();
        let key = closure.key("one", "test-1").unwrap();
        Made {
            folder,
            closure,
            key,
        }
    }

    /// What a program of Nix prints.
    fn nix<const N: usize>(&self, program: &str, words: [&str; N]) -> String {
        let mut command = self.closure.command(program).unwrap();
        command.args(words).current_dir(self.folder.path());
        output(command).unwrap().trim().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        let file = self.folder.path().join(name);
        fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    /// What the database says of a toplevel's closure. Nix' own indexes find the same as a walk over all rows.
    fn known(&self, toplevel: &str) -> Vec<NarInfo> {
        let database = Database::open(&self.closure.database()).unwrap();
        let known = database.closure(&path(toplevel)).unwrap().unwrap();
        let reached = database.reached(&[path(toplevel)].into()).unwrap();
        assert!(reached.values().map(|known| &known.info).eq(&known));
        let paths = known.iter().map(|info| info.entry.path.clone()).collect();
        assert_eq!(database.entries(&paths).unwrap(), reached);
        known
    }

    fn trusted(&self, toplevel: &str, known: &[NarInfo]) -> Result<Trusted, Refused> {
        let trust = Trust::new(vec![self.key.parse().unwrap()], 1).unwrap();
        let registry = Registry::known(known.iter().cloned());
        Trusted::from_registry(&path(toplevel), &registry, &trust)
    }

    /// What the disk does not hold as it must be.
    fn lies<'t>(&self, trusted: &'t Trusted) -> Vec<(&'t StorePath, Refused)> {
        let store = Store::below(&self.closure.root()).unwrap();
        let lies = lies(&store, trusted, &Settings::default(), &|_| {}).into_iter();
        lies.map(|(expected, refused)| (&expected.path, refused))
            .collect()
    }

    /// Changes a path; the answer is what its entry would be if the database were changed with it.
    fn tampered(&self, info: &NarInfo) -> NarInfo {
        let on_disk = self.closure.on_host(info.entry.path.as_str());
        let file = match on_disk.is_dir() {
            true => on_disk.join("file"),
            false => on_disk.clone(),
        };
        change(&file);
        let nar = nar::hash_path(&on_disk).unwrap();
        let mut info = info.clone();
        assert_ne!(info.entry.nar_hash, nar.hash);
        (info.entry.nar_hash, info.entry.nar_size) = (nar.hash, nar.size);
        info
    }
}

fn path(text: &str) -> StorePath {
    text.parse().unwrap()
}

/// Adds a byte to a file, whose rights stay.
fn change(file: &Path) {
    let before = fs::metadata(file).unwrap().permissions();
    fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    let content = [fs::read(file).unwrap(), b"!".to_vec()].concat();
    fs::write(file, content).unwrap();
    fs::set_permissions(file, before).unwrap();
}

/// Lies, a line each.
fn told(lies: &[(&StorePath, Refused)]) -> String {
    let lines = lies.iter().map(|(_, refused)| format!("{refused}\n"));
    lines.collect()
}

/// What is proven of each path, in a word.
fn proofs(trusted: &Trusted) -> BTreeSet<&'static str> {
    let word = |proof: &Proof| match proof {
        Proof::Nar => "NAR",
        Proof::Whole(Digest::Sha256(_)) => "whole, SHA-256",
        Proof::Whole(Digest::Sha512(_)) => "whole, SHA-512",
        Proof::Flat(Digest::Sha256(_)) => "flat, SHA-256",
        Proof::Flat(Digest::Sha512(_)) => "flat, SHA-512",
    };
    let paths = trusted.paths().iter();
    paths.map(|expected| word(&expected.proof)).collect()
}

#[test]
fn fixed_outputs_of_every_kind_are_taken_from_a_signed_path_and_by_their_content_alone() {
    let made = Made::new();
    let file = made.write("file", "a file\n");
    fs::create_dir(made.folder.path().join("tree")).unwrap();
    made.write("tree/file", "a file in a tree\n");
    let tree = made.folder.path().join("tree").to_str().unwrap().to_owned();
    let paths = [
        made.nix("nix-store", ["--add-fixed", "sha256", &file]),
        made.nix("nix-store", ["--add-fixed", "sha512", &file]),
        made.nix("nix-store", ["--add-fixed", "--recursive", "sha256", &tree]),
        made.nix("nix-store", ["--add-fixed", "--recursive", "sha512", &tree]),
        made.nix(
            "nix-instantiate",
            [
                "--eval",
                "--read-write-mode",
                "--raw",
                "--expr",
                r#"builtins.toFile "text" "a text\n""#,
            ],
        ),
    ];
    let weak = made.nix("nix-store", ["--add-fixed", "sha1", &file]);
    let built = |paths: &[String]| {
        let expression = made.write("system.nix", SYSTEM);
        let probe = made
            .folder
            .path()
            .join("touchstone-probe")
            .display()
            .to_string();
        let list = paths
            .iter()
            .map(|path| format!("\"{path}\""))
            .collect::<Vec<_>>();
        let list = format!("[ {} ]", list.join(" "));
        let words = [
            "--no-out-link",
            &expression,
            "--arg",
            "probe",
            &probe,
            "--arg",
            "paths",
            &list,
        ];
        made.nix("nix-build", words)
    };
    let sign = |toplevel: &str| {
        let infos = made.known(toplevel).into_iter();
        let built = infos.filter(|info| info.entry.ca.is_none());
        let built: Vec<String> = built.map(|info| info.entry.path.to_string()).collect();
        made.closure.sign("one", &built).unwrap();
        made.known(toplevel)
    };

    let toplevel = built(&paths);
    let known = sign(&toplevel);
    let trusted = made.trusted(&toplevel, &known).unwrap();
    let all = ["NAR", "flat, SHA-256", "flat, SHA-512", "whole, SHA-512"];
    assert_eq!(proofs(&trusted), all.into());
    assert_eq!(told(&made.lies(&trusted)), "");
    let nix = made
        .closure
        .verify_path(&toplevel, &[&made.key], 1)
        .unwrap();
    assert_eq!(nix.status, Some(0), "{}", nix.said);

    // Each path changed on the disk, and in the database, which Nix believes.
    let mut lying = known.clone();
    for info in lying.iter_mut().filter(|info| info.entry.ca.is_some()) {
        *info = made.tampered(info);
    }
    let found = made.lies(&trusted);
    let named: BTreeSet<String> = found.iter().map(|(path, _)| path.to_string()).collect();
    assert_eq!(named, paths.iter().cloned().collect());
    // The hash of the tree's NAR is its name's, so that not even the list is believed.
    assert!(matches!(
        made.trusted(&toplevel, &lying),
        Err(Refused::Address { .. })
    ));
    let tree = |info: &NarInfo| info.entry.path.as_str() == paths[2];
    let honest = known.iter().find(|info| tree(info)).unwrap();
    lying
        .iter_mut()
        .filter(|info| tree(info))
        .for_each(|info| *info = honest.clone());
    let believed = made.trusted(&toplevel, &lying).unwrap();
    for (path, refused) in made.lies(&believed) {
        match path.as_str() == paths[2] {
            true => assert!(matches!(refused, Refused::Content { .. }), "{refused}"),
            false => assert!(
                matches!(&refused, Refused::Name(named) if named == path),
                "{refused}"
            ),
        }
    }

    // By a weak hash: Nix is content, this is not.
    let toplevel = built(&[weak]);
    let known = sign(&toplevel);
    let nix = made
        .closure
        .verify_path(&toplevel, &[&made.key], 1)
        .unwrap();
    assert_eq!(nix.status, Some(0), "{}", nix.said);
    assert!(matches!(
        made.trusted(&toplevel, &known),
        Err(Refused::Address { .. })
    ));
}

#[test]
fn a_closure_that_nix_made_content_addressed_needs_signatures_on_what_refers_to_itself() {
    let made = Made::new();
    let words = [
        "store",
        "make-content-addressed",
        "--json",
        &made.closure.toplevel,
    ];
    let said: serde_json::Value = serde_json::from_str(&made.nix("nix", words)).unwrap();
    let toplevel = said["rewrites"][&made.closure.toplevel]
        .as_str()
        .unwrap()
        .to_owned();
    // Nobody signed any of it: Nix is content, this is not.
    let nix = made
        .closure
        .verify_path(&toplevel, &[&made.key], 1)
        .unwrap();
    assert_eq!(nix.status, Some(0), "{}", nix.said);
    let refused = made.trusted(&toplevel, &made.known(&toplevel)).unwrap_err();
    assert!(matches!(&refused, Refused::Signatures(_)), "{refused}");

    made.closure
        .sign("one", std::slice::from_ref(&toplevel))
        .unwrap();
    let known = made.known(&toplevel);
    assert!(known.iter().all(|info| info.entry.ca.is_some()));
    let refused = made.trusted(&toplevel, &known).unwrap_err();
    assert!(
        matches!(
            &refused,
            Refused::Address {
                source: AddressError::Itself(_),
                ..
            }
        ),
        "{refused}"
    );

    let of_itself = known.iter().map(|info| &info.entry);
    let of_itself = of_itself.filter(|entry| entry.references.contains(&entry.path));
    let of_itself: Vec<String> = of_itself.map(|entry| entry.path.to_string()).collect();
    assert!((3..known.len()).contains(&of_itself.len()));
    made.closure.sign("one", &of_itself).unwrap();
    let trusted = made.trusted(&toplevel, &made.known(&toplevel)).unwrap();
    assert_eq!(proofs(&trusted), ["NAR"].into());
    assert_eq!(told(&made.lies(&trusted)), "");
}
