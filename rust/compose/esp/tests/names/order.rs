use std::cmp::Ordering;

use proptest::prelude::*;
use touchstone_esp::order::{Listed, compare, compare_versions, identify};
use touchstone_esp::type1::Type1;
use touchstone_esp::{BootCount, EntryKind, EntryName, OsRelease};

use crate::entry_name::any_name;

/// The names in the menu's order, of entries that differ by name alone.
fn menu(names: &[&str]) -> Vec<String> {
    let os_release = OsRelease::read("ID=nixos\nVERSION=26.05").unwrap();
    let mut entries: Vec<Listed> = names
        .iter()
        .map(|name| Listed::image(name, &os_release))
        .collect();
    entries.sort_by(compare);
    entries.into_iter().map(|entry| entry.id).collect()
}

/// Whether a stands before b wherever they are listed.
fn is_sorted(names: &[&str]) -> bool {
    let mut turned = names.to_vec();
    turned.reverse();
    menu(&turned) == menu(names) && menu(names) == names
}

#[test]
fn versions_are_ordered_as_the_specification_says() {
    let rising = [
        "", "~1", "ab", "abb", "abc", "1~rc1", "1", "1-a", "1-1", "1^1", "1.a", "1.1", "1.1.1",
        "1a", "1ab", "2", "0010", "11",
    ];
    // An empty version is newer than one that begins with a tilde.
    let mut expected = rising.to_vec();
    expected.swap(0, 1);
    let mut sorted = rising.to_vec();
    sorted.reverse();
    sorted.sort_by(|one, other| compare_versions(one, other));
    assert_eq!(sorted, expected);
}

#[test]
fn what_is_no_part_of_versions_counts_for_nothing() {
    for (one, other) in [
        ("123_a", "123a"),
        ("1 (x)", "1x"),
        ("0001", "1"),
        ("+1+", "1"),
        ("ü1", "1"),
    ] {
        assert_eq!(
            compare_versions(one, other),
            Ordering::Equal,
            "{one} {other}"
        );
    }
}

#[test]
fn a_generation_comes_right_before_its_specialisations_and_these_before_older_generations() {
    for hash in ["0a", "9f", "a0", "ff"].map(|hash| hash.repeat(16)) {
        for other in ["00", "99", "aa"].map(|hash| hash.repeat(16)) {
            let names = [
                format!("nixos-12-{hash}.efi"),
                format!("nixos-12--gaming-{other}.efi"),
                format!("nixos-12--0-{other}.efi"),
                format!("nixos-9-{hash}.efi"),
                format!("nixos-9--gaming-{other}.efi"),
                format!("nixos--work-30-{hash}.efi"),
                format!("nixos--work-30--gaming-{other}.efi"),
                format!("nixos--work-3-{hash}.efi"),
            ];
            let names = names.each_ref().map(String::as_str);
            let mut sorted = menu(&names);
            sorted[1..3].sort();
            let mut expected = names;
            expected[1..3].sort();
            assert_eq!(sorted, expected);
        }
    }
}

/// What systemd-boot 257.13 and 262.1 told the running system in `LoaderEntries`, on a machine with these files (docs/boot-counting-seen.md);
/// each with the release in its `.osrel`.
const SEEN: [(&str, &str); 15] = [
    ("nixos-12-HASH+3.efi", "25.11"),
    ("nixos-12--b-HASH+3.efi", "25.11"),
    ("nixos-12--a-HASH.efi", "25.11"),
    ("nixos-11-HASH.efi", "25.11"),
    ("nixos-9-HASH+2.efi", "25.11"),
    ("nixos-9--z-HASH+1-1.efi", "25.11"),
    ("nixos-1-HASH.efi", "25.11"),
    ("nixos-1--a-HASH.efi", "25.11"),
    ("nixos--work-13-HASH+2.efi", "25.11"),
    ("nixos--work-13--a-HASH.efi", "25.11"),
    ("nixos--work-2-HASH.efi", "25.11"),
    ("nixos--another-14-HASH.efi", "25.11"),
    ("nixos-15-HASH.efi", "24.11"),
    ("nixos-13-HASH+0-2.efi", "25.11"),
    ("nixos-12--c-HASH+0-3.efi", "25.11"),
];

proptest! {
    #[test]
    fn the_order_is_what_systemd_boot_made_of_it_on_a_machine(
        shuffled in Just(SEEN.to_vec()).prop_shuffle(),
        hash in "[0-9a-f]{32}",
    ) {
        let listed = |(name, release): &(&str, &str)| {
            let os_release = OsRelease::read(&format!("ID=nixos\nVERSION_ID={release}\n")).unwrap();
            Listed::image(&name.replace("HASH", &hash), &os_release)
        };
        let mut sorted: Vec<Listed> = shuffled.iter().map(listed).collect();
        sorted.sort_by(compare);
        let seen: Vec<Listed> = SEEN.iter().map(listed).collect();
        prop_assert_eq!(sorted, seen);
    }
}

