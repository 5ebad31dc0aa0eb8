//! What can be done to a path so that its NAR is another one, or none.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// How many different ones there are.
pub const KINDS: usize = 7;

/// Damages a path that Nix made: a folder of `checks/closure.nix`, or a single file.
pub fn damage(path: &Path, kind: usize) {
    if path.is_file() {
        return match kind % 2 {
            0 => changed(path, |bytes| bytes.push(b'x')),
            _ => set_mode(path, 0o555),
        };
    }
    let share = path.join("share");
    let program = path.join("bin/program");
    match kind % KINDS {
        0 => changed(&share.join("library"), |bytes| bytes[0] ^= 1),
        1 => within(&share, || {
            fs::write(share.join("new"), "a new file").unwrap()
        }),
        2 => within(&share, || {
            let link = share.join("link");
            fs::remove_file(&link).unwrap();
            symlink("../bin/other", link).unwrap();
        }),
        3 => set_mode(&program, 0o444),
        4 => within(&share, || fs::remove_file(share.join("words")).unwrap()),
        5 => within(&share, || fs::remove_dir(share.join("empty")).unwrap()),
        _ => {
            for folder in [
                path.join("share/empty"),
                share,
                path.join("bin"),
                path.to_owned(),
            ] {
                set_mode(&folder, 0o755);
            }
            fs::remove_dir_all(path).unwrap();
        }
    }
}

/// Changes a file's content; its rights stay.
pub fn changed(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let before = fs::metadata(file).unwrap().permissions();
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    set_mode(file, 0o644);
    fs::write(file, bytes).unwrap();
    fs::set_permissions(file, before).unwrap();
}

/// Does something in a folder that nobody may write to.
fn within(folder: &Path, work: impl FnOnce()) {
    set_mode(folder, 0o755);
    work();
    set_mode(folder, 0o555);
}

fn set_mode(file: &Path, mode: u32) {
    fs::set_permissions(file, Permissions::from_mode(mode)).unwrap();
}
