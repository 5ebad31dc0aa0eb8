//! 8: what is not ours is never touched.

use serde_json::json;

use crate::world::World;

#[test]
fn invariant_8_foreign_files_are_never_touched() {
    let mut world = World::new();
    let foreign = [
        "EFI/Microsoft/Boot/bootmgfw.efi",
        "EFI/BOOT/BOOTX64.EFI",
        "EFI/memtest86/memtest.efi",
        "EFI/Linux/arch-linux.efi",
        "EFI/debian/grubx64.efi",
        "loader/entries/arch.conf",
        "loader/random-seed",
        "loader/keys/auto/db.auth",
        "vmlinuz",
    ];
    for path in foreign {
        world.write(&format!("/boot/{path}"), path);
    }
    world.settings["configurationLimit"] = json!(1);
    for number in 1..=3 {
        let toplevel = world.add(number);
        world.install(&toplevel);
    }
    for path in foreign {
        let content = std::fs::read(world.at(&format!("/boot/{path}"))).unwrap();
        assert_eq!(content, path.as_bytes());
    }
}

#[test]
fn invariant_8_settings_of_others_in_loader_conf_stay() {
    let world = World::new();
    world.write(
        "/boot/loader/loader.conf",
        "# mine\nfuture-key 7\ntimeout 99\nbeep yes\ndefault arch.conf\n",
    );
    let toplevel = world.add(1);
    world.install(&toplevel);
    let text = world.loader_conf();
    assert!(
        text.starts_with("# mine\nfuture-key 7\ntimeout 5\n"),
        "{text}"
    );
    assert!(
        !text.contains("beep") && !text.contains("arch.conf"),
        "{text}"
    );
    assert!(text.contains("default nixos-1-"), "{text}");
}

#[test]
fn invariant_8_extra_files_may_not_be_ours() {
    let mut world = World::new();
    let source = world.store("memtest", "program");
    world.settings["extraFiles"] = json!({ "EFI/nixos/a": source });
    let toplevel = world.add(1);
    assert!(world.refused(&toplevel).contains("is the installer's"));
    world.settings["extraFiles"] = json!({ "EFI/memtest86/memtest.efi": source });
    world.settings["extraEntries"] = json!({ "memtest.conf": "title Memtest\n" });
    let toplevel = world.add(2);
    world.install(&toplevel);
    assert!(world.at("/boot/EFI/memtest86/memtest.efi").exists());
    assert!(world.at("/boot/loader/entries/memtest.conf").exists());
    assert_eq!(world.install(&toplevel)["changed"], false);
    // What is not named any more goes, unless somebody changed it.
    world.write("/boot/EFI/memtest86/memtest.efi", "changed");
    world.settings["extraFiles"] = json!({});
    world.settings["extraEntries"] = json!({});
    let toplevel = world.add(3);
    world.install(&toplevel);
    assert!(world.at("/boot/EFI/memtest86/memtest.efi").exists());
    assert!(!world.at("/boot/loader/entries/memtest.conf").exists());
}
