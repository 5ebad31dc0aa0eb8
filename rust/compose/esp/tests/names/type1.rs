use proptest::prelude::*;
use touchstone_esp::type1::{Key, Type1, Type1Error};

const TEXT: &str = "# NixOS\ntitle  NixOS 26.05\nversion 12 26.05\nlinux /EFI/nixos/aa-kernel.efi\ninitrd /EFI/nixos/bb-initrd\ninitrd \\EFI\\nixos\\cc-initrd\noptions init=/nix/store/x quiet\noptions loglevel=4\ngrub_users none\ndevicetree-overlay /a.dtbo  /b.dtbo\n";

fn files(entry: &Type1) -> Vec<String> {
    let files = entry.files().unwrap();
    files.iter().map(|path| path.as_str().to_owned()).collect()
}

#[test]
fn all_keys_are_read_and_unknown_ones_kept() {
    let entry = Type1::read(TEXT);
    assert_eq!(entry.value(&Key::Title), Some("NixOS 26.05"));
    assert_eq!(entry.value(&Key::Version), Some("12 26.05"));
    assert_eq!(
        entry.values(&Key::Options).collect::<Vec<_>>(),
        ["init=/nix/store/x quiet", "loglevel=4"]
    );
    assert_eq!(
        entry.value(&Key::Unknown("grub_users".to_owned())),
        Some("none")
    );
    assert_eq!(entry.value(&Key::SortKey), None);
    assert_eq!(Type1::read(&entry.to_string()), entry);
}

#[test]
fn the_files_that_an_entry_names_are_paths_below_the_root() {
    let named = [
        "EFI/nixos/aa-kernel.efi",
        "EFI/nixos/bb-initrd",
        "EFI/nixos/cc-initrd",
        "a.dtbo",
        "b.dtbo",
    ];
    assert_eq!(files(&Type1::read(TEXT)), named);
}

#[test]
fn an_entry_that_names_no_path_is_an_error() {
    assert!(Type1::read("linux /../kernel\n").files().is_err());
}

#[test]
fn what_would_be_read_otherwise_is_not_written() {
    let mut entry = Type1::default();
    let mut push = |key: Key, value: &str| entry.push(key, value).unwrap_err();
    assert!(matches!(
        push(Key::Options, "quiet\nlinux /evil"),
        Type1Error::Break { .. }
    ));
    assert!(matches!(push(Key::Title, "a\0b"), Type1Error::Break { .. }));
    assert!(matches!(push(Key::Title, " a"), Type1Error::Around { .. }));
    assert!(matches!(
        push(Key::Title, "\"a\""),
        Type1Error::Around { .. }
    ));
    assert!(matches!(push(Key::Title, ""), Type1Error::Around { .. }));
    for key in ["#title", "ti tle", "ti\ntle"] {
        assert!(
            matches!(push(Key::named(key), "a"), Type1Error::Key(_)),
            "{key:?}"
        );
    }
    assert_eq!(entry, Type1::default());
}

proptest! {
    #[test]
    fn any_text_is_read_and_written(text in "([a-z#-]{0,8}[ \t\"'\r]{0,3}\\PC{0,8}\n?){0,8}") {
        let entry = Type1::read(&text);
        let _ = entry.files();
        let written = Type1::read(&entry.to_string());
        prop_assert_eq!(written.fields().count(), entry.fields().count());
    }

    #[test]
    fn what_is_pushed_is_read(key in "\\PC{0,8}", value in "\\PC{0,12}") {
        let mut entry = Type1::default();
        if entry.push(Key::named(&key), value).is_ok() {
            prop_assert_eq!(Type1::read(&entry.to_string()), entry);
        }
    }
}
