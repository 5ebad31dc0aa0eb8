//! A system's root as an ext4 file system, made of a folder without root: `mke2fs` reads the folder itself.

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Programs, guard};

/// Fixed, so that what measures a disk measures the same each time.
const UUID: &str = "70756f74-7368-4f6e-8e65-000000000004";

/// Makes the file `image` of this many mebibytes with a file system that holds what the folder `tree` holds, as it is there; who runs
/// this is its root. Both paths are absolute, and lie in the folder `home`.
///
/// # Errors
/// When there is no room in it, or the program cannot be run.
pub fn ext4(
    programs: &dyn Programs,
    home: &Path,
    tree: &Path,
    image: &Path,
    mebibytes: u64,
) -> Result<()> {
    let file = File::create_new(image).with_context(|| image.display().to_string())?;
    file.set_len(mebibytes << 20)
        .with_context(|| image.display().to_string())?;
    let mut command = programs.command("mke2fs", home)?;
    // Nothing is reserved for root, and a folder lost+found is nothing that a NixOS root has.
    command.args(["-q", "-t", "ext4", "-m", "0", "-L", "root", "-U", UUID]);
    command.args(["-E", "lazy_itable_init=0,root_owner=0:0", "-d"]);
    command.arg(tree).arg(image);
    guard::run(command)
}
