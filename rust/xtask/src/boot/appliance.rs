//! A machine that remembers: three sealed generations on its disk, an ESP, and programs of ours as all that can be started.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tempfile::TempDir;
use touchstone_harness::boot::{Content, Disk, Firmware, Machine, Prepared, System, ext4};
use touchstone_harness::generations::{Bootable, Called, Workshop, bootable};
use touchstone_harness::nix::output;
use touchstone_harness::progress::Stage;
use touchstone_harness::{Flavour, Inputs, Root, guest};

use crate::toolchain;

mod story;

pub use story::{Story, listed, refused, succeeded};

/// The guest's devices.
const ROOT_DEVICE: &str = "/dev/vda2";
const ESP_DEVICE: &str = "/dev/vda1";
/// The ESP's size, in mebibytes: FAT32 with clusters of 4 KiB.
const ESP: u64 = 320;
/// Room on the root beyond what is put there at first, in mebibytes.
const ROOM: u64 = 256;

/// The installer in the guest.
pub const INSTALLER: &str = "/bin/touchstone-install";
/// The program in the guest.
pub const TOUCHSTONE: &str = "/bin/touchstone";

/// What systemd-stub 262 makes a secret of: ours is empty, and the installer leaves it alone.
pub const BOOT_SECRET: &str = "loader/boot-secret-mixin";

/// The folders of the root; the rest is made by programs.
const FOLDERS: [&str; 11] = [
    "bin",
    "boot",
    "dev",
    "etc",
    "nix/store",
    "nix/var/nix/profiles",
    "proc",
    "run",
    "sys",
    "tmp",
    "var/lib/touchstone",
];

/// A generation of the machine.
#[derive(Debug, Clone, Copy)]
pub enum Which {
    /// The oldest.
    First,
    /// The one with a specialisation.
    Second,
    /// That specialisation.
    Rescue,
    /// The newest.
    Third,
}

/// The generations, as Nix built them, and what becomes the machine's root.
pub struct Appliance<'a> {
    inputs: &'a Inputs,
    programs: Root,
    folder: TempDir,
    /// Who built and signed them.
    pub workshop: Workshop,
    toplevels: [String; 3],
}

impl<'a> Appliance<'a> {
    /// Builds the generations with the systemd of a suite; each new one is tried so often.
    pub fn build(inputs: &'a Inputs, suite: &'static str, tries: u32) -> Result<Appliance<'a>> {
        let stage = Stage::begin(format!(
            "Building the generations of a machine with systemd of {suite}"
        ));
        let folder = tempfile::tempdir_in("/tmp")?;
        let flavour = Flavour {
            suite,
            secure_boot: true,
        };
        let workshop = Workshop::new(inputs, &toolchain::checkout()?, folder.path(), &flavour)?;
        let wanted = [1, 2, 3].map(|number| format!("onDisk.generation{number}"));
        let wanted = wanted.each_ref().map(String::as_str);
        let arguments = arguments(inputs, folder.path(), &settings(tries, workshop.trusted()))?;
        let built = workshop.build(&wanted, &arguments)?;
        let toplevels = built.try_into();
        let toplevels: [String; 3] =
            toplevels.map_err(|built| anyhow!("nix-build named {built:?}"))?;
        for toplevel in &toplevels {
            workshop.sign(toplevel)?;
        }
        stage.done("built");
        Ok(Appliance {
            inputs,
            programs: inputs.trixie(),
            folder,
            workshop,
            toplevels,
        })
    }

    /// The store path of a generation; a specialisation lies in its generation's.
    pub fn toplevel(&self, which: Which) -> &str {
        let [first, second, third] = &self.toplevels;
        match which {
            Which::First => first,
            Which::Second | Which::Rescue => second,
            Which::Third => third,
        }
    }

    /// What a machine boots of a generation, and what it will measure.
    pub fn bootable(&self, which: Which) -> Result<Bootable> {
        let (name, generation, specialisation) = match which {
            Which::First => ("generation 1", "1", None),
            Which::Second => ("generation 2", "2", None),
            Which::Rescue => ("generation 2, rescue", "2-rescue", Some("rescue")),
            Which::Third => ("generation 3", "3", None),
        };
        let called = Called {
            name,
            generation,
            specialisation,
        };
        bootable(self.workshop.nix(), self.toplevel(which), &called)
    }

    /// A folder of the host beside the root's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The folder of a root with the programs of ours and nothing else.
    pub fn make_root(&self) -> Result<PathBuf> {
        let tree = self.path("root");
        for name in FOLDERS {
            fs::create_dir_all(tree.join(name))?;
        }
        for (program, file) in [
            (TOUCHSTONE, &self.inputs.touchstone),
            (INSTALLER, &self.inputs.installer),
        ] {
            let file = file.as_ref();
            let file = file.context("a static program is not built: run `cargo xtask setup`")?;
            fs::copy(file, tree.join(program.trim_start_matches('/')))?;
        }
        Ok(tree)
    }

    /// Copies the closure of a generation into a root's store, as Nix does.
    pub fn copy(&self, tree: &Path, which: Which) -> Result<()> {
        let to = format!("local?root={}", tree.display());
        let path = self.toplevel(which);
        self.workshop.copy(&to, &["--no-check-sigs"], &[path])
    }

    /// Makes a binary cache with the signed closure of a generation, as Nix does; the answer is its folder.
    pub fn cache(&self, folder: &Path, which: Which) -> Result<PathBuf> {
        let to = format!("file://{}?compression=none", folder.display());
        let path = self.toplevel(which);
        self.workshop.copy(&to, &[], &[path])?;
        Ok(folder.to_owned())
    }

    /// Makes a generation of the store the one of this number of the profile `system`, which is what `nix-env --set` leaves.
    pub fn set_profile(&self, tree: &Path, number: u32, which: Which) -> Result<()> {
        let profiles = tree.join("nix/var/nix/profiles");
        let link = format!("system-{number}-link");
        symlink(self.toplevel(which), profiles.join(&link))?;
        let profile = profiles.join("system");
        if profile.is_symlink() {
            fs::remove_file(&profile)?;
        }
        Ok(symlink(link, profile)?)
    }

    /// Has the installer install a generation from outside of the machine, as when an image of it is made; the answer is what belongs on
    /// the ESP.
    pub fn install(&self, tree: &Path, which: Which) -> Result<Vec<(String, Content)>> {
        let installer = self.inputs.installer.as_ref();
        let installer = installer.context("the static installer is not built")?;
        let mut command = Command::new(installer);
        command.args(["--any-file-system", "--root"]).arg(tree);
        command.arg(self.toplevel(which));
        output(command)?;
        let esp = self.path("esp");
        fs::rename(tree.join("boot"), &esp)?;
        fs::create_dir(tree.join("boot"))?;
        let mut files = Vec::new();
        collect(&esp, "", &mut files)?;
        // Without it, stub 262 gives the initrd a secret of its own making, and PCR 9 is another at each boot.
        files.push((BOOT_SECRET.to_owned(), vec![0].into()));
        Ok(files)
    }

    /// The machine of a root's folder and of files for its ESP, under Secure Boot.
    pub fn machine(&self, tree: &Path, esp: Vec<(String, Content)>) -> Result<Prepared<'_>> {
        let stage = Stage::begin("Making the machine's disk");
        let image = self.path("root.img");
        let size = size_of(tree)? * 9 / 8 / (1 << 20) + ROOM;
        ext4(&self.programs, self.folder.path(), tree, &image, size)?;
        let system = System {
            esp,
            esp_mebibytes: ESP,
            root: image.clone(),
        };
        let firmware = Firmware::of_debian(self.programs.path());
        let machine = Machine::new(&self.programs, firmware)
            .disk(Disk::System(system))
            .variables(self.workshop.variables(true)?)
            .prepare()?;
        fs::remove_file(&image)?;
        stage.done("made");
        Ok(machine)
    }
}

