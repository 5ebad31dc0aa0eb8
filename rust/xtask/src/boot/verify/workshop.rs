//! Generations whose initrd is systemd's, as Nix built them, and the root that their machines boot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;
use tempfile::TempDir;
use touchstone_harness::boot::{Disk, Firmware, Machine, System, ext4};
use touchstone_harness::generations::{Bootable, Called, Workshop, bootable};
use touchstone_harness::progress::Stage;
use touchstone_harness::{Flavour, Inputs, Root, guest, systemd_initrd};

use crate::boot::appliance::size_of;
use crate::compare;
use crate::toolchain;

/// The guest's root.
const ROOT_DEVICE: &str = "/dev/vda2";
/// Modules of the guest's kernel: for its disk, and for what NixOS mounts over `/etc`.
const MODULES: [&str; 4] = ["virtio_blk", "efivarfs", "loop", "overlay"];
/// The ESP's size, in mebibytes.
const ESP: u64 = 320;
/// Room on the root beyond what is put there at first, in mebibytes.
const ROOM: u64 = 128;
/// Folders of a root that no store path brings.
const FOLDERS: [&str; 9] = [
    "dev",
    "etc",
    "nix/store",
    "proc",
    "run",
    "sys",
    "tmp",
    "usr",
    "var",
];

/// What the root is of.
const OS_RELEASE: &str = "ID=touchstone-check\n";

/// Where generations are built, and machines made of them.
pub struct Verified {
    programs: Root,
    folder: TempDir,
    workshop: Workshop,
    arguments: Vec<String>,
}

impl Verified {
    /// Makes keys, and what the generations are made of.
    pub fn new(inputs: &Inputs) -> Result<Verified> {
        let folder = tempfile::tempdir_in("/tmp")?;
        let workshop = Workshop::new(
            inputs,
            &toolchain::checkout()?,
            folder.path(),
            &Flavour::default(),
        )?;
        let programs = inputs.trixie();
        let systemd = folder.path().join("systemd");
        systemd_initrd::lay_out(&programs, &systemd)?;
        let etc = etc_image(&programs, folder.path())?;
        let modules = guest::modules(inputs, &MODULES)?;
        let modules: Vec<String> = modules
            .iter()
            .map(|module| module.display().to_string())
            .collect();
        let verified = format!(
            "{{ systemd = {}; root = \"{ROOT_DEVICE}\"; modules = [ {} ]; etcImage = {}; }}",
            systemd.display(),
            modules.join(" "),
            etc.display(),
        );
        let arguments = ["--arg", "verified", &verified].map(str::to_owned).into();
        Ok(Verified {
            programs,
            folder,
            workshop,
            arguments,
        })
    }

    /// Builds generations of `checks/verified.nix` by their names.
    pub fn build(&self, names: &[&'static str]) -> Result<Vec<Generation>> {
        let stage = Stage::begin("Building generations with systemd in the initrd");
        let wanted: Vec<String> = names
            .iter()
            .map(|name| format!("verified.{name}"))
            .collect();
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        let built = self.workshop.build(&wanted, &self.arguments)?;
        let built = names.iter().zip(built);
        let generations = built.map(|(name, path)| self.generation(name, &path));
        let generations = generations.collect();
        stage.done("built");
        generations
    }

    fn generation(&self, name: &'static str, artifacts: &str) -> Result<Generation> {
        let called = Called {
            name,
            generation: name,
            specialisation: None,
        };
        let nix = self.workshop.nix();
        let document = nix.on_host(artifacts).join("boot.json");
        let text = fs::read(&document).with_context(|| document.display().to_string())?;
        let document: Value = serde_json::from_slice(&text)?;
        let toplevel = document.pointer("/org.nixos.bootspec.v1/toplevel");
        let toplevel = toplevel.and_then(Value::as_str);
        Ok(Generation {
            bootable: bootable(nix, artifacts, &called)?,
            toplevel: toplevel.context("boot.json names no toplevel")?.to_owned(),
        })
    }

    /// Makes a root whose store has the closures of these paths, as Nix copies them; the answer is its image.
    pub fn root(&self, paths: &[&str]) -> Result<PathBuf> {
        let stage = Stage::begin("Making a root");
        let tree = self.folder.path().join("root");
        for name in FOLDERS {
            fs::create_dir_all(tree.join(name))?;
        }
        // As the activation of an earlier boot left it: systemd switches to no root without it.
        fs::write(tree.join("etc/os-release"), OS_RELEASE)?;
        let to = format!("local?root={}", tree.display());
        self.workshop.copy(&to, &["--no-check-sigs"], paths)?;
        let image = self.folder.path().join("root.img");
        let size = size_of(&tree)? * 9 / 8 / (1 << 20) + ROOM;
        ext4(&self.programs, self.folder.path(), &tree, &image, size)?;
        stage.done("made");
        Ok(image)
    }

    /// The machine that boots a generation, under Secure Boot, with this root.
    pub fn machine(&self, generation: &Generation, root: &Path) -> Result<Machine<'_>> {
        let firmware = Firmware::of_debian(self.programs.path());
        let system = System {
            esp: Vec::new(),
            esp_mebibytes: ESP,
            root: root.to_owned(),
        };
        let Bootable { loader, uki, .. } = &generation.bootable;
        let machine = Machine::new(&self.programs, firmware).disk(Disk::System(system));
        let variables = self.workshop.variables(true)?;
        Ok(compare::machine(machine, loader, uki, variables))
    }
}

/// A generation: its system, and what a machine boots of it.
pub struct Generation {
    /// What lies on the ESP, and what it will measure.
    pub bootable: Bootable,
    /// The system's store path.
    pub toplevel: String,
}

/// An image of what a system has as `/etc`, with a file that says so.
fn etc_image(programs: &Root, folder: &Path) -> Result<PathBuf> {
    let (tree, image) = (folder.join("etc"), folder.join("etc.img"));
    fs::create_dir(&tree)?;
    fs::write(tree.join("os-release"), OS_RELEASE)?;
    ext4(programs, folder, &tree, &image, 1)?;
    Ok(image)
}
