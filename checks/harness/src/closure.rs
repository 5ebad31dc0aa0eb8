//! A closure as large as a system's, made and signed by real Nix, and what `nix store verify` says of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::inputs::Inputs;
use crate::nix::{Nix, output};
use crate::nix_inputs::package;

const CHECKOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

const STORE: &str = "/nix/store/";

/// How large a closure is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many derivations.
    pub derivations: usize,
    /// How many outputs each of them has: paths that are named by how they are built.
    pub outputs: usize,
    /// How many paths are named by what they hold.
    pub addressed: usize,
}

impl Size {
    /// A small one, for tests of one thing.
    pub const SMALL: Size = Size {
        derivations: 2,
        outputs: 6,
        addressed: 6,
    };
    /// More than 2 000 paths, more than 1 500 of them named by how they are built.
    pub const SYSTEM: Size = Size {
        derivations: 11,
        outputs: 150,
        addressed: 400,
    };
}

/// A store with one closure.
#[derive(Debug, Clone)]
pub struct Closure {
    nix: Nix,
    folder: PathBuf,
    /// The toplevel.
    pub toplevel: String,
}

/// What `nix store verify` said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NixVerdict {
    /// Its exit status: 0 when it is content.
    pub status: Option<i32>,
    /// The paths that it does not trust.
    pub untrusted: BTreeSet<String>,
    /// The paths that it found to be otherwise, or not at all.
    pub otherwise: BTreeSet<String>,
    /// All that it said.
    pub said: String,
}

impl Closure {
    /// Builds it in a store of its own, below `folder/root`.
    ///
    /// # Errors
    /// When the probe is not built, or Nix refuses.
    pub fn build(inputs: &Inputs, folder: &Path, size: Size) -> Result<Closure> {
        let probe = inputs.probe.as_ref();
        let probe = probe.context("the static probe is not built: run `cargo xtask setup`")?;
        let package = package(folder, probe)?;
        let checks = Path::new(CHECKOUT).canonicalize()?.join("checks");
        let nix = Nix::new(inputs, folder.join("root"))?;
        let nix = nix.show(&checks).bind(folder);
        let numbers = [
            ("derivations", size.derivations),
            ("outputs", size.outputs),
            ("addressed", size.addressed),
        ];
        let expression = checks.join("closure.nix").display().to_string();
        let mut arguments = vec![expression, "--arg".to_owned(), "probe".to_owned()];
        arguments.push(package.display().to_string());
        for (name, number) in numbers {
            arguments.extend(["--arg", name, &number.to_string()].map(str::to_owned));
        }
        // What is lost with the power is built again.
        arguments.extend(["--option", "fsync-metadata", "false"].map(str::to_owned));
        let built = nix.build(arguments)?;
        let toplevel = built.first().context("nix-build printed no path")?.clone();
        Ok(Closure {
            nix,
            folder: folder.to_owned(),
            toplevel,
        })
    }

    /// The folder that holds `nix/store`.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// Nix' database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.root().join("nix/var/nix/db/db.sqlite")
    }

    /// Where a store path is, seen from the host.
    #[must_use]
    pub fn on_host(&self, path: &str) -> PathBuf {
        self.nix.on_host(path)
    }

    /// A program of Nix with this store.
    ///
    /// # Errors
    /// When no xtask binary is known.
    pub fn command(&self, program: &str) -> Result<std::process::Command> {
        self.nix.command(program)
    }

    /// The paths that the toplevel reaches.
    ///
    /// # Errors
    /// When Nix refuses.
    pub fn paths(&self) -> Result<Vec<String>> {
        let mut command = self.nix.command("nix-store")?;
        command.args(["--query", "--requisites", &self.toplevel]);
        Ok(output(command)?.lines().map(str::to_owned).collect())
    }

    /// Makes a key: its secret is in the file `FILE.secret` of the folder. The answer is the public one.
    ///
    /// # Errors
    /// When Nix refuses.
    pub fn key(&self, file: &str, name: &str) -> Result<String> {
        let [secret, public] =
            ["secret", "public"].map(|kind| self.folder.join(format!("{file}.{kind}")));
        let mut command = self.nix.command("nix-store")?;
        command.args(["--generate-binary-cache-key", name]);
        command.args([&secret, &public]);
        output(command)?;
        Ok(fs::read_to_string(public)?)
    }

    /// Gives a key another name: its secret is in the file `ALIAS.secret`. The answer is the public one.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn rename_key(&self, file: &str, alias: &str, name: &str) -> Result<String> {
        let mut texts = Vec::new();
        for kind in ["secret", "public"] {
            let text = fs::read_to_string(self.folder.join(format!("{file}.{kind}")))?;
            let (_, key) = text.split_once(':').context("a key without a name")?;
            let renamed = format!("{name}:{key}");
            fs::write(self.folder.join(format!("{alias}.{kind}")), &renamed)?;
            texts.push(renamed);
        }
        texts.pop().context("no key")
    }

    /// Signs paths with the key in `FILE.secret`.
    ///
    /// # Errors
    /// When Nix refuses.
    pub fn sign(&self, file: &str, paths: &[String]) -> Result<()> {
        let mut command = self.nix.command("nix")?;
        let secret = self.folder.join(format!("{file}.secret"));
        command.args(["--quiet", "store", "sign", "--key-file"]);
        command.arg(secret).args(paths);
        output(command).map(drop)
    }

    /// Changes Nix' database, as whoever can write to the disk may.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub fn change_database(&self, inputs: &Inputs, statement: &str) -> Result<()> {
        let script = "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.execute(sys.argv[2]); d.commit(); d.close()";
        let visit = inputs.trixie().visit().bind(&self.folder);
        let mut command = visit.command("python3")?;
        command.args(["-c", script]).arg(self.database());
        command.arg(statement);
        output(command).map(drop)
    }

    /// Asks `nix store verify` of the toplevel and all that it reaches, as the database says.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn verify(&self, keys: &[&str], needed: usize) -> Result<NixVerdict> {
        self.verify_path(&self.toplevel, keys, needed)
    }

    /// The same of another path.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn verify_path(&self, path: &str, keys: &[&str], needed: usize) -> Result<NixVerdict> {
        let mut command = self.nix.command("nix")?;
        command.args(["--quiet", "store", "verify", "--recursive"]);
        command.args(["--sigs-needed", &needed.to_string(), path]);
        command.args(["--option", "trusted-public-keys", &keys.join(" ")]);
        let done = command.output()?;
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        let (mut untrusted, mut otherwise) = (BTreeSet::new(), BTreeSet::new());
        for line in said.lines() {
            // Of a store elsewhere Nix writes `//nix/store/…`.
            let mut words = line
                .split('\'')
                .filter_map(|word| word.find(STORE).map(|at| &word[at..]));
            let Some(path) = words.next() else { continue };
            match line.ends_with("is untrusted") {
                true => untrusted.insert(path.to_owned()),
                false => otherwise.insert(path.to_owned()),
            };
        }
        let content = untrusted.is_empty() && otherwise.is_empty();
        ensure!(content == done.status.success(), "nix said: {said}");
        Ok(NixVerdict {
            status: done.status.code(),
            untrusted,
            otherwise,
            said,
        })
    }
}
