//! What somebody changes who can write to the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};

use anyhow::Context;
use rustix::fs::XattrFlags;

use super::super::harmful;
use super::{Attack, NIXOS_INIT, NO_SYSTEM, on_root};

/// A library of the system.
const LIBRARY: &str = "usr/lib/x86_64-linux-gnu/libcap.so.2";
/// A program of the system.
const PROGRAM: &str = "usr/bin/systemctl";
/// The store path with both.
const SOFTWARE: &str = "debian-systemd";

/// Of the store path with both; the names say which path it is, so that nothing else that is wrong with a root passes for an attack.
const CHANGED: &str = "-debian-systemd is not what was signed: its NAR has";
const LONGER: &str = "-debian-systemd is not what was signed: its NAR has more than";

/// In the order of the page.
pub const ATTACKS: &[Attack] = &[
    on_root("a flipped byte in a library", CHANGED, |tree| {
        let file = fs::canonicalize(tree.store_path(SOFTWARE)?.join(LIBRARY))?;
        let mut bytes = fs::read(&file)?;
        let middle = bytes.len() / 2;
        *bytes.get_mut(middle).context("an empty file")? ^= 1;
        Ok(fs::write(file, bytes)?)
    })
    .always(),
    on_root(
        "the same where nixos-init starts the system",
        LONGER,
        |tree| {
            let file = fs::canonicalize(tree.store_path(SOFTWARE)?.join(LIBRARY))?;
            harmful::append(&file, b"\0")
        },
    )
    .of(NIXOS_INIT),
    on_root("a new file in a store path", LONGER, |tree| {
        Ok(fs::write(
            tree.store_path(SOFTWARE)?.join("usr/bin/new"),
            "new",
        )?)
    }),
    on_root(
        "a link that leads elsewhere",
        "-touchstone-system-verified is not what was signed: its NAR has",
        |tree| {
            let link = tree
                .store_path("touchstone-system-verified")?
                .join("kernel");
            let target = fs::read_link(&link)?;
            fs::remove_file(&link)?;
            // As long as before: it is the content that tells.
            let other: String = target.to_string_lossy().replace("linux", "other");
            Ok(symlink(other, link)?)
        },
    ),
    on_root(
        "an added set-user-ID bit",
        "-debian-systemd/usr/bin/systemctl has a set-user-ID or set-group-ID bit",
        |tree| {
            let program = tree.store_path(SOFTWARE)?.join(PROGRAM);
            Ok(fs::set_permissions(
                program,
                fs::Permissions::from_mode(0o4555),
            )?)
        },
    ),
    on_root(
        "a file capability",
        "-debian-systemd/usr/bin/systemctl has the extended attribute security.capability",
        |tree| {
            // CAP_SYS_ADMIN, effective and permitted (version 2 of the format).
            let mut value = [0; 20];
            for (byte, set) in value.iter_mut().zip([1, 0, 0, 2, 0, 0, 0x20]) {
                *byte = set;
            }
            let program = tree.store_path(SOFTWARE)?.join(PROGRAM);
            Ok(rustix::fs::setxattr(
                program,
                "security.capability",
                &value,
                XattrFlags::empty(),
            )?)
        },
    ),
    on_root(
        "a program that everybody may write to",
        "-debian-systemd/usr/bin/systemctl may be written to by others than its owner",
        |tree| {
            let program = tree.store_path(SOFTWARE)?.join(PROGRAM);
            Ok(fs::set_permissions(
                program,
                fs::Permissions::from_mode(0o557),
            )?)
        },
    ),
    on_root(
        "a program that belongs to a user",
        "-debian-systemd/usr/bin/systemctl belongs to user 1000, not to root",
        |tree| {
            Ok(chown(
                tree.store_path(SOFTWARE)?.join(PROGRAM),
                Some(1000),
                None,
            )?)
        },
    ),
    on_root(
        "two store paths in each other's place",
        // Which of the two is looked at first is chance.
        "is not what was signed: its NAR has",
        |tree| {
            let (one, other) = (
                tree.store_path(SOFTWARE)?,
                tree.store_path("initrd-systemd")?,
            );
            let aside = tree.at("nix/store/aside");
            fs::rename(&one, &aside)?;
            fs::rename(&other, &one)?;
            Ok(fs::rename(aside, other)?)
        },
    ),
    on_root(
        "a missing store path",
        "-linux.efi cannot be read: No such file or directory",
        |tree| Ok(fs::remove_file(tree.store_path("linux.efi")?)?),
    ),
    on_root(
        "/etc/ld-nix.so.preload",
        "/etc/ld-nix.so.preload is on the root file system",
        |tree| {
            Ok(fs::write(
                tree.at("etc/ld-nix.so.preload"),
                "/tmp/evil.so\n",
            )?)
        },
    ),
    on_root(
        "a profile with units",
        "/nix/var/nix/profiles/default/lib/systemd is on the root file system",
        |tree| {
            Ok(fs::create_dir_all(
                tree.at("nix/var/nix/profiles/default/lib/systemd/system"),
            )?)
        },
    ),
    on_root(
        "a profile that leads to a folder of users",
        "/nix/var/nix/profiles/default is a link on the root file system, which lies or leads out of the store",
        |tree| {
            fs::create_dir_all(tree.at("home/user"))?;
            fs::create_dir_all(tree.at("nix/var/nix/profiles"))?;
            Ok(symlink(
                "/home/user",
                tree.at("nix/var/nix/profiles/default"),
            )?)
        },
    ),
    on_root(
        "a rule of udev in /usr/lib",
        "/usr/lib is on the root file system: systemd and udev take rules and settings from there",
        |tree| {
            let rules = tree.at("usr/lib/udev/rules.d");
            fs::create_dir_all(&rules)?;
            let rule = "ACTION==\"add\", RUN+=\"/home/user/evil\"\n";
            Ok(fs::write(rules.join("99-evil.rules"), rule)?)
        },
    ),
    on_root(
        "a validly signed store path that is no system, in init=",
        "-touchstone-no-system is no NixOS system, however well it is signed",
        |_| Ok(()),
    )
    .of(NO_SYSTEM),
];
