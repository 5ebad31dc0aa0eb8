//! A machine in a folder: profiles, a store, partitions, and the installer's own program.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A machine.
pub struct World {
    folder: tempfile::TempDir,
    /// The settings of every generation that is made; tests change them first.
    pub settings: Value,
    /// The kernel of all of them, where it has to be a program.
    pub kernel: Option<Vec<u8>>,
}

/// What a run said.
pub struct Said {
    /// Its exit status.
    pub status: i32,
    /// Standard output: a report, where it is one.
    pub report: Value,
    /// Standard error.
    pub error: String,
}

impl World {
    /// A machine with one partition, counting boots, without a boot loader of its own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in [
            "boot",
            "etc",
            "run",
            "nix/store",
            "nix/var/nix/profiles",
            "var/lib",
        ] {
            fs::create_dir_all(folder.path().join(inner)).unwrap();
        }
        fs::write(
            folder.path().join("etc/machine-id"),
            "0123456789abcdef0123456789abcdef\n",
        )
        .unwrap();
        Self {
            folder,
            kernel: None,
            settings: json!({
                "version": 1,
                "volumes": [{ "esp": "/boot", "xbootldr": null }],
                "loader": null,
                "loaderConf": { "timeout": "5", "editor": "no" },
                "sortKey": "nixos",
                "configurationLimit": null,
                "bootCounting": null,
                "images": "kernel",
                "stub": null,
                "splash": null,
                "profiles": [],
                "sections": [],
                "pcrSign": null,
                "signing": null,
                "extraFiles": {},
                "extraEntries": {},
                "touchEfiVariables": false,
                "trustedPublicKeys": [],
                "sigsNeeded": 1,
                "policy": null,
                "state": "/var/lib/touchstone/esp.json",
                "distro": "NixOS",
            }),
        }
    }

    /// Where a path of the machine lies.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    /// The root.
    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file of the machine, its folders included.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }

    /// Puts a file into the store. The answer is its path.
    pub fn store(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = store_path(name);
        self.write(&path, content);
        path
    }

    /// A generation by kernel and initrd, with these specialisations. The answer is its toplevel.
    pub fn generation(&self, name: &str, specialisations: &[&str]) -> String {
        let toplevel = store_path(&format!("nixos-system-{name}"));
        let mut children = json!({});
        for child in specialisations {
            let inner = store_path(&format!("nixos-system-{name}-{child}"));
            self.write_settings(&inner);
            children[child] =
                json!({ "org.nixos.bootspec.v2": self.core(&format!("{name}-{child}"), &inner) });
        }
        let document = json!({
            "org.nixos.bootspec.v2": self.core(name, &toplevel),
            "org.nixos.specialisation.v2": children,
        });
        self.write(&format!("{toplevel}/boot.json"), document.to_string());
        self.write_settings(&toplevel);
        toplevel
    }

    /// The core object of a generation; its kernel is that of the name's first part, so that generations may share it.
    pub fn core(&self, name: &str, toplevel: &str) -> Value {
        let kernel = self.kernel.as_deref().unwrap_or(b"kernel");
        let kernel = self.store("linux", kernel);
        let initrd = self.store(&format!("initrd-{name}"), format!("initrd of {name}"));
        json!({
            "system": "x86_64-linux",
            "init": format!("{toplevel}/init"),
            "initrds": [initrd],
            "kernel": kernel,
            "kernelParams": ["quiet"],
            "label": format!("NixOS {name}"),
            "toplevel": toplevel,
        })
    }

    /// Writes the settings into a toplevel.
    pub fn write_settings(&self, toplevel: &str) {
        let text = self.settings.to_string();
        self.write(&format!("{toplevel}/touchstone/install.json"), text);
    }

    /// Registers a generation in the system's profile, which leads to it then.
    pub fn register(&self, number: u64, toplevel: &str) {
        self.register_in("/nix/var/nix/profiles/system", number, toplevel);
    }

    /// Registers a generation in a profile.
    pub fn register_in(&self, profile: &str, number: u64, toplevel: &str) {
        let link = self.at(&format!("{profile}-{number}-link"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(toplevel, &link).unwrap();
        let own = self.at(profile);
        let _ = fs::remove_file(&own);
        symlink(link.file_name().unwrap(), own).unwrap();
    }

    /// Makes and registers a generation.
    pub fn add(&self, number: u64) -> String {
        let toplevel = self.generation(&number.to_string(), &[]);
        self.register(number, &toplevel);
        toplevel
    }

    /// Says that this toplevel was booted.
    pub fn boot(&self, toplevel: &str) {
        let link = self.at("/run/booted-system");
        let _ = fs::remove_file(&link);
        symlink(toplevel, link).unwrap();
    }

    /// Gives an EFI variable of the boot loader a text.
    pub fn variable(&self, name: &str, text: &str) {
        let mut value = vec![6, 0, 0, 0];
        let units = text.encode_utf16().chain([0]);
        value.extend(units.flat_map(u16::to_le_bytes));
        let guid = "4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
        self.write(&format!("/sys/firmware/efi/efivars/{name}-{guid}"), value);
    }

    /// The program, for this machine.
    pub fn program(&self, arguments: &[&str]) -> Command {
        self.order(
            Path::new(env!("CARGO_BIN_EXE_touchstone-install")),
            arguments,
        )
    }

    /// Another build of the program, for this machine.
    pub fn order(&self, program: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(["--json", "--any-file-system", "--root"]);
        command.arg(self.root()).args(arguments);
        command.env_remove("NIXOS_INSTALL_BOOTLOADER");
        command
    }

    /// The program, which shows nothing.
    pub fn quiet(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Said {
        said(self.program(arguments).output().unwrap())
    }

    /// Installs, which succeeds.
    #[track_caller]
    pub fn install(&self, toplevel: &str) -> Value {
        let said = self.run(&[toplevel]);
        assert_eq!(said.status, 0, "{}", said.error);
        said.report
    }

    /// Tries to install, which is refused and changes nothing on any partition. The answer is what it says.
    #[track_caller]
    pub fn refused(&self, toplevel: &str) -> String {
        let before = self.everything("/boot");
        let said = self.run(&[toplevel]);
        assert_eq!(said.status, 1, "{}", said.report);
        assert_eq!(
            before,
            self.everything("/boot"),
            "a refused run changed something"
        );
        said.error
    }

    /// Every file below a folder of the machine, with its digest.
    pub fn everything(&self, folder: &str) -> BTreeMap<String, String> {
        let mut files = BTreeMap::new();
        visit(&self.at(folder), &self.at(folder), &mut files);
        files
    }

    /// The names in a folder of the partition, sorted; none where there is no such folder.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at("/boot").join(folder)) else {
            return Vec::new();
        };
        let name = |entry: std::io::Result<fs::DirEntry>| {
            entry.unwrap().file_name().into_string().unwrap()
        };
        let mut names: Vec<String> = entries.map(name).collect();
        names.sort();
        names
    }

    /// The generations that have an entry, by number; of Type #1 and #2.
    pub fn entries(&self) -> Vec<u64> {
        let names = [self.names("loader/entries"), self.names("EFI/Linux")].concat();
        let mut numbers: Vec<u64> = names
            .iter()
            .filter_map(|name| name.parse::<touchstone_esp::EntryName>().ok())
            .map(|name| name.generation)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }

    /// The file of a generation's own entry.
    pub fn entry(&self, number: u64) -> PathBuf {
        let start = format!("nixos-{number}-");
        for folder in ["loader/entries", "EFI/Linux"] {
            let names = self.names(folder);
            let own = |name: &&String| {
                name.starts_with(&start) && !name.starts_with(&format!("{start}-"))
            };
            if let Some(name) = names.iter().find(own) {
                return self.at("/boot").join(folder).join(name);
            }
        }
        panic!("generation {number} has no entry")
    }

    /// Gives a generation's own entry this counter, or takes it away.
    pub fn count(&self, number: u64, counter: &str) -> PathBuf {
        let entry = self.entry(number);
        let name = entry.file_name().unwrap().to_str().unwrap();
        let (stem, extension) = name.rsplit_once('.').unwrap();
        let stem = stem.split('+').next().unwrap();
        let counted = entry.with_file_name(format!("{stem}{counter}.{extension}"));
        fs::rename(entry, &counted).unwrap();
        counted
    }

    /// The text of `loader.conf`.
    pub fn loader_conf(&self) -> String {
        fs::read_to_string(self.at("/boot/loader/loader.conf")).unwrap()
    }
}

/// What a finished run said.
pub fn said(output: Output) -> Said {
    Said {
        status: output.status.code().unwrap_or(-1),
        report: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A path in the store that is made of a name.
pub fn store_path(name: &str) -> String {
    const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let digest = Sha256::digest(name);
    let digits = digest.iter().map(|byte| DIGITS[usize::from(byte % 32)]);
    let hash = String::from_utf8(digits.collect()).unwrap();
    format!("/nix/store/{hash}-{name}")
}

fn visit(folder: &Path, root: &Path, files: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(root).unwrap().display().to_string();
        if path.is_symlink() {
            files.insert(name, fs::read_link(&path).unwrap().display().to_string());
            continue;
        }
        if path.is_dir() {
            visit(&path, root, files);
            continue;
        }
        let digest = Sha256::digest(fs::read(&path).unwrap());
        files.insert(name, data_encoding::HEXLOWER.encode(&digest));
    }
}
