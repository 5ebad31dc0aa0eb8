//! One disk, one initrd, and both designs.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_harness::closure::{Closure, NixVerdict, Size};
use touchstone_harness::{Inputs, inputs};
use touchstone_nix_database::Database;
use touchstone_stage1::gate;
use touchstone_stage1::machine::Machine;
use touchstone_stage1::progress::Show;
use touchstone_stage1::verify::verify;
use touchstone_store::{Entry, Manifest, StorePath};

/// A store that real Nix made and a key signed, and the initrd of a signed image beside it.
pub struct Trial {
    pub inputs: Inputs,
    pub folder: TempDir,
    pub closure: Closure,
    pub key: String,
}

impl Trial {
    /// Everything signed, and the initrd that belongs to it.
    pub fn new() -> Trial {
        let trial = Trial::unsigned();
        trial
            .closure
            .sign("one", &trial.closure.paths().unwrap())
            .unwrap();
        trial.make_initrd();
        trial
    }

    /// The same without any signature, and without an initrd.
    pub fn unsigned() -> Trial {
        let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
        let closure = Closure::build(&inputs, folder.path(), Size::SMALL).unwrap();
        let key = closure.key("one", "touchstone-test-one").unwrap();
        Trial {
            inputs,
            folder,
            closure,
            key,
        }
    }

    /// The initrd: configuration, signed command line, manifest. The kernel was started with the signed line.
    pub fn make_initrd(&self) {
        self.configure(&format!("key {}\nsigs-needed 1\n", self.key));
        let line = line(&self.closure.toplevel);
        self.write(".touchstone/command-lines", &format!("{line}\n"));
        self.write("proc/cmdline", &format!("{line}\n"));
        let toplevel = self.closure.toplevel.parse().unwrap();
        let manifest = Manifest::new(toplevel, self.entries()).unwrap();
        self.write(".touchstone/manifest", &manifest.to_json());
    }

    /// Writes the configuration: these lines, and what every one has.
    pub fn configure(&self, lines: &str) {
        let sysroot = self.closure.root();
        self.write(
            "etc/touchstone/stage1.conf",
            &format!(
                "version 1\n{lines}on-failure halt\nmanifest image\nsysroot {}\ninit /nix/store/systemd\n",
                sysroot.display()
            ),
        );
    }

    /// A file of the initrd.
    pub fn write(&self, name: &str, content: &str) {
        let file = self.initrd().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, content).unwrap();
    }

    fn initrd(&self) -> PathBuf {
        self.folder.path().join("initrd")
    }

    /// What the database says of the toplevel's closure.
    pub fn entries(&self) -> Vec<Entry> {
        let toplevel: StorePath = self.closure.toplevel.parse().unwrap();
        let database = Database::open(&self.closure.database()).unwrap();
        let infos = database.closure(&toplevel).unwrap().unwrap();
        infos.into_iter().map(|info| info.entry).collect()
    }

    /// A path of the closure by the end of its name.
    pub fn path(&self, name: &str) -> String {
        let mut paths = self.closure.paths().unwrap().into_iter();
        paths.find(|path| path.ends_with(name)).unwrap()
    }

    /// What this program says; nothing when it is content.
    pub fn refusal(&self) -> Option<String> {
        let machine = Machine::at(self.initrd());
        let configuration = match gate::configuration(&machine) {
            Ok(configuration) => configuration,
            Err(refusal) => return Some(refusal.to_string()),
        };
        let answer = verify(&machine, &configuration, &Show::begin());
        answer.err().map(|error| error.to_string())
    }

    /// What this program says, which must be a no that has these words.
    pub fn refused(&self, words: &[&str]) {
        let said = self.refusal().unwrap_or_default();
        for word in words {
            assert!(said.contains(word), "`{word}` is not in: {said}");
        }
    }

    /// What the earlier design says of the system, by one signature of the key.
    pub fn earlier(&self) -> NixVerdict {
        self.closure.verify(&[&self.key], 1).unwrap()
    }
}

/// A command line that an image of this system is signed with.
pub fn line(toplevel: &str) -> String {
    format!("init={toplevel}/init console=ttyS0 noresume --")
}

/// The earlier design lets the system start: Nix says nothing, and ends with 0. The page has this in the row of this hole.
pub fn fooled(hole: usize, verdict: &NixVerdict) {
    assert_eq!((verdict.status, verdict.said.as_str()), (Some(0), ""));
    recorded(hole, "exit status 0, nothing said");
}

/// The row of this hole in the page has these words.
pub fn recorded(hole: usize, words: &str) {
    let page = include_str!("../../../../../docs/stage1-holes.md");
    let begin = format!("| {hole} |");
    let row = page.lines().find(|line| line.starts_with(&begin));
    let row = row.unwrap_or_else(|| panic!("no row of hole {hole}"));
    assert!(row.contains(words), "`{words}` is not in: {row}");
}

/// Changes a file that nobody may write to; its rights stay.
pub fn changed(file: &Path, content: impl AsRef<[u8]>) {
    let before = fs::metadata(file).unwrap().permissions();
    fs::set_permissions(file, Permissions::from_mode(0o644)).unwrap();
    fs::write(file, content).unwrap();
    fs::set_permissions(file, before).unwrap();
}
