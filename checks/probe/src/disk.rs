//! What lies behind the initrd: kernel modules, the firmware's variables, and a system on a disk.

use std::convert::Infallible;
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::mount::{
    MountFlags, UnmountFlags, mount, mount_bind, mount_move, mount_remount, unmount,
};
use serde::{Deserialize, Serialize};

/// Where the system is.
#[derive(Debug, Deserialize, Serialize)]
pub struct Place {
    /// The device with the system's root, an ext4 file system.
    pub root: PathBuf,
    /// The device with the ESP.
    pub esp: PathBuf,
}

/// The initrd's folder of modules.
pub const MODULES: &str = "/modules";
/// The initrd's file with a [`Place`].
pub const PLACE: &str = "/etc/disk";
/// Where the initrd mounts the system.
pub const ROOT: &str = "/sysroot";
/// Where the kernel shows the firmware's variables.
pub const VARIABLES: &str = "/sys/firmware/efi/efivars";
/// Tells the system's init the text of the initrd's `/etc/generation`.
pub const GENERATION: &str = "TOUCHSTONE_PROBE_GENERATION";

/// `MODULE_INIT_COMPRESSED_FILE` of `linux/module.h`: distributions ship them so.
const COMPRESSED: i32 = 4;

/// Loads the initrd's modules, and mounts what one of them is for: the firmware's variables.
pub fn load_modules() -> Result<()> {
    let Ok(folder) = fs::read_dir(MODULES) else {
        return Ok(());
    };
    let mut modules: Vec<PathBuf> = folder.flatten().map(|entry| entry.path()).collect();
    modules.sort();
    for module in modules {
        let file = File::open(&module).with_context(|| module.display().to_string())?;
        let flags = match module.extension() {
            Some(extension) if extension == "xz" => COMPRESSED,
            _ => 0,
        };
        let loaded = rustix::system::finit_module(&file, c"", flags);
        loaded.with_context(|| module.display().to_string())?;
    }
    let has_variables = fs::read_to_string("/proc/filesystems")?.contains("efivarfs");
    if has_variables {
        mounted("efivarfs", VARIABLES, "efivarfs")?;
    }
    Ok(())
}

/// The system behind this initrd, when there is one.
pub fn place() -> Result<Option<Place>> {
    if !Path::new(PLACE).exists() {
        return Ok(None);
    }
    let text = fs::read(PLACE).context(PLACE)?;
    serde_json::from_slice(&text).context(PLACE)
}

/// Mounts the system, makes it the root, and runs its init, which the command line names, in this program's place.
pub fn enter(place: &Place, generation: &str) -> Result<Infallible> {
    let below = |path: &str| format!("{ROOT}{path}");
    mounted(&place.root, ROOT, "ext4")?;
    mounted(&place.esp, &below("/boot"), "vfat")?;
    mounted("tmpfs", &below("/run"), "tmpfs")?;
    // As on NixOS: nothing but who remounts it writes to the store.
    let store = below("/nix/store");
    mount_bind(&store, &store).context("the store")?;
    let read_only = MountFlags::BIND | MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount_remount(&store, read_only, c"").context("the store")?;
    let init = last_init()?;
    let toplevel = init.parent().context("init has no folder")?;
    for name in ["/run/booted-system", "/run/current-system"] {
        symlink(toplevel, below(name)).context(name)?;
    }
    for folder in ["/dev", "/proc", "/sys"] {
        mount_move(folder, below(folder)).context(folder)?;
    }
    std::env::set_current_dir(ROOT)?;
    mount_move(".", "/").context("making it the root")?;
    rustix::process::chroot(".").context("entering it")?;
    std::env::set_current_dir("/")?;
    let mut command = Command::new(&init);
    command.env_clear().env(GENERATION, generation);
    let refused: Result<Infallible, _> = Err(command.exec());
    refused.with_context(|| init.display().to_string())
}

/// Ends the use of the disk, so that nothing is lost when the power goes.
pub fn leave() -> Result<()> {
    rustix::fs::sync();
    // Where the initrd was another's, it is not mounted.
    match unmount("/boot", UnmountFlags::empty()) {
        Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
        Err(error) => return Err(error).context("unmounting /boot"),
    }
    // The root stays in use, by this program itself.
    mount_remount("/", MountFlags::RDONLY, c"").context("making / read-only")?;
    Ok(())
}

/// The last `init=` of the command line, which is the one that counts.
pub fn last_init() -> Result<PathBuf> {
    let line = fs::read_to_string("/proc/cmdline")?;
    let words = line.split_whitespace();
    let mut inits = words.filter_map(|word| word.strip_prefix("init="));
    inits
        .next_back()
        .map(PathBuf::from)
        .context("the command line names no init")
}

/// Shows a folder at another place as well.
pub fn bind(from: &str, to: &str) -> Result<()> {
    mount_bind(from, to).with_context(|| to.to_owned())
}

fn mounted(source: impl AsRef<Path>, target: &str, kind: &str) -> Result<()> {
    let source = source.as_ref();
    let done = mount(source, target, kind, MountFlags::empty(), None);
    done.with_context(|| format!("mounting {} on {target}", source.display()))
}
