//! Profiles, hardware IDs, firmware and signatures: what is refused. The bytes are compared with ukify's in `rust/doors/cli/tests`.

use std::io::Cursor;

use touchstone_pe::uki::{
    Compat, Device, Firmware, HwidsError, Profile, ProfileError, Target, UkiError, UkiParts,
};

use crate::builder::{self, AARCH64, Builder};
use crate::uki::{build, content, names, refusal, section, with_kernel};

fn profile(file: Vec<u8>) -> Profile<'static> {
    Profile::new(Cursor::new(file))
}

/// A profile of these sections, as an addon stub with them is.
fn image(sections: &[(&str, &[u8])]) -> Builder {
    sections
        .iter()
        .fold(Builder::addon_stub(), |image, (name, data)| {
            image.section(name, data)
        })
}

fn with(joined: Vec<Profile<'static>>) -> UkiParts<'static> {
    UkiParts {
        joined,
        ..with_kernel()
    }
}

fn refused(image: Builder, compat: Compat) -> ProfileError {
    let parts = UkiParts {
        compat,
        ..with(vec![
            profile(self::image(&[(".profile", b"ID=first")]).build()),
            profile(image.build()),
        ])
    };
    match refusal(parts) {
        UkiError::Profile { index: 1, source } => source,
        other => panic!("{other}"),
    }
}

#[test]
fn come_behind_all_sections_of_the_uki_itself() {
    let parts = UkiParts {
        cmdline: Some("base".into()),
        os_release: Some(b"ID=x".to_vec()),
        pcrsig: Some(content(b"{}")),
        extra: vec![(".mine".parse().unwrap(), content(b"x"))],
        ..with(vec![
            profile(
                image(&[
                    (".profile", b"ID=a"),
                    (".osrel", b"ID=y"),
                    (".pcrsig", b"{}"),
                ])
                .build(),
            ),
            profile(
                image(&[
                    (".profile", b"ID=b"),
                    (".cmdline", b"b"),
                    (".efifw", b"one"),
                    (".efifw", b"two"),
                    (".other", b"x"),
                ])
                .build(),
            ),
        ])
    };
    let file = build(
        &Builder::new()
            .section(".text", b"code")
            .section(".sdmagic", b"#### LoaderInfo: systemd-stub 262 ####")
            .build(),
        parts,
    )
    .unwrap();
    let added = [
        ".osrel", ".cmdline", ".linux", ".mine", ".sbat", ".profile", ".pcrsig", ".profile",
        ".osrel", ".profile", ".cmdline", ".efifw", ".efifw",
    ];
    assert_eq!(names(&builder::read(&file))[2..], added);
}

#[test]
fn give_the_uki_itself_a_profile_too() {
    let one = || profile(image(&[(".profile", b"ID=a")]).build());
    let text = |profile: Option<&str>| {
        let parts = UkiParts {
            profile: profile.map(str::to_owned),
            ..with(vec![one()])
        };
        section(parts, ".profile").unwrap()
    };
    assert_eq!(text(None), b"ID=main");
    assert_eq!(text(Some("")), b"ID=main");
    assert_eq!(text(Some("ID=base")), b"ID=base");
}

#[test]
fn a_kernel_in_a_profile_counts_for_nx_compat() {
    let mut kernel = Builder::kernel();
    kernel.dll_characteristics = 0;
    let old = image(&[(".profile", b"ID=a"), (".linux", &kernel.build())]);
    let file = build(&Builder::stub().build(), with(vec![profile(old.build())])).unwrap();
    assert_eq!(builder::read(&file).dll_characteristics(), 0);
}

/// `ukify` leaves them out, and a revoked stub would go on starting the kernels of profiles.
#[test]
fn the_stub_keeps_its_sbat_where_only_profiles_have_a_kernel() {
    let sbat = |joined: Vec<Profile<'static>>| {
        let parts = UkiParts {
            cmdline: Some("x".into()),
            joined,
            ..UkiParts::default()
        };
        String::from_utf8(section(parts, ".sbat").unwrap()).unwrap()
    };
    let kernel = image(&[
        (".profile", b"ID=a"),
        (".linux", &Builder::kernel().build()),
    ]);
    assert!(sbat(vec![profile(kernel.build())]).contains("\nsystemd-stub,1,"));
    assert!(!sbat(vec![]).contains("\nsystemd-stub,1,"));
}

#[test]
fn refuses_what_is_not_one_profile() {
    let text: (&str, &[u8]) = (".profile", b"ID=a");
    let refused = |image| refused(image, Compat::Ukify262);
    for (sections, first) in [
        (&[][..], None),
        (&[(".cmdline", &b"a"[..]), text][..], Some(".cmdline")),
        (&[(".sbat", b"sbat,1"), text], Some(".sbat")),
        (&[(".hwids", b"h"), text], Some(".hwids")),
    ] {
        let error = refused(image(sections));
        let ProfileError::NoProfile { first: found } = error else {
            panic!("{error}");
        };
        assert_eq!(found.map(|name| name.to_string()).as_deref(), first);
    }
    let two = image(&[text, (".cmdline", b"a"), text]);
    assert!(matches!(refused(two), ProfileError::SeveralProfiles));
    let arm = image(&[text]).machine(AARCH64);
    assert!(matches!(refused(arm), ProfileError::Architecture { .. }));
    let kernel = image(&[text, (".linux", b"\x7fELF")]);
    assert!(matches!(refused(kernel), ProfileError::Kernel(_)));
}

