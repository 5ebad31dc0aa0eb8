//! What lies beside a UKI, profiles, and kernels that the boot loader starts by itself.

use std::sync::Arc;

use super::*;
use crate::boot_path::{Addon, Companion, DeviceTree, Linux};
use crate::cpio::{self, Archive, Folder};

/// A PE image with these sections.
fn image(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 1024];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, b"MZ");
    put(0x3c, &0x40_u32.to_le_bytes());
    put(0x40, b"PE\0\0");
    put(0x44, &0x8664_u16.to_le_bytes());
    put(0x46, &(sections.len() as u16).to_le_bytes());
    put(0x54, &240_u16.to_le_bytes()); // size of the optional header
    put(0x58, &0x20b_u16.to_le_bytes());
    put(0x78, &4096_u32.to_le_bytes()); // section alignment
    put(0x7c, &512_u32.to_le_bytes()); // file alignment
    put(0x90, &(4096 * (sections.len() as u32 + 1)).to_le_bytes()); // size of the image
    put(0x94, &1024_u32.to_le_bytes()); // size of the headers
    put(0xc4, &16_u32.to_le_bytes()); // data directories
    for (number, (name, content)) in sections.iter().enumerate() {
        let (row, number) = (0x148 + 40 * number, number as u32);
        put(row, name.as_bytes());
        put(row + 8, &(content.len() as u32).to_le_bytes());
        put(row + 12, &(4096 * (number + 1)).to_le_bytes());
        put(row + 16, &512_u32.to_le_bytes());
        put(row + 20, &(1024 + 512 * number).to_le_bytes());
    }
    for (_, content) in sections {
        let end = bytes.len() + 512;
        bytes.extend_from_slice(content);
        bytes.resize(end, 0);
    }
    bytes
}

fn addon(name: &str, sections: &[(&str, &[u8])]) -> Addon {
    Addon {
        name: name.into(),
        image: StartedImage {
            name: name.into(),
            authenticode: Digests::of(&SHA256, name.as_bytes()),
            vouching: promised(1),
        },
        content: Arc::new(image(sections)),
    }
}

fn file(name: &str) -> Companion {
    Companion {
        name: name.into(),
        content: Arc::new(name.as_bytes().to_vec()),
    }
}

fn archive(folder: Folder, names: &[&str]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let mut archive = Archive::new(folder, &mut sink);
    for name in names {
        let length = name.len() as u32;
        archive.file(name, length, &mut name.as_bytes()).unwrap();
    }
    archive.finish();
    bytes
}

fn line(text: &str) -> Vec<u8> {
    utf16::with_nul(text)
}

/// Two addons in each place and one for another kernel, in a wrong order.
fn with_addons(version: &str) -> BootPath {
    let sections = [&PLAIN[..], &[(".uname", b"6.12")]].concat();
    let mut boot = boot_of(version, true, uki_of(version, &sections));
    boot.shared.addons = vec![
        addon("g9.addon.efi", &[(".cmdline", b"g9\n"), (".ucode", b"G")]),
        addon("g10.addon.efi", &[(".cmdline", b" "), (".initrd", b"gg")]),
    ];
    uki(&mut boot).extra.addons = vec![
        addon("z.addon.efi", &[(".cmdline", b"z"), (".uname", b"5.0")]),
        addon(
            "a.addon.efi",
            &[(".dtb", b"d"), (".ucode", b"A"), (".uname", b"6.12")],
        ),
    ];
    uki(&mut boot).content = Some(Arc::new([&[0; 9][..], b"initrd"].concat()));
    let table = &mut uki(&mut boot).measured.table;
    let initrd = table
        .iter_mut()
        .find(|section| section.name.as_str() == ".initrd");
    initrd.unwrap().raw_offset = 9;
    boot
}

#[test]
fn addons_are_loaded_in_the_order_of_their_names_and_those_for_all_first() {
    let images: [&[u8]; 8] = [
        b"Calling EFI Application from Boot Option",
        &[0; 4],
        b"loader",
        b"uki",
        b"g10.addon.efi",
        b"g9.addon.efi",
        b"a.addon.efi",
        b"z.addon.efi",
    ];
    assert_eq!(value(&with_addons("257.1"), 4), of_data(&images));
    assert_eq!(value(&with_addons("252.1"), 4), of_data(&images[..4]));
}

