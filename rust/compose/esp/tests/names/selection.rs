use proptest::prelude::*;
use touchstone_esp::OsRelease;
use touchstone_esp::order::{Listed, LoaderVersion, Selection, Wishes, compare, matches, selected};

fn entries(names: &[&str]) -> Vec<Listed> {
    let os_release = OsRelease::read("ID=nixos").unwrap();
    let mut entries: Vec<Listed> = names
        .iter()
        .map(|name| Listed::image(name, &os_release))
        .collect();
    entries.sort_by(compare);
    entries
}

const fn version(major: u32, minor: u32) -> LoaderVersion {
    LoaderVersion { major, minor }
}

/// The name of the entry that is booted, which must be certain.
fn booted(names: &[&str], wishes: &Wishes<'_>, loader: LoaderVersion) -> String {
    let entries = entries(names);
    match selected(&entries, wishes, loader) {
        Some(Selection::Entry(index)) => entries[index].id.clone(),
        other => format!("{other:?}"),
    }
}

const BAD: [&str; 3] = ["n-3+0-3.efi", "n-2+1-2.efi", "n-1.efi"];
const ALL: [LoaderVersion; 8] = [
    version(252, 39),
    version(255, 0),
    version(257, 7),
    version(257, 13),
    version(258, 3),
    version(259, 0),
    version(260, 0),
    version(262, 1),
];

#[test]
fn without_a_wish_the_first_entry_that_is_not_bad_is_booted() {
    for loader in ALL {
        assert_eq!(booted(&BAD, &Wishes::default(), loader), "n-2.efi");
        let pattern = Wishes {
            default: Some("n-*"),
            ..Wishes::default()
        };
        assert_eq!(booted(&BAD, &pattern, loader), "n-2.efi");
    }
}

#[test]
fn a_default_by_name_is_booted_although_it_is_bad() {
    let by_name = Wishes {
        default: Some("n-3.efi"),
        ..Wishes::default()
    };
    for loader in [
        version(257, 13),
        version(258, 3),
        version(259, 0),
        version(262, 1),
    ] {
        assert_eq!(booted(&BAD, &by_name, loader), "n-3.efi");
    }
}

#[test]
fn older_loaders_know_an_entry_by_its_name_with_the_counter() {
    let by_name = Wishes {
        default: Some("n-3.efi"),
        ..Wishes::default()
    };
    let by_count = Wishes {
        default: Some("n-3+0-3.efi"),
        ..Wishes::default()
    };
    for loader in [version(252, 39), version(257, 7)] {
        assert_eq!(booted(&BAD, &by_name, loader), "n-2.efi");
        assert_eq!(booted(&BAD, &by_count, loader), "n-3.efi");
    }
}

#[test]
fn what_depends_on_how_a_loader_was_built_is_not_said_to_be_certain() {
    let by_name = Wishes {
        default: Some("n-3.efi"),
        ..Wishes::default()
    };
    let either = selected(&entries(&BAD), &by_name, version(258, 0));
    assert_eq!(either, Some(Selection::Either(0, 2)));
}

#[test]
fn a_preferred_entry_that_is_bad_is_passed_over() {
    let wishes = Wishes {
        preferred: Some("n-3.efi"),
        default: Some("n-1.efi"),
        ..Wishes::default()
    };
    for loader in [version(260, 0), version(262, 1)] {
        assert_eq!(booted(&BAD, &wishes, loader), "n-1.efi");
        assert_eq!(
            booted(&["n-3+2-1.efi", "n-2.efi", "n-1.efi"], &wishes, loader),
            "n-3.efi"
        );
    }
    assert_eq!(
        booted(&["n-3.efi", "n-1.efi"], &wishes, version(259, 0)),
        "n-1.efi"
    );
}

#[test]
fn variables_come_before_the_file_and_one_shot_before_all() {
    let mut wishes = Wishes {
        default: Some("n-1.efi"),
        ..Wishes::default()
    };
    wishes.default_variable = Some("N-2.EFI");
    assert_eq!(booted(&BAD, &wishes, version(262, 0)), "n-2.efi");
    wishes.preferred = Some("n-1.efi");
    assert_eq!(booted(&BAD, &wishes, version(262, 0)), "n-1.efi");
    wishes.preferred_variable = Some("n-2*");
    assert_eq!(booted(&BAD, &wishes, version(262, 0)), "n-2.efi");
    wishes.one_shot = Some("n-3.efi");
    assert_eq!(booted(&BAD, &wishes, version(262, 0)), "n-3.efi");
}

#[test]
fn saved_is_the_entry_that_was_booted_last() {
    let wishes = Wishes {
        default: Some("@saved"),
        last_booted: Some("n-1.efi"),
        ..Wishes::default()
    };
    assert_eq!(booted(&BAD, &wishes, version(262, 0)), "n-1.efi");
    let never = Wishes {
        default: Some("@saved"),
        ..Wishes::default()
    };
    assert_eq!(booted(&BAD, &never, version(262, 0)), "n-2.efi");
}

#[test]
fn where_nothing_is_listed_nothing_is_booted() {
    assert_eq!(selected(&[], &Wishes::default(), version(262, 0)), None);
}

#[test]
fn the_version_is_read_from_the_variable_and_from_the_program() {
    let read = |text: &str| LoaderVersion::read(text);
    assert_eq!(
        read("systemd-boot 257.13-1~deb13u1"),
        Some(version(257, 13))
    );
    assert_eq!(
        read("#### LoaderInfo: systemd-boot 262.1-1 ####"),
        Some(version(262, 1))
    );
    assert_eq!(read("systemd-boot 260-rc2"), Some(version(260, 0)));
    assert_eq!(read("systemd-boot 258"), Some(version(258, 0)));
    assert_eq!(read("rEFInd 0.14"), None);
    assert_eq!(read("systemd-boot unknown"), None);
}

#[test]
fn patterns_are_those_of_the_shell() {
    for (pattern, name) in [
        ("nixos-*", "nixos-12-ab.efi"),
        ("*.efi", "a.efi.efi"),
        ("*a*b*c", "xaxbxbxc"),
        ("n?xos", "nixos"),
        ("a+[1-9]-[0-9]", "a+3-0"),
        ("a[]x]", "a]"),
        ("\\*", "*"),
        ("", ""),
    ] {
        assert!(matches(pattern, name), "{pattern} {name}");
    }
    for (pattern, name) in [
        ("nixos-*", "nixos"),
        ("nixos", "nixos-12"),
        ("a+[1-9]", "a+0"),
        ("a[", "a["),
        ("a[]", "a]"),
        ("\\", "\\"),
        ("?", ""),
    ] {
        assert!(!matches(pattern, name), "{pattern} {name}");
    }
}

proptest! {
    #[test]
    fn any_pattern_is_decided(pattern in "[*?\\[\\]\\\\a-c-]{0,12}", name in "[a-c*\\[-]{0,12}") {
        let _ = matches(&pattern, &name);
        prop_assert!(matches("*", &name));
        let literal: String = name.chars().map(|character| format!("\\{character}")).collect();
        prop_assert!(matches(&literal, &name));
    }

    #[test]
    fn any_text_is_a_version_or_none(text in "\\PC{0,8}(systemd-boot )?[0-9.]{0,14}\\PC{0,4}") {
        let _ = LoaderVersion::read(&text);
    }
}