#[test]
fn refuses_to_lose_a_section() {
    for (name, compat) in [
        (".dtbauto", Compat::Ukify262),
        (".hwids", Compat::Ukify262),
        (".efifw", Compat::Ukify257),
    ] {
        let error = refused(image(&[(".profile", b"ID=a"), (name, b"x")]), compat);
        assert!(matches!(error, ProfileError::Lost(lost) if lost.as_str() == name));
    }
}

#[test]
fn refuses_a_profile_that_is_cut_off_or_not_stored() {
    let whole = image(&[(".profile", b"ID=a"), (".cmdline", b"a")]).build();
    for end in [0, 10, 0x200, whole.len() - 1] {
        let parts = with(vec![profile(whole[..end].to_vec())]);
        let error = refusal(parts);
        assert!(
            matches!(
                error,
                UkiError::Profile {
                    index: 0,
                    source: ProfileError::Read(_)
                }
            ),
            "{end}: {error}"
        );
    }
    let mut longer = whole;
    let last_row = Builder::new().section_table() + 3 * 40;
    longer[last_row + 8..last_row + 12].copy_from_slice(&0x201_u32.to_le_bytes());
    let error = refusal(with(vec![profile(longer)]));
    assert!(matches!(
        error,
        UkiError::Profile {
            source: ProfileError::NotStored(_),
            ..
        }
    ));
}

#[test]
fn refuses_parts_that_a_profile_cannot_have() {
    let parts = || UkiParts {
        profile: Some("ID=a".into()),
        ..with_kernel()
    };
    let signed = UkiParts {
        pcrsig: Some(content(b"{}")),
        ..parts()
    };
    assert!(matches!(refusal(signed), UkiError::PcrsigOfProfile));
    let text = UkiParts {
        profile: Some("ID=a\nno profile".into()),
        ..parts()
    };
    assert!(matches!(refusal(text), UkiError::ProfileText { line: 2 }));
}

fn device(name: &str, target: Target, ids: &[u8]) -> Device {
    Device {
        name: name.into(),
        target,
        ids: ids.iter().map(|id| [*id; 16]).collect(),
    }
}

fn tree(text: &str) -> Target {
    Target::DeviceTree(text.into())
}

#[test]
fn hardware_ids_are_sorted_and_devices_merged() {
    let id: [u8; 16] = std::array::from_fn(|at| at as u8);
    let mut first = device("N", tree("c"), &[9]);
    first.ids.insert(id);
    let parts = UkiParts {
        hwids: Some(vec![
            first,
            device("N", Target::Firmware("a".into()), &[7]),
            device("N", tree("c"), &[8, 9]),
        ]),
        ..with_kernel()
    };
    let table = section(parts, ".hwids").unwrap();
    let rows: Vec<_> = table.chunks(28).take(5).collect();
    let ids: Vec<_> = rows.iter().map(|row| row[4]).collect();
    assert_eq!(ids, [3, 8, 9, 7, 0]);
    assert_eq!(
        rows[0][..20],
        [
            28, 0, 0, 0x10, 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
        ]
    );
    assert_eq!(rows[0][20..], [140, 0, 0, 0, 144, 0, 0, 0]);
    assert_eq!(rows[3][..4], [28, 0, 0, 0x20]);
    assert_eq!(table[140..], *b"N\0a\0c\0");
}

#[test]
fn refuses_devices_that_would_never_be_found() {
    let refused = |devices, compat| {
        let parts = UkiParts {
            hwids: Some(devices),
            compat,
            ..with_kernel()
        };
        match refusal(parts) {
            UkiError::Hwids(error) => error,
            other => panic!("{other}"),
        }
    };
    let newest = |devices| refused(devices, Compat::Ukify262);
    assert_eq!(newest(vec![]), HwidsError::NoDevice);
    let name = || "N".to_owned();
    assert_eq!(
        newest(vec![device("N", tree("c"), &[])]),
        HwidsError::NoId(name())
    );
    for text in ["", "a\0b"] {
        assert_eq!(
            newest(vec![device("N", tree(text), &[1])]),
            HwidsError::Text(name())
        );
    }
    let firmware = vec![device("N", Target::Firmware("f".into()), &[1])];
    assert_eq!(
        refused(firmware, Compat::Ukify257),
        HwidsError::FirmwareIn257(name())
    );
}

#[test]
fn refuses_firmware_without_name_or_content_and_under_old_rules() {
    let refused = |id: &str, image: &[u8], compat| {
        refusal(UkiParts {
            efifw: vec![Firmware {
                id: id.into(),
                image: content(image),
            }],
            compat,
            ..with_kernel()
        })
    };
    for id in ["", "a\0"] {
        assert!(matches!(
            refused(id, b"x", Compat::Ukify262),
            UkiError::FirmwareId(_)
        ));
    }
    assert!(matches!(
        refused("a", b"", Compat::Ukify262),
        UkiError::NoFirmware(_)
    ));
    assert!(matches!(
        refused("a", b"x", Compat::Ukify257),
        UkiError::NotIn257(_)
    ));
}