#[test]
fn addons_bring_options_device_trees_microcode_and_initrds() {
    for version in ["257.1", "262.1"] {
        let boot = with_addons(version);
        let added: [&[u8]; 5] = [&line("g9"), b"d", b"A", b"G", b"gg"];
        assert_eq!(value(&boot, 12), of_data(&added));
        let served = [
            b"A\0\0\0G\0\0\0initrd\0\0".to_vec(),
            cpio::extra_file("os-release", b"ID=x\n"),
            b"gg\0\0".to_vec(),
        ]
        .concat();
        let given = line("console=ttyS0 ro g9");
        assert_eq!(value(&boot, 9), of_data(&[&given, &served]), "{version}");
    }
}

#[test]
fn microcode_of_addons_needs_a_second_look_at_the_uki() {
    let mut boot = with_addons("257.1");
    uki(&mut boot).content = None;
    assert_eq!(predict(&boot, &ask(9)), Err(PredictError::OrderLost));
    assert!(predict(&boot, &ask(12)).is_ok());
}

/// Credentials and extensions in both places.
fn with_files(version: &str) -> BootPath {
    let mut boot = boot(version, true);
    boot.shared = Companions {
        addons: Vec::new(),
        credentials: vec![file("b.cred"), file("B.CRED")],
        system_extensions: vec![file("x.raw")],
        configuration_extensions: vec![file("c.confext.raw")],
    };
    uki(&mut boot).extra = boot.shared.clone();
    boot
}

#[test]
fn credentials_and_extensions_are_measured_as_archives() {
    let credentials = |folder| archive(folder, &["B.CRED", "b.cred"]);
    let own = credentials(cpio::CREDENTIALS);
    let shared = credentials(cpio::GLOBAL_CREDENTIALS);
    let (confext, all_confext) = (
        archive(cpio::CONFEXT, &["c.confext.raw"]),
        archive(cpio::GLOBAL_CONFEXT, &["c.confext.raw"]),
    );
    let (sysext, all_sysext) = (
        archive(cpio::SYSEXT, &["x.raw"]),
        archive(cpio::GLOBAL_SYSEXT, &["x.raw"]),
    );
    let old = archive(cpio::SYSEXT, &["c.confext.raw", "x.raw"]);
    let text = line("console=ttyS0 ro");
    let both = |version| {
        (
            value(&with_files(version), 12),
            value(&with_files(version), 13),
        )
    };
    assert_eq!(
        both("252.1"),
        (of_data(&[&text, &own, &shared]), of_data(&[&old]))
    );
    assert_eq!(
        both("257.1"),
        (of_data(&[&own, &shared, &confext]), of_data(&[&sysext]))
    );
    assert_eq!(
        both("262.1"),
        (
            of_data(&[&own, &shared, &confext, &all_confext]),
            of_data(&[&sysext, &all_sysext])
        )
    );
}

#[test]
fn files_that_a_stub_would_pass_over_are_refused() {
    let mut hidden = boot("257.1", true);
    hidden.shared.credentials = vec![file(".b.cred")];
    let mut misnamed = boot("257.1", true);
    uki(&mut misnamed).extra.system_extensions = vec![file("c.confext.raw")];
    for boot in [hidden, misnamed] {
        let error = predict(&boot, &ask(4)).unwrap_err();
        assert!(matches!(error, PredictError::Name { .. }), "{error}");
    }
    let mut unsigned = with_addons("257.1");
    unsigned.shared.addons[0].image.vouching = Vouching::Unknown;
    for pcr in [4, 9, 12] {
        let error = predict(&unsigned, &ask(pcr)).unwrap_err();
        assert!(matches!(error, PredictError::NoAuthority { .. }), "{error}");
    }
    let mut strange = with_addons("257.1");
    strange.shared.addons[0].content = Arc::new(image(&[(".linux", b"k")]));
    let error = predict(&strange, &ask(12)).unwrap_err();
    assert!(matches!(error, PredictError::Addon { .. }), "{error}");
}

const PROFILES: [(&str, &[u8]); 7] = [
    (".osrel", b"ID=x\n"),
    (".cmdline", b"console=ttyS0 ro\n"),
    (".linux", b"kernel"),
    (".initrd", b"initrd"),
    (".profile", b"ID=main\n"),
    (".profile", b"ID=own\n"),
    (".cmdline", b"console=ttyS0 own"),
];

