//! `org.touchstone.v1` is read as strictly as docs/org.touchstone.v1.md says, and printed as it is read.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

use proptest::prelude::*;
use serde_json::{Value, json};
use touchstone_bootspec::touchstone::Touchstone;

fn file(path: &str) -> Value {
    json!({ "path": path, "sha256": "ab".repeat(32), "size": 4096 })
}

fn image(path: &str) -> Value {
    let mut image = file(path);
    image["authenticodeSha256"] = "cd".repeat(32).into();
    image
}

/// Everything that the extension can say.
fn whole() -> Value {
    let mut uki = image("touchstone/uki.efi");
    uki["profiles"] = json!([{ "id": "main" }, { "id": "quiet", "title": "Quiet (all of it)" }]);
    json!({
        "uki": uki,
        "loader": image("touchstone/loader.efi"),
        "shim": image("touchstone/shim.efi"),
        "pcrs": file("touchstone/pcrs.json"),
        "manifest": file("touchstone/manifest.json"),
        "specialisations": {
            "a b": { "uki": image("specialisation/a b/touchstone/uki.efi"), "pcrs": file("specialisation/a b/touchstone/pcrs.json") },
            "quiet": { "uki": uki, "profile": "quiet" },
        },
        "sealed": "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-nixos-system-sealed",
    })
}

fn smallest() -> Value {
    json!({ "uki": image("uki.efi") })
}

fn refusal(value: Value) -> String {
    Touchstone::read(value.clone())
        .map(|_| panic!("read: {value}"))
        .unwrap_err()
        .to_string()
}

/// Refuses `value` where `pointer` leads, with these words.
fn refuses(pointer: &str, value: Value, words: &[&str]) {
    let mut extension = whole();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    extension.pointer_mut(parent).unwrap()[key] = value;
    let said = refusal(extension);
    for word in words {
        assert!(said.contains(word), "no `{word}` in: {said}");
    }
}

#[test]
fn what_is_read_is_printed_with_the_same_text() {
    for value in [whole(), smallest()] {
        let printed = Touchstone::read(value.clone()).unwrap().to_value();
        assert_eq!(printed.to_string(), value.to_string());
    }
}

#[test]
fn the_example_of_the_page_is_read_and_printed_as_it_stands() {
    let page = include_str!("../../../../docs/org.touchstone.v1.md");
    let example = page
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let value: Value = serde_json::from_str(example).unwrap();
    let read = Touchstone::read(value.clone()).unwrap();
    assert_eq!(read.to_value().to_string(), value.to_string());
    assert_eq!(read.files().count(), 8);
}

#[test]
fn a_key_that_is_not_known_is_refused_everywhere() {
    for object in [
        "",
        "/uki",
        "/uki/profiles/0",
        "/pcrs",
        "/specialisations/quiet",
    ] {
        refuses(
            &format!("{object}/more"),
            json!(1),
            &["`more`", "not known"],
        );
    }
}

#[test]
fn a_key_that_is_needed_is_missed_and_a_null_is_no_value() {
    for (object, key) in [
        ("", "uki"),
        ("/uki", "path"),
        ("/uki", "sha256"),
        ("/uki", "size"),
        ("/uki", "authenticodeSha256"),
        ("/uki/profiles/0", "id"),
        ("/specialisations/quiet", "uki"),
    ] {
        let mut extension = whole();
        let members = extension
            .pointer_mut(object)
            .unwrap()
            .as_object_mut()
            .unwrap();
        members.shift_remove(key);
        assert!(refusal(extension).contains(&format!("`{key}` is missing")));
    }
    for pointer in [
        "/loader",
        "/sealed",
        "/pcrs",
        "/uki/profiles",
        "/specialisations/quiet/profile",
    ] {
        refuses(pointer, Value::Null, &["is null"]);
    }
}

#[test]
fn a_path_leads_nowhere_but_below_the_document() {
    for path in [
        "",
        "/uki.efi",
        "../uki.efi",
        "a/../uki.efi",
        "./uki.efi",
        "a//uki.efi",
        "a/",
        ".",
        "..",
        "a\nb",
        "a\0b",
    ] {
        refuses(
            "/pcrs/path",
            path.into(),
            &["org.touchstone.v1/pcrs", "no path below"],
        );
        refuses(
            "/uki/path",
            path.into(),
            &["org.touchstone.v1/uki", "no path below"],
        );
    }
}

