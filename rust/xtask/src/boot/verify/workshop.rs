//! Generations whose initrd is systemd's, as Nix built them, and the root that their machines boot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tempfile::TempDir;
use touchstone_harness::boot::{Disk, Firmware, Machine, System, ext4};
use touchstone_harness::generations::{Bootable, Called, Workshop, bootable};
use touchstone_harness::nix::{Nix, output};
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
/// The machine's memory in mebibytes: an initrd with systemd is unpacked in it.
const MEMORY: u32 = 1024;
/// The generation whose manifest lies beside its image.
pub const CARRIED_BESIDE: &str = "verified-esp";
/// The name of the manifest beside an image.
pub const MANIFEST: &str = "touchstone-manifest.cred";
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
    touchstone: PathBuf,
    addon_stub: PathBuf,
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
        let built = inputs.stage1.as_ref();
        let built = built.context("the static verifier is not built: run `cargo xtask setup`")?;
        // Nix sees the folder, and not where it was built.
        let stage1 = folder.path().join("touchstone-stage1");
        fs::copy(built, &stage1).with_context(|| built.display().to_string())?;
        let verified = format!(
            "{{ systemd = {}; root = \"{ROOT_DEVICE}\"; modules = [ {} ]; etcImage = {}; stage1 = {}; trusted = \"{}\"; }}",
            systemd.display(),
            modules.join(" "),
            etc.display(),
            stage1.display(),
            workshop.trusted(),
        );
        let arguments = ["--arg", "verified", &verified].map(str::to_owned).into();
        Ok(Verified {
            programs,
            folder,
            workshop,
            arguments,
            touchstone: inputs
                .touchstone
                .clone()
                .context("the static binary is not built: run `cargo xtask setup`")?,
            addon_stub: inputs
                .addon_stub
                .get("trixie")
                .and_then(|by_architecture| by_architecture.get("x64"))
                .cloned()
                .context("trixie's stub of addons is missing: run `cargo xtask setup`")?,
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
            manifest: nix.on_host(artifacts).join("manifest.json"),
            bootable: bootable(nix, artifacts, &called)?,
            toplevel: toplevel.context("boot.json names no toplevel")?.to_owned(),
        })
    }

    /// Fills the root whose store has the closures of these paths, as Nix copies them; the answer is its folder.
    pub fn tree(&self, paths: &[&str]) -> Result<Tree> {
        let stage = Stage::begin("Filling a root");
        let tree = self.folder.path().join("root");
        for name in FOLDERS {
            fs::create_dir_all(tree.join(name))?;
        }
        // As the activation of an earlier boot left it: systemd switches to no root without it.
        fs::write(tree.join("etc/os-release"), OS_RELEASE)?;
        let to = format!("local?root={}", tree.display());
        self.workshop.copy(&to, &["--no-check-sigs"], paths)?;
        stage.done("filled");
        Ok(Tree { folder: tree })
    }

    /// The image of a root, after something was done to it; the tree itself stays as it is.
    pub fn root(&self, tree: &Tree, change: impl FnOnce(&Tree) -> Result<()>) -> Result<Image> {
        self.root_with_room(tree, ROOM, change)
    }

    /// The same with so many mebibytes that nothing is in, and an inode for each 16 KiB of them.
    pub fn root_with_room(
        &self,
        tree: &Tree,
        room: u64,
        change: impl FnOnce(&Tree) -> Result<()>,
    ) -> Result<Image> {
        let folder = tempfile::tempdir_in(self.folder.path())?;
        let changed = Tree {
            folder: folder.path().join("root"),
        };
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(&tree.folder).arg(&changed.folder);
        output(copy)?;
        change(&changed)?;
        let image = folder.path().join("root.img");
        let size = size_of(&changed.folder)? * 9 / 8 / (1 << 20) + room;
        ext4(
            &self.programs,
            self.folder.path(),
            &changed.folder,
            &image,
            size,
        )?;
        fs::remove_dir_all(&changed.folder)?;
        Ok(Image { folder })
    }

    /// The machine that boots a generation, under Secure Boot, with this root.
    pub fn machine(&self, generation: &Generation, root: &Image) -> Result<Machine<'_>> {
        let Bootable { loader, uki, .. } = &generation.bootable;
        let variables = self.workshop.variables(true)?;
        let machine = compare::machine(self.empty(root), loader, uki, variables);
        if generation.bootable.name == CARRIED_BESIDE {
            let manifest = generation.manifest.clone();
            return Ok(machine.file(&beside(MANIFEST), manifest));
        }
        Ok(machine)
    }

    /// The machine that boots kernel and initrd of a generation as files of their own, the kernel signed by the machine's key.
    pub fn entry(&self, generation: &Generation, root: &Image) -> Result<Machine<'_>> {
        let nix = self.workshop.nix();
        let of_toplevel = |name: &str| -> Result<PathBuf> {
            let link = nix.on_host(&generation.toplevel).join(name);
            let target = fs::read_link(&link).with_context(|| link.display().to_string())?;
            Ok(nix.on_host(target.to_str().context("a link that is no text")?))
        };
        let kernel = self.signed(&of_toplevel("kernel")?, "kernel.efi")?;
        let initrd = of_toplevel("initrd")?;
        let entry = format!(
            "title Entry\nlinux /kernel.efi\ninitrd /initrd\noptions {} init={}/init noresume --\n",
            "console=ttyS0 panic=-1 oops=panic no_timer_check root=fstab", generation.toplevel
        );
        let loader = generation.bootable.loader.clone();
        Ok(self
            .empty(root)
            .file("EFI/BOOT/BOOTX64.EFI", loader)
            .file("kernel.efi", kernel)
            .file("initrd", initrd)
            .file("loader/entries/entry.conf", entry.into_bytes())
            .file("loader/loader.conf", b"timeout 0\n".to_vec())
            .variables(self.workshop.variables(true)?))
    }

    fn empty(&self, root: &Image) -> Machine<'_> {
        let firmware = Firmware::of_debian(self.programs.path());
        let system = System {
            esp: Vec::new(),
            esp_mebibytes: ESP,
            root: root.folder.path().join("root.img"),
        };
        Machine::new(&self.programs, firmware)
            .disk(Disk::System(system))
            .memory(MEMORY)
    }

    /// An addon with this command line, signed by the machine's key.
    pub fn addon(&self, command_line: &str) -> Result<PathBuf> {
        let unsigned = self.folder.path().join("unsigned.addon.efi");
        let mut build = Command::new(&self.touchstone);
        build.args(["uki", "build", "--stub"]).arg(&self.addon_stub);
        build.args(["--cmdline", command_line, "--output"]);
        output(with(build, &unsigned))?;
        let signed = self.signed(&unsigned, "signed.addon.efi")?;
        fs::remove_file(unsigned)?;
        Ok(signed)
    }

    fn signed(&self, image: &Path, name: &str) -> Result<PathBuf> {
        let signed = self.folder.path().join(name);
        let keys = self.workshop.keys();
        let mut sign = Command::new(&self.touchstone);
        sign.args(["pe", "sign", "--key"]).arg(keys.join("db.key"));
        sign.arg("--certificate").arg(keys.join("db.pem"));
        sign.arg("--output").arg(&signed);
        output(with(sign, image))?;
        Ok(signed)
    }

    /// The Nix that built all this.
    pub fn nix(&self) -> &Nix {
        self.workshop.nix()
    }
}

