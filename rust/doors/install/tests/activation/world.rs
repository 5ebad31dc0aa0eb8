//! A machine in a folder: a store whose paths are signed, profiles, a partition, variables of the firmware, and the program.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use touchstone_esp::EntryName;
use touchstone_store::closure::file_name;
use touchstone_store::{Entry, NarInfo, SecretKey, StorePath, nar};

/// A machine.
pub struct World {
    folder: TempDir,
    /// What the running system trusts.
    pub key: SecretKey,
    /// The kernel of generations that are made next.
    pub kernel: Vec<u8>,
    /// The settings of generations that are made next.
    pub settings: Value,
}

/// What a run said.
pub struct Said {
    /// Exit status.
    pub status: i32,
    /// Standard output.
    pub text: String,
    /// Standard error.
    pub error: String,
}

impl Said {
    /// Standard output, where it is one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }
}

pub fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &[seed; 32].into()).unwrap()
}

impl World {
    /// A machine that runs generation 1 and counts boots.
    pub fn new() -> Self {
        let world = Self::bare();
        let first = world.generation("1");
        world.run_first(first)
    }

    /// The same with this boot loader, which is the kernel as well: any program of the firmware will do.
    pub fn with_loader(loader: &[u8]) -> Self {
        let mut world = Self::bare();
        let path = store_path("systemd-bootx64.efi");
        world.write(path.as_str(), loader);
        world.settings["loader"] = json!({ "image": path.as_str() });
        world.kernel = loader.to_vec();
        let first = world.generation("1");
        world.run_first(first)
    }

    fn run_first(mut self, first: StorePath) -> Self {
        let world = &mut self;
        world.register("/nix/var/nix/profiles/system", 1, &first);
        world.link("/run/current-system", first.as_str());
        world.link("/run/booted-system", first.as_str());
        let said = world.run(&[first.as_str()]);
        assert_eq!(said.status, 0, "{}", said.error);
        world.settings["bootCounting"] = json!({ "tries": 3 });
        self
    }

    fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for inner in [
            "boot",
            "run",
            "nix/store",
            "nix/var/nix/profiles",
            "nix/var/touchstone/valid",
        ] {
            fs::create_dir_all(folder.path().join(inner)).unwrap();
        }
        let key = key("cache", 1);
        let settings = json!({
            "version": 1, "volumes": [{ "esp": "/boot", "xbootldr": null }],
            "loader": null, "loaderConf": {}, "sortKey": "nixos", "configurationLimit": null,
            "bootCounting": null, "images": "kernel", "stub": null, "splash": null,
            "profiles": [], "sections": [], "pcrSign": null, "signing": null,
            "extraFiles": {}, "extraEntries": {}, "touchEfiVariables": false,
            "trustedPublicKeys": [key.public_key().to_string()], "sigsNeeded": 1,
            "policy": null, "state": "/var/lib/touchstone/esp.json", "distro": "NixOS",
        });
        Self {
            folder,
            key,
            kernel: b"kernel".to_vec(),
            settings,
        }
    }

    /// Where a path of the machine lies.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path.trim_start_matches('/'))
    }

    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let place = self.at(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let _ = fs::remove_file(self.at(path));
        symlink(target, self.at(path)).unwrap();
    }

    /// A signed generation: a toplevel that refers to a kernel and an initrd.
    pub fn generation(&self, name: &str) -> StorePath {
        self.generation_signed(name, Some(&self.key))
    }

    /// The same, with the toplevel signed by this key, or by nobody.
    pub fn generation_signed(&self, name: &str, signer: Option<&SecretKey>) -> StorePath {
        let kernel = store_path("linux");
        self.write(kernel.as_str(), &self.kernel);
        let initrd = store_path(&format!("initrd-{name}"));
        self.write(initrd.as_str(), format!("initrd of {name}"));
        let toplevel = store_path(&format!("nixos-system-{name}"));
        let document = json!({ "org.nixos.bootspec.v2": {
            "system": "x86_64-linux", "init": format!("{toplevel}/init"), "initrds": [initrd.as_str()],
            "kernel": kernel.as_str(), "kernelParams": ["quiet"], "label": format!("NixOS {name}"),
            "toplevel": toplevel.as_str(),
        }});
        self.write(&format!("{toplevel}/boot.json"), document.to_string());
        let settings = self.settings.to_string();
        self.write(&format!("{toplevel}/touchstone/install.json"), settings);
        self.sign(&kernel, &[], Some(&self.key));
        self.sign(&initrd, &[], Some(&self.key));
        self.sign(&toplevel, &[&kernel, &initrd], signer);
        toplevel
    }

    /// A signed, sealed generation with this image and predictions for PCRs 7 and 11.
    pub fn sealed(&self, name: &str, image: &[u8]) -> StorePath {
        let path = store_path(&format!("nixos-system-{name}-sealed"));
        let inner = self.generation(name);
        let values = |pcr: u32| (pcr.to_string(), json!({ "sha256": hex(name.as_bytes()) }));
        let pcrs: serde_json::Map<String, Value> = [7, 11].map(values).into_iter().collect();
        let leaf = json!({ "path": ["main"], "pcrs": pcrs, "measurements": [] });
        let pcrs = json!({ "leaves": [leaf], "assumptions": [] }).to_string();
        let described = |file: &str, content: &[u8]| {
            self.write(&format!("{path}/{file}"), content);
            json!({ "path": file, "sha256": hex(content), "size": content.len() })
        };
        let mut uki = described("touchstone/uki.efi", image);
        uki["authenticodeSha256"] = json!(hex(image));
        let pcrs = described("touchstone/pcrs.json", pcrs.as_bytes());
        let document = fs::read_to_string(self.at(&format!("{inner}/boot.json"))).unwrap();
        let mut document: Value = serde_json::from_str(&document).unwrap();
        document["org.touchstone.v1"] =
            json!({ "uki": uki, "pcrs": pcrs, "sealed": path.as_str() });
        self.write(&format!("{path}/boot.json"), document.to_string());
        let settings = self.settings.to_string();
        self.write(&format!("{path}/touchstone/install.json"), settings);
        self.sign(&path, &[&inner], Some(&self.key));
        path
    }

    fn sign(&self, path: &StorePath, references: &[&StorePath], signer: Option<&SecretKey>) {
        let digest = nar::hash_path(&self.at(path.as_str())).unwrap();
        let mut entry = Entry {
            path: path.clone(),
            nar_hash: digest.hash,
            nar_size: digest.size,
            references: references.iter().map(|one| (*one).clone()).collect(),
            ca: None,
            signatures: BTreeSet::new(),
        };
        let fingerprint = entry.fingerprint();
        entry.signatures = signer.iter().map(|key| key.sign(&fingerprint)).collect();
        let info = NarInfo::from(entry);
        let file = format!("/nix/var/touchstone/valid/{}", file_name(path));
        self.write(&file, info.to_string());
    }

    /// Registers a generation as Nix would.
    pub fn register(&self, profile: &str, number: u64, toplevel: &StorePath) {
        let link = format!("{profile}-{number}-link");
        self.link(&link, toplevel.as_str());
        self.link(
            profile,
            Path::new(&link).file_name().unwrap().to_str().unwrap(),
        );
    }

    /// A path in the store with this name.
    pub fn in_store(&self, name: &str) -> PathBuf {
        self.at(store_path(name).as_str())
    }

    /// Gives a variable of the boot loader a text.
    pub fn variable(&self, name: &str, text: &str) {
        let units = text.encode_utf16().chain([0]);
        let value: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
        self.raw_variable(
            &format!("{name}-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"),
            &value,
        );
    }

    /// Lets the firmware ask for signatures, or not.
    pub fn enforce(&self, enforced: bool) {
        let name = "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
        self.raw_variable(name, &[u8::from(enforced)]);
    }

    /// Gives a variable a value.
    pub fn raw_variable(&self, name: &str, value: &[u8]) {
        let file = format!("/sys/firmware/efi/efivars/{name}");
        self.write(&file, [&[6, 0, 0, 0], value].concat());
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_touchstone-install"));
        // It needs no environment; this build of it needs to be told where its libraries are.
        let libraries = std::env::vars_os().filter(|(name, _)| name == "LD_LIBRARY_PATH");
        command
            .args(arguments)
            .args(["--any-file-system", "--root"]);
        let output = command
            .arg(self.folder.path())
            .env_clear()
            .envs(libraries)
            .output()
            .unwrap();
        Said {
            status: output.status.code().unwrap_or(-1),
            text: String::from_utf8(output.stdout).unwrap(),
            error: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs the program, which succeeds; the answer is its JSON document.
    #[track_caller]
    pub fn done(&self, arguments: &[&str]) -> Value {
        let said = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(said.status, 0, "{}", said.error);
        said.json()
    }

    /// Runs the program, which refuses and changes neither the profiles nor the partition; the answer is what it says.
    #[track_caller]
    pub fn refused(&self, arguments: &[&str]) -> String {
        let before = self.everything();
        let said = self.run(arguments);
        assert_eq!(said.status, 1, "{}", said.text);
        assert_eq!(self.everything(), before, "a refused run changed something");
        said.error
    }

    /// Names of everything on the partition and in the profiles; of a link also where it leads, of a file what it holds.
    fn everything(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["/boot", "/nix/var/nix/profiles"] {
            visit(&self.at(folder), &mut found);
        }
        found.sort();
        found
    }

    /// The profile's links.
    pub fn profile(&self) -> Vec<String> {
        let mut found = Vec::new();
        visit(&self.at("/nix/var/nix/profiles"), &mut found);
        found.sort();
        found
            .iter()
            .map(|line| line.rsplit('/').next().unwrap().to_owned())
            .collect()
    }

    /// The names of our entries of Type #1.
    pub fn entries(&self) -> Vec<String> {
        let folder = fs::read_dir(self.at("/boot/loader/entries")).unwrap();
        let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// The name of the entry of a generation.
    pub fn entry(&self, generation: u64) -> EntryName {
        let names = self
            .entries()
            .into_iter()
            .map(|name| name.parse::<EntryName>().unwrap());
        let mut own = names.filter(|name| name.generation == generation);
        own.next().unwrap()
    }

    /// Renames an entry as the boot loader, or a blessing, would; the answer is its new path on the partition.
    pub fn count(&self, generation: u64, count: &str) -> String {
        let name = self.entry(generation);
        let counted = name.counting(count.parse().ok());
        let folder = self.at("/boot/loader/entries");
        fs::rename(
            folder.join(name.to_string()),
            folder.join(counted.to_string()),
        )
        .unwrap();
        format!("\\loader\\entries\\{counted}")
    }
}

fn hex(content: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(content))
}

fn visit(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            let target = target.file_name().unwrap().to_string_lossy().into_owned();
            found.push(format!("{} {target}", path.display()));
        } else if path.is_dir() {
            visit(&path, found);
        } else {
            let digest = Sha256::digest(fs::read(&path).unwrap());
            found.push(format!("{} {digest:02x?}", path.display()));
        }
    }
}

/// A path in the store that is made of a name.
fn store_path(name: &str) -> StorePath {
    const DIGITS: &[u8; 32] = b"0123456789abcdfghijklmnpqrsvwxyz";
    let digest = Sha256::digest(name);
    let digits = digest.iter().map(|byte| DIGITS[usize::from(byte % 32)]);
    let hash = String::from_utf8(digits.collect()).unwrap();
    StorePath::parse(&format!("/nix/store/{hash}-{name}")).unwrap()
}