#[test]
fn digests_are_sixty_four_lower_case_digits() {
    for digest in [
        "",
        "ab",
        &"AB".repeat(32),
        &"ab".repeat(33),
        &"xy".repeat(32),
    ] {
        refuses("/pcrs/sha256", digest.into(), &["no SHA-256"]);
        refuses("/uki/authenticodeSha256", digest.into(), &["no SHA-256"]);
    }
}

#[test]
fn sizes_are_whole_numbers_of_bytes() {
    for size in [json!(-1), json!(1.5), json!("1"), json!(true)] {
        refuses("/uki/size", size, &["`size`", "whole number"]);
    }
}

#[test]
fn profiles_are_several_and_told_apart() {
    let profile = |id: &str| json!({ "id": id });
    refuses("/uki/profiles", json!([]), &["two at least"]);
    refuses("/uki/profiles", json!([profile("main")]), &["two at least"]);
    refuses("/uki/profiles", json!({}), &["a list of profiles"]);
    let twice = json!([profile("main"), profile("main")]);
    refuses("/uki/profiles", twice, &["`main` comes twice"]);
    for id in ["", "a b", "a/b", "a@b", &"a".repeat(65)] {
        refuses("/uki/profiles/1/id", id.into(), &["no profile's ID"]);
    }
    for title in [
        "", " a", "a ", "a\nb", "\"a\"", "it's", "a$b", "a\\b", "a`b",
    ] {
        refuses(
            "/uki/profiles/1/title",
            title.into(),
            &["no profile's title"],
        );
    }
}

#[test]
fn a_specialisation_names_a_profile_that_its_image_has() {
    refuses(
        "/specialisations/quiet/profile",
        "loud".into(),
        &["no profile `loud`"],
    );
    refuses(
        "/specialisations/a b/profile",
        "main".into(),
        &["no profile `main`"],
    );
}

#[test]
fn specialisations_have_names_that_folders_can_have() {
    for name in ["", ".", "..", "a/b", "a\nb"] {
        let mut extension = whole();
        extension["specialisations"] = json!({ name: { "uki": image("uki.efi") } });
        assert!(
            refusal(extension).contains("no name for a specialisation"),
            "{name:?}"
        );
    }
}

#[test]
fn a_file_that_is_named_twice_is_one_file() {
    let mut extension = whole();
    extension["specialisations"]["quiet"]["uki"]["size"] = json!(4097);
    assert!(refusal(extension).contains("described in two ways"));
    let mut extension = whole();
    extension["specialisations"]["quiet"]["uki"]["authenticodeSha256"] = "ef".repeat(32).into();
    assert!(refusal(extension).contains("described in two ways"));
    let mut extension = whole();
    extension["manifest"] = file("touchstone/uki.efi");
    assert!(Touchstone::read(extension).is_ok());
}

#[test]
fn a_sealed_generation_is_a_store_path() {
    for path in [
        "",
        "/nix/store",
        "/etc/x",
        "/nix/store/0c5b8vw40d1178xlpddw65q9gf1h2186-a/b",
    ] {
        refuses("/sealed", path.into(), &["`sealed`"]);
    }
}

#[test]
fn a_generation_becomes_a_specialisation_of_another_document() {
    let inner = Touchstone::read(whole()).unwrap();
    let one = inner.as_specialisation("specialisation/a").unwrap();
    assert_eq!(
        one.uki.file.path.as_str(),
        "specialisation/a/touchstone/uki.efi"
    );
    assert_eq!(
        one.pcrs.unwrap().path.as_str(),
        "specialisation/a/touchstone/pcrs.json"
    );
    assert_eq!(one.profile, None);
    for folder in ["", "..", "/a"] {
        assert!(inner.as_specialisation(folder).is_err(), "{folder:?}");
    }
}

proptest! {
    /// A byte that is another: it is refused, or what is read is what stands there.
    #[test]
    fn a_damaged_extension_is_refused_or_printed_as_it_was_read(place in 0usize..4000, byte in any::<u8>()) {
        let mut text = whole().to_string().into_bytes();
        let place = place % text.len();
        text[place] = byte;
        let Ok(value) = touchstone_store::json::parse(&text) else {
            return Ok(());
        };
        if let Ok(read) = Touchstone::read(value.clone()) {
            prop_assert_eq!(read.to_value(), value);
        }
    }
}