/// Every file below a folder, by its path with `/`.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, Content)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let (path, name) = (entry.path(), format!("{prefix}{name}"));
        if path.is_dir() {
            collect(&path, &format!("{name}/"), files)?;
        } else {
            files.push((name, path.into()));
        }
    }
    Ok(())
}

/// What the generations are built with beyond what all are.
fn arguments(inputs: &Inputs, folder: &Path, settings: &Value) -> Result<Vec<String>> {
    let modules = guest::modules(inputs, &guest::DISK)?;
    let modules: Vec<String> = modules
        .iter()
        .map(|module| module.display().to_string())
        .collect();
    let disk = format!(
        "{{ modules = [ {} ]; root = \"{ROOT_DEVICE}\"; esp = \"{ESP_DEVICE}\"; }}",
        modules.join(" ")
    );
    let file = folder.join("installation.json");
    fs::write(&file, settings.to_string())?;
    let installation = format!("builtins.fromJSON (builtins.readFile {})", file.display());
    let arguments = [("disk", disk), ("installation", installation)];
    let arguments = arguments
        .into_iter()
        .flat_map(|(name, value)| ["--arg".to_owned(), name.to_owned(), value]);
    Ok(arguments.collect())
}

/// What each generation has as `touchstone/install.json`.
fn settings(tries: u32, trusted: &str) -> Value {
    json!({
        "version": 1,
        "volumes": [{ "esp": "/boot", "xbootldr": null }],
        "loaderConf": { "timeout": "0", "editor": "no" },
        "sortKey": "touchstone-check",
        "configurationLimit": null,
        "bootCounting": { "tries": tries },
        "images": "sealed",
        "stub": null,
        "splash": null,
        "profiles": [],
        "sections": [],
        "pcrSign": null,
        "signing": null,
        "extraFiles": {},
        "extraEntries": {},
        "touchEfiVariables": true,
        "trustedPublicKeys": [trusted],
        "sigsNeeded": 1,
        "policy": null,
        "state": "/var/lib/touchstone/esp.json",
        "distro": "NixOS",
    })
}

/// The bytes of all files below a folder.
pub fn size_of(folder: &Path) -> Result<u64> {
    let mut total = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let metadata = entry.path().symlink_metadata()?;
        total += if metadata.is_dir() {
            size_of(&entry.path())?
        } else {
            // Each takes a block at least.
            metadata.len().next_multiple_of(4096)
        };
    }
    Ok(total)
}
