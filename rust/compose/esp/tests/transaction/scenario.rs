//! An update in which everything happens that can.

use std::fs;

use tempfile::TempDir;
use touchstone_esp::{Desired, Entry};

use crate::world::{bytes, counted, desired, file, folder, install_on, path, write};

/// Three generations, others' files, a damaged entry.
pub fn before() -> TempDir {
    let root = folder();
    write(root.path(), "EFI/Microsoft/Boot/bootmgfw.efi", b"Windows");
    write(root.path(), "loader/random-seed", b"seed");
    install_on(root.path(), &desired(&[1, 2, 3], Some(3), "loader 1\n")).unwrap();
    let tried = root.path().join(counted(2, "+2-1"));
    fs::rename(root.path().join(counted(2, "+3")), tried).unwrap();
    write(root.path(), &counted(2, "+2-1"), b"torn");
    root
}

/// One generation comes and one goes, in folders that are there and one that is not; the loader is another, the damaged entry is mended.
pub fn after() -> Desired {
    let mut after = desired(&[2, 3, 4], Some(3), "loader 2\n");
    after.artifacts = vec![file("EFI/nixos/0123-initrd", "initrd")];
    after
        .fixed
        .push(file("EFI/memtest86/memtest.efi", "memtest"));
    after.entries.push(Entry {
        path: path("loader/entries/nixos-5-0123.conf"),
        content: bytes("title NixOS\n"),
        tries: Some(3),
    });
    after
}