#[test]
fn bad_entries_come_last_and_keep_their_order() {
    assert_eq!(
        menu(&["b-3+0-3.efi", "b-2+1-2.efi", "b-1.efi", "b-4+0-1.efi"]),
        ["b-2.efi", "b-1.efi", "b-4.efi", "b-3.efi"]
    );
}

#[test]
fn the_sort_key_comes_before_machine_and_version_and_these_before_the_name() {
    let entry = |text: &str| Listed::text("x.conf", &Type1::read(text));
    let sorted = [
        entry("sort-key a\nversion 1\n"),
        entry("sort-key a\nmachine-id 1\nversion 1\n"),
        entry("sort-key a\nmachine-id 2\nversion 3\n"),
        entry("sort-key a\nmachine-id 2\nversion 2\n"),
        entry("sort-key b\nversion 9\n"),
        entry("version 99\n"),
    ];
    for (index, one) in sorted.iter().enumerate() {
        for (other_index, other) in sorted.iter().enumerate() {
            assert_eq!(compare(one, other), index.cmp(&other_index));
        }
    }
}

#[test]
fn of_two_files_of_one_entry_the_one_with_more_attempts_left_comes_first() {
    let count = |name: &str| Listed::text(name, &Type1::default());
    assert_eq!(
        compare(&count("a+2.conf"), &count("a+1-1.conf")),
        Ordering::Less
    );
    assert_eq!(
        compare(&count("a+1.conf"), &count("a+1-1.conf")),
        Ordering::Less
    );
    assert_eq!(
        compare(&count("a+1-0.conf"), &count("a+1.conf")),
        Ordering::Equal
    );
    assert_eq!(
        compare(&count("a.conf"), &count("a+1.conf")),
        Ordering::Equal
    );
}

#[test]
fn an_entry_is_known_by_its_name_in_lower_case_without_the_counter() {
    assert_eq!(
        identify("Memtest86++2-1.CONF"),
        ("memtest86+.conf".to_owned(), "+2-1".parse().ok())
    );
    assert_eq!(identify("auto-windows"), ("auto-windows".to_owned(), None));
}

fn of(
    profile: Option<&str>,
    generation: u64,
    specialisation: Option<&str>,
    hash: [u8; 16],
) -> String {
    let name = EntryName {
        profile: profile.map(str::to_owned),
        generation,
        specialisation: specialisation.map(str::to_owned),
        hash,
        count: None,
        kind: EntryKind::Type2,
    };
    name.to_string()
}

proptest! {
    #[test]
    fn any_profile_generation_and_specialisation_sort_so(
        profile in proptest::option::of("[a-zA-Z0-9._+-]{1,8}"),
        other_profile in "[a-zA-Z0-9._+-]{1,8}",
        specialisation in "[a-zA-Z0-9._+-]{1,8}",
        generation in 1..u64::MAX,
        older in 0..u64::MAX,
        hashes in any::<[[u8; 16]; 4]>(),
    ) {
        let older = older.min(generation - 1);
        let profile = profile.as_deref();
        let (this, special) = (
            of(profile, generation, None, hashes[0]),
            of(profile, generation, Some(&specialisation), hashes[1]),
        );
        let before = of(profile, older, None, hashes[2]);
        prop_assert!(is_sorted(&[&this, &special, &before]));
        if profile.is_none() {
            prop_assert!(is_sorted(&[&this, &special, &before, &of(Some(&other_profile), generation, None, hashes[3])]));
        }
    }

    #[test]
    fn versions_are_totally_ordered(texts in proptest::collection::vec("[0-2ab~^._ -]{0,6}", 3)) {
        let compared = |one: usize, other: usize| compare_versions(&texts[one], &texts[other]);
        prop_assert_eq!(compared(0, 1), compared(1, 0).reverse());
        if compared(0, 1) == compared(1, 2) {
            prop_assert_eq!(compared(0, 2), compared(0, 1));
        }
    }

    #[test]
    fn any_texts_are_ordered(one in "\\PC*", other in "\\PC*") {
        prop_assert_eq!(compare_versions(&one, &other), compare_versions(&other, &one).reverse());
    }

    #[test]
    fn entries_are_totally_ordered(entries in proptest::collection::vec((any_name(), 0..3u8, 0..3u8), 3)) {
        let listed: Vec<Listed> = entries.iter().map(|(name, key, version)| {
            let text = match key { 0 => String::new(), _ => format!("sort-key {key}\n") };
            Listed::text(&name.to_string(), &Type1::read(&format!("{text}version {version}\n")))
        }).collect();
        prop_assert_eq!(compare(&listed[0], &listed[1]), compare(&listed[1], &listed[0]).reverse());
        let mut sorted = listed.clone();
        sorted.sort_by(compare);
        let bad = |listed: &Listed| BootCount::assessment(listed.count) == touchstone_esp::Assessment::Bad;
        prop_assert!(sorted.iter().map(bad).is_sorted());
    }
}
