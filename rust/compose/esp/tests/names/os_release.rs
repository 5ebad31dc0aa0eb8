use proptest::prelude::*;
use touchstone_esp::OsRelease;

fn read(text: &str) -> OsRelease {
    OsRelease::read(text).unwrap()
}

#[test]
fn nixos_is_shown_by_its_pretty_name_and_sorted_by_its_identity() {
    let text = "NAME=NixOS\nID=nixos\nVERSION=\"26.05 (Xantusia)\"\nVERSION_ID=\"26.05\"\nPRETTY_NAME='NixOS 26.05'\n";
    let shown = OsRelease {
        title: "NixOS 26.05".to_owned(),
        version: Some("26.05 (Xantusia)".to_owned()),
        sort_key: Some("nixos".to_owned()),
    };
    assert_eq!(read(text), shown);
}

#[test]
fn an_image_comes_before_the_system_in_it() {
    let shown = read("ID=nixos\nIMAGE_ID=appliance\nVERSION=1\nIMAGE_VERSION=7\n");
    assert_eq!(shown.title, "appliance");
    assert_eq!(shown.version.as_deref(), Some("7"));
    assert_eq!(shown.sort_key.as_deref(), Some("appliance"));
}

#[test]
fn an_image_without_a_name_is_not_listed() {
    assert_eq!(OsRelease::read("VERSION=1\n#NAME=x\nNAME\n"), None);
}

#[test]
fn the_last_of_two_values_counts() {
    assert_eq!(read("ID=a\nID=b\n").sort_key.as_deref(), Some("b"));
}

proptest! {
    #[test]
    fn any_text_is_read(text in "([A-Z_]{0,12}[= \t\"'#]{0,3}\\PC{0,8}\n?){0,8}") {
        let _ = OsRelease::read(&text);
    }
}
