//! What stub, loader and kernel measure.

use touchstone_measure::DeviceTree;

use crate::bench::Bench;
use crate::stub_parts::{
    self, addon, cpio, device_tree, full, hwids, line, pictured, rich, without_uname,
};
use crate::stub_setup::Setup;

pub(crate) use crate::stub_parts::plain;

/// Everything that may lie beside a UKI, in places and under names that show the order.
fn everything_beside<'a>(bench: &'a Bench, suite: &str, secure_boot: bool) -> Setup<'a> {
    let uki = bench.uki(suite, &rich(bench, suite));
    // 252 knows no addons, and its Debian package has no stub for them.
    let stub = if suite == "bookworm" { "trixie" } else { suite };
    let other = vec![
        ("--cmdline=@", bench.file("other.cmdline", b"other=1")),
        ("--uname=", "5.0".into()),
    ];
    let idle = vec![("--section=.idle:@", bench.file("idle", b"nothing"))];
    Setup::new(bench, suite, secure_boot, &uki)
        .shared("addons", "g9.addon.efi", &full(bench, stub, "g9"))
        .shared("addons", "g10.addon.efi", &line(bench, stub, "g10", "g10"))
        .shared("addons", "G.ADDON.EFI", &line(bench, stub, "G", " \n"))
        .own("o9.addon.efi", &full(bench, stub, "o9"))
        .own("o10.addon.efi", &full(bench, stub, "o10"))
        .own("idle.addon.efi", &addon(bench, stub, "idle.efi", &idle))
        .own("other.addon.efi", &addon(bench, stub, "other.efi", &other))
        .own("z.addon.efi", &line(bench, stub, "z", "\t\n"))
        .both("credentials", "b.cred")
        .both("credentials", "a9.cred")
        .both("credentials", "a10.cred")
        .both("credentials", "C.CRED")
        .own("empty.cred", &bench.file("empty", b""))
        .both("extensions", "x.sysext.raw")
        .both("extensions", "w.raw")
        .both("extensions", "v.confext.raw")
        .both("extensions", "u.confext.raw")
        .host("  host\twords ", "not for UKIs")
}

#[test]
fn a_uki_of_252_with_secure_boot_takes_credentials_and_extensions_and_no_addons() {
    let bench = Bench::new();
    let line = everything_beside(&bench, "bookworm", true).check();
    assert_eq!(line, "console=ttyS0 panic=-1 oops=panic");
}

#[test]
fn a_uki_of_252_without_secure_boot_serves_no_microcode() {
    let bench = Bench::new();
    let sections = [plain(&bench), pictured(&bench), vec![without_uname()]].concat();
    Setup::new(&bench, "bookworm", false, &bench.uki("bookworm", &sections)).check();
}

#[test]
fn a_uki_of_257_with_secure_boot_takes_everything_beside_it() {
    let bench = Bench::new();
    let line = everything_beside(&bench, "trixie", true).check();
    let added = "g10 g9=1 o10=1 o9=1 host words";
    assert_eq!(line, format!("console=ttyS0 panic=-1 oops=panic {added}"));
}

#[test]
fn a_uki_of_262_with_secure_boot_takes_everything_beside_it() {
    let bench = Bench::new();
    let line = everything_beside(&bench, "sid", true).check();
    let added = "g10 g9=1 o10=1 o9=1 host words";
    assert_eq!(line, format!("console=ttyS0 panic=-1 oops=panic {added}"));
}

/// The last of three profiles, with a command line, a name and microcode of its own.
fn last_profile(suite: &str, secure_boot: bool) -> String {
    let bench = Bench::new();
    let joined = |id, options| {
        (
            "--join-profile=",
            stub_parts::profile(&bench, suite, id, options),
        )
    };
    let last = vec![
        (
            "--cmdline=@",
            bench.file("last.cmdline", b"console=ttyS0 panic=-1 last"),
        ),
        ("--os-release=@", bench.file("last.name", b"ID=last\n")),
        (
            "--section=.ucode:@",
            bench.file("last.ucode", &cpio("last")),
        ),
    ];
    let mut sections = rich(&bench, suite);
    sections.extend([
        ("--profile=@", bench.file("main.profile", b"ID=main\n")),
        joined("one", plain(&bench)),
        joined("last", last),
    ]);
    let uki = bench.uki(suite, &sections);
    Setup::new(&bench, suite, secure_boot, &uki)
        .profile(2, "last")
        .both("credentials", "a.cred")
        .check()
}

#[test]
fn a_profile_of_262_replaces_sections_and_is_measured_as_it_was_chosen() {
    assert_eq!(last_profile("sid", false), "console=ttyS0 panic=-1 last");
}

/// A UKI without command line and initrd, which the firmware starts itself: both come from elsewhere.
#[test]
fn a_direct_boot_of_262_takes_the_device_tree_of_this_machine() {
    let bench = Bench::new();
    let sections = vec![
        (
            "--section=.dtbauto:@",
            bench.file("one", &device_tree("one")),
        ),
        ("--section=.hwids:@", bench.file("hwids", &hwids("one"))),
    ];
    let uki = bench.uki_of("sid", &sections);
    let options = vec![("--section=.initrd:@", bench.initrd())];
    let line = Setup::new(&bench, "sid", false, &uki)
        .direct()
        .own("a.addon.efi", &addon(&bench, "sid", "a", &options))
        .both("credentials", "a.cred")
        .host("console=ttyS0 panic=-1", "")
        .device_tree(DeviceTree::Numbered(0))
        .check();
    assert_eq!(line, "console=ttyS0 panic=-1");
}

/// A kernel with two initrds, neither of which has a length that is a multiple of four.
fn entry(suite: &str, secure_boot: bool) -> String {
    let bench = Bench::new();
    let initrds = [
        ("/nixos/initrd.efi", bench.initrd()),
        ("second", bench.file("second", &cpio("second"))),
    ];
    let uki = bench.uki(suite, &plain(&bench));
    Setup::new(&bench, suite, secure_boot, &uki)
        .entry(&initrds, "console=ttyS0  panic=-1 oops=panic")
        .both("credentials", "not-for-entries.cred")
        .host("not for entries", "host words")
        .check()
}

#[test]
fn an_entry_of_252_starts_kernel_and_initrds_of_the_esp() {
    let given = "initrd=\\nixos\\initrd.efi initrd=second console=ttyS0  panic=-1 oops=panic";
    assert_eq!(entry("bookworm", false), given);
}

#[test]
fn an_entry_of_257_takes_the_hosts_words() {
    let given = "initrd=\\nixos\\initrd.efi initrd=second console=ttyS0  panic=-1 oops=panic";
    assert_eq!(entry("trixie", true), format!("{given} host words"));
}