#[test]
fn each_profile_is_a_leaf_of_its_own() {
    let boot = boot_of("257.1", true, uki_of("257.1", &PROFILES));
    let all = predict(&boot, &Ask::default()).unwrap();
    let paths: Vec<&str> = all
        .leaves
        .iter()
        .map(|leaf| leaf.path[1].as_str())
        .collect();
    assert_eq!(paths, ["profile @0 (main)", "profile @1 (own)"]);
    let twelve = |leaf: usize| all.leaves[leaf].pcrs[&12][&Bank::Sha256];
    assert_eq!(twelve(0), Digest::zero(Bank::Sha256));
    assert_eq!(twelve(1), of_data(&[&line("@1"), &line("1")]));
    let mut chosen = boot.clone();
    uki(&mut chosen).profile = Some(1);
    let served = [
        b"initrd\0\0".to_vec(),
        cpio::extra_file("os-release", b"ID=x\n"),
        cpio::extra_file("profile", b"ID=own\n"),
    ]
    .concat();
    let given = line("console=ttyS0 own");
    assert_eq!(value(&chosen, 9), of_data(&[&given, &served]));
    uki(&mut chosen).profile = Some(2);
    let none = PredictError::NoProfile { number: 2 };
    assert_eq!(predict(&chosen, &ask(4)), Err(none));
}

#[test]
fn without_a_boot_loader_the_first_profile_is_started() {
    let mut boot = boot_of("257.1", true, uki_of("257.1", &PROFILES));
    boot.loader = None;
    assert_eq!(predict(&boot, &ask(12)).unwrap().leaves.len(), 1);
    uki(&mut boot).profile = Some(1);
    assert!(predict(&boot, &ask(12)).is_err());
    let mut old = super::boot("252.1", false);
    old.loader = None;
    assert_eq!(value(&old, 12), Digest::zero(Bank::Sha256));
}

#[test]
fn pcr_11_takes_the_device_tree_that_the_machine_is_said_to_take() {
    let sections: [(&str, &[u8]); 4] = [
        (".linux", b"k"),
        (".dtbauto", b"one"),
        (".dtbauto", b"two"),
        (".hwids", b"h"),
    ];
    let mut boot = boot_of("262.1", true, uki_of("262.1", &sections));
    let refused = PredictError::MachinesChoice {
        section: ".dtbauto",
    };
    assert_eq!(predict(&boot, &ask(11)), Err(refused));
    let data: [&[u8]; 6] = [b".linux\0", b"k", b".dtbauto\0", b"two", b".hwids\0", b"h"];
    uki(&mut boot).device_tree = Some(DeviceTree::Numbered(1));
    assert_eq!(value(&boot, 11), of_data(&data));
    uki(&mut boot).device_tree = Some(DeviceTree::Nothing);
    assert_eq!(
        value(&boot, 11),
        of_data(&[data[0], data[1], data[4], data[5]])
    );
}

fn entry(version: &str) -> BootPath {
    let mut boot = boot(version, true);
    boot.program = Program::Linux(Box::new(Linux {
        image: boot.program.image().clone(),
        initrds: vec![file("/i/one"), file("two")],
        options: "quiet".into(),
    }));
    boot.smbios.boot = Some("host".into());
    boot
}

#[test]
fn an_entrys_line_and_initrds_are_measured_as_the_loader_gives_them() {
    let (old, new) = (
        line("initrd=\\i\\one initrd=two quiet"),
        line("initrd=\\i\\one initrd=two quiet host"),
    );
    assert_eq!(value(&entry("252.1"), 12), of_data(&[&old]));
    assert_eq!(value(&entry("252.1"), 9), of_data(&[&old, b"/i/onetwo"]));
    for version in ["257.1", "262.1"] {
        assert_eq!(value(&entry(version), 12), of_data(&[&new]));
        assert_eq!(
            value(&entry(version), 9),
            of_data(&[&new, b"/i/one\0\0two"])
        );
        assert_eq!(value(&entry(version), 11), Digest::zero(Bank::Sha256));
    }
}

#[test]
fn an_entry_of_which_no_boot_is_known_is_refused() {
    let linux = |change: &dyn Fn(&mut Linux)| {
        let mut boot = entry("257.1");
        if let Program::Linux(linux) = &mut boot.program {
            change(linux);
        }
        predict(&boot, &ask(9)).unwrap_err()
    };
    let options = linux(&|linux| linux.options = " quiet".into());
    assert!(matches!(options, PredictError::Options { .. }), "{options}");
    for error in [
        linux(&|linux| linux.initrds.clear()),
        linux(&|linux| linux.initrds[0].content = Arc::new(Vec::new())),
        linux(&|linux| linux.initrds[0].name = "/a b".into()),
    ] {
        assert!(matches!(error, PredictError::NotCompared { .. }), "{error}");
    }
    let phases = Ask {
        phases: vec!["enter-initrd".parse().unwrap()],
        ..ask(11)
    };
    assert!(predict(&entry("257.1"), &phases).is_err());
}
