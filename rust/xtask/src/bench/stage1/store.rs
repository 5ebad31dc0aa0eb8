//! The closure that is hashed: made and signed by real Nix, with a root around it as stage 1 would find it mounted.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use touchstone_harness::Inputs;
use touchstone_harness::nix::{Nix, output};
use touchstone_harness::nix_inputs::package;

use crate::toolchain::checkout;

/// The least that is measured.
const FILES: u64 = 25_000;
const BYTES: u64 = 1 << 30;

/// The derivation: a toplevel, as stage 1 wants one, of parts with files.
const TOPLEVEL: &str = r#"
{ checks, probe }:
let parts = import (checks + "/parts.nix") { inherit probe; }; in
derivation {
  name = "system";
  system = "x86_64-linux";
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  mode = "toplevel";
  kernel = "${parts}/uses";
  initrd = "${parts}/uses";
  init = "${parts}/lib/folder-0/file-000000.so";
  kernelParams = [ ];
  nixosVersion = "bench";
}
"#;

/// A signed closure in a store of its own, and stage 1's initrd beside it.
pub struct Store {
    /// The machine's root: `nix/store` is below it.
    pub root: PathBuf,
    /// The root of the initrd.
    pub initrd: PathBuf,
    /// `/proc/cmdline` of the boot.
    pub line: PathBuf,
    /// All regular files of the closure, as Nix sees them, each with a NUL byte behind it, in as many lists as there are processors.
    pub lists: Vec<PathBuf>,
    /// The system.
    pub toplevel: String,
    /// The public key by which it is signed.
    pub key: String,
    /// How many files there are, how many paths, and how many bytes of NAR.
    pub files: u64,
    pub paths: u64,
    pub bytes: u64,
    nix: Nix,
}

impl Store {
    /// Has Nix make and sign the closure below this folder.
    ///
    /// # Errors
    /// When something of it fails, or the closure is smaller than it is to be.
    pub fn make(inputs: &Inputs, folder: &Path, lists: usize) -> Result<Store> {
        let probe = inputs.probe.as_ref().context("the probe is not built")?;
        let probe = package(folder, probe)?;
        let checks = checkout()?.join("checks");
        let expression = folder.join("toplevel.nix");
        fs::write(&expression, TOPLEVEL)?;
        let root = folder.join("root");
        fs::create_dir_all(&root)?;
        let nix = Nix::new(inputs, &root)?;
        let nix = nix.show(&checks).show(&probe).bind(folder);
        let mut arguments = vec![expression.display().to_string()];
        for (name, path) in [("checks", &checks), ("probe", &probe)] {
            arguments.extend(["--arg".into(), name.into(), path.display().to_string()]);
        }
        let built = nix.build(arguments)?;
        let toplevel = built.first().context("Nix built nothing")?.clone();
        let mut store = Store {
            initrd: folder.join("initrd"),
            line: folder.join("cmdline"),
            lists: (0..lists)
                .map(|number| folder.join(format!("files-{number}")))
                .collect(),
            key: String::new(),
            files: 0,
            paths: 0,
            bytes: 0,
            root,
            toplevel,
            nix,
        };
        store.sign(folder)?;
        store.count(lists)?;
        store.fill_initrd(inputs)?;
        Ok(store)
    }

    fn sign(&mut self, folder: &Path) -> Result<()> {
        let mut generate = self.nix.command("nix")?;
        generate.args(["key", "generate-secret", "--key-name", "bench-1"]);
        let secret = folder.join("key");
        fs::write(&secret, output(generate)?)?;
        let mut sign = self.nix.command("nix")?;
        sign.args(["store", "sign", "--recursive", "--key-file"]);
        output({
            sign.arg(&secret).arg(&self.toplevel);
            sign
        })?;
        let mut public = self.nix.command("bash")?;
        public.args(["-c", "nix key convert-secret-to-public < \"$0\""]);
        public.arg(&secret);
        self.key = output(public)?.trim().to_owned();
        Ok(())
    }

    /// Lists the files of the closure, and sees that it is as large as it is to be.
    fn count(&mut self, lists: usize) -> Result<()> {
        let paths = self.query(&["--requisites", &self.toplevel])?;
        let mut files = Vec::new();
        for path in paths.lines() {
            self.paths += 1;
            add_files(&self.nix.on_host(path), &mut files)?;
        }
        let sizes = paths.lines().collect::<Vec<_>>();
        for line in self.query(&[&["--size"], &sizes[..]].concat())?.lines() {
            self.bytes += line.parse::<u64>()?;
        }
        self.files = files.len() as u64;
        ensure!(
            self.files >= FILES && self.bytes >= BYTES,
            "the closure has {} files and {} bytes only",
            self.files,
            self.bytes
        );
        for (number, list) in self.lists.iter().enumerate() {
            let mut text = Vec::new();
            for file in files.iter().skip(number).step_by(lists) {
                let inside = Path::new("/").join(file.strip_prefix(&self.root)?);
                text.extend(inside.as_os_str().as_bytes());
                text.push(0);
            }
            fs::write(list, text)?;
        }
        Ok(())
    }

    fn query(&self, words: &[&str]) -> Result<String> {
        let mut query = self.nix.command("nix-store")?;
        query.arg("--query").args(words);
        output(query)
    }

    /// What stage 1 finds in its initrd.
    fn fill_initrd(&self, inputs: &Inputs) -> Result<()> {
        let stage1 = inputs.stage1.as_ref().context("stage 1 is not built")?;
        let touchstone = inputs.touchstone.as_ref();
        let touchstone = touchstone.context("the static binary is not built")?;
        let at = |name: &str| self.initrd.join(name);
        for folder in [
            "bin",
            "etc/touchstone",
            ".touchstone",
            "var/tmp",
            "proc",
            "sysroot",
        ] {
            fs::create_dir_all(at(folder))?;
        }
        fs::copy(stage1, at("bin/touchstone-stage1"))?;
        fs::set_permissions(&self.root, fs::Permissions::from_mode(0o755))?;
        let line = format!("init={}/init noresume --\n", self.toplevel);
        fs::write(&self.line, &line)?;
        fs::write(at(".touchstone/command-lines"), &line)?;
        let configuration = format!(
            "version 1\nkey {}\nsigs-needed 1\non-failure halt\nmanifest image\nsysroot /sysroot\ninit /bin/init\n",
            self.key
        );
        fs::write(at("etc/touchstone/stage1.conf"), configuration)?;
        let mut manifest = std::process::Command::new(touchstone);
        manifest.args(["closure", "manifest", &self.toplevel, "--root"]);
        manifest
            .arg(&self.root)
            .arg("--output")
            .arg(at(".touchstone/manifest"));
        output(manifest).map(|_| ())
    }
}

/// Adds all regular files below.
fn add_files(at: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let kind = fs::symlink_metadata(at)?.file_type();
    if kind.is_file() {
        files.push(at.to_owned());
    } else if kind.is_dir() {
        for entry in fs::read_dir(at)? {
            add_files(&entry?.path(), files)?;
        }
    }
    Ok(())
}