fn with(mut command: Command, last: &Path) -> Command {
    command.arg(last);
    command
}

/// A file's place beside the image, from where the stub takes it.
pub fn beside(name: &str) -> String {
    format!("EFI/Linux/nixos-check.efi.extra.d/{name}")
}

/// A root, as a folder.
pub struct Tree {
    folder: PathBuf,
}

impl Tree {
    /// A file or folder of the root.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.join(path.trim_start_matches('/'))
    }

    /// The store path whose name ends so.
    pub fn store_path(&self, name: &str) -> Result<PathBuf> {
        for entry in fs::read_dir(self.at("nix/store"))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().get(33..) == Some(name) {
                return Ok(entry.path());
            }
        }
        bail!("no store path of the root is called {name}")
    }
}

/// The image of a root, which goes when this does.
pub struct Image {
    folder: TempDir,
}

impl Image {
    /// Has this machine's kernel change what is in the image: what `mke2fs` would take minutes for.
    pub fn changed(self, change: impl FnOnce(&Tree) -> Result<()>) -> Result<Image> {
        let tree = Tree {
            folder: self.folder.path().join("mounted"),
        };
        fs::create_dir(&tree.folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-o", "loop"]);
        mount.arg(self.folder.path().join("root.img"));
        output(with(mount, &tree.folder))?;
        let changed = change(&tree);
        output(with(Command::new("umount"), &tree.folder))?;
        changed.map(|()| self)
    }
}

/// A generation: its system, and what a machine boots of it.
pub struct Generation {
    /// What lies on the ESP, and what it will measure.
    pub bootable: Bootable,
    /// The system's store path.
    pub toplevel: String,
    /// The manifest, which is signed where the generation is verified.
    pub manifest: PathBuf,
}

impl Generation {
    /// How many paths the system has, by its manifest: one a line, which begins with it.
    pub fn paths(&self) -> Result<usize> {
        let file = &self.manifest;
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let lines = text.lines();
        Ok(lines.filter(|line| line.starts_with("{\"path\":")).count())
    }
}

/// An image of what a system has as `/etc`, with a file that says so.
fn etc_image(programs: &Root, folder: &Path) -> Result<PathBuf> {
    let (tree, image) = (folder.join("etc"), folder.join("etc.img"));
    fs::create_dir(&tree)?;
    fs::write(tree.join("os-release"), OS_RELEASE)?;
    ext4(programs, folder, &tree, &image, 1)?;
    Ok(image)
}
