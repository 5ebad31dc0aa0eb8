use proptest::prelude::*;
use touchstone_esp::{BootCount, EntryKind, EntryName, escape};

const HASH: &str = "00112233445566778899aabbccddeeff";

fn name(text: &str) -> EntryName {
    text.parse().unwrap()
}

fn named(profile: Option<&str>, generation: u64, specialisation: Option<&str>) -> EntryName {
    EntryName {
        profile: profile.map(str::to_owned),
        generation,
        specialisation: specialisation.map(str::to_owned),
        hash: std::array::from_fn(|index| index as u8 * 0x11),
        count: None,
        kind: EntryKind::Type2,
    }
}

#[test]
fn a_generation_a_specialisation_and_a_profile_have_these_names() {
    assert_eq!(
        named(None, 12, None).to_string(),
        format!("nixos-12-{HASH}.efi")
    );
    assert_eq!(
        named(None, 12, Some("gaming")).to_string(),
        format!("nixos-12--gaming-{HASH}.efi")
    );
    assert_eq!(
        named(Some("work"), 3, None).to_string(),
        format!("nixos--work-3-{HASH}.efi")
    );
    let counting = named(Some("Work+Home"), 3, Some("a-b")).counting(Some(BootCount::new(3)));
    assert_eq!(
        counting.to_string(),
        format!("nixos--_57ork_2b_48ome-3--a_2db-{HASH}+3.efi")
    );
}

#[test]
fn an_entry_lies_where_the_boot_loader_looks_for_its_kind() {
    let image = named(None, 12, None);
    assert_eq!(
        image.path().unwrap().as_str(),
        format!("EFI/Linux/nixos-12-{HASH}.efi")
    );
    let text = EntryName {
        kind: EntryKind::Type1,
        ..image
    };
    assert_eq!(
        text.path().unwrap().as_str(),
        format!("loader/entries/nixos-12-{HASH}.conf")
    );
}

#[test]
fn the_identity_has_no_counter() {
    assert_eq!(
        name(&format!("nixos-12-{HASH}+2-1.conf")).id(),
        format!("nixos-12-{HASH}.conf")
    );
}

#[test]
fn a_name_is_read_in_any_case_as_fat_may_have_changed_it() {
    let upper = format!("NIXOS-12--GAMING-{}+1-2.EFI", HASH.to_uppercase());
    assert_eq!(
        name(&upper),
        named(None, 12, Some("gaming")).counting(Some("+1-2".parse().unwrap()))
    );
}

#[test]
fn a_name_too_long_for_fat_is_an_error() {
    assert!(named(Some(&"-".repeat(100)), 3, None).path().is_err());
}

#[test]
fn what_was_not_written_so_is_refused() {
    for text in [
        "",
        "nixos-.efi",
        "nixos-12.efi",
        "nixos-generation-12.conf",
        "nixos-stage-1.tmp",
        &format!("nixos-12-{HASH}"),
        &format!("nixos-12-{HASH}.txt"),
        &format!("nixos-012-{HASH}.efi"),
        &format!("nixos-+12-{HASH}.efi"),
        &format!("nixos-18446744073709551616-{HASH}.efi"),
        &format!("nixos---12-{HASH}.efi"),
        &format!("nixos--a_-12-{HASH}.efi"),
        &format!("nixos--_61-12-{HASH}.efi"),
        &format!("nixos-12---{HASH}.efi"),
        &format!("nixos-12--a-b-{HASH}.efi"),
        &format!("nixos-12-{HASH}0.efi"),
        &format!("nixos-12-{HASH}+03.efi"),
        &format!("nixos-12-{HASH}+3.efi.efi"),
        &format!("nixos-12--_ff-{HASH}.efi"),
    ] {
        assert!(text.parse::<EntryName>().is_err(), "{text}");
    }
}

/// What systemd takes for the name of an entry.
fn is_valid_id(name: &str) -> bool {
    let valid = |byte: u8| byte.is_ascii_alphanumeric() || b"+-_.".contains(&byte);
    !name.is_empty() && name.bytes().all(valid)
}

pub fn any_name() -> impl Strategy<Value = EntryName> {
    let text = || proptest::option::of("\\PC{1,12}");
    let count = proptest::option::of((0..9u32, proptest::option::of(0..9u32)));
    let kind = prop_oneof![Just(EntryKind::Type1), Just(EntryKind::Type2)];
    (text(), any::<u64>(), text(), any::<[u8; 16]>(), count, kind).prop_map(
        |(profile, generation, specialisation, hash, count, kind)| EntryName {
            profile,
            generation,
            specialisation,
            hash,
            count: count.map(|(left, done)| BootCount { left, done }),
            kind,
        },
    )
}

proptest! {
    #[test]
    fn a_name_is_read_as_it_was_written(entry in any_name()) {
        let written = entry.to_string();
        prop_assert!(is_valid_id(&written), "{}", written);
        prop_assert_eq!(written.parse(), Ok(entry));
    }

    #[test]
    fn names_that_differ_differ_on_fat_too(one in "\\PC{0,6}", other in "\\PC{0,6}") {
        prop_assert_eq!(one == other, escape(&one).eq_ignore_ascii_case(&escape(&other)));
    }

    #[test]
    fn any_text_is_a_name_or_none(text in "nixos-[-0-9a-f_+.]{0,50}(\\.efi|\\.conf|)") {
        if let Ok(entry) = text.parse::<EntryName>() {
            prop_assert_eq!(entry.to_string(), text);
        }
    }
}
