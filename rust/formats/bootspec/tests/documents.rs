//! Which documents are read and which are refused, each with its reason.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use serde_json::{Value, json};
use touchstone_bootspec::{Core, Document, ReadError};

fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

fn v1() -> Value {
    json!({
        "system": "x86_64-linux",
        "init": store("nixos-system/init"),
        "initrd": store("initrd/initrd"),
        "initrdSecrets": store("append-initrd-secrets"),
        "kernel": store("linux/bzImage"),
        "kernelParams": ["root=PARTUUID=0a-1b", "loglevel=4", "dyndbg=\"file a.c +p\""],
        "label": "NixOS 26.11 (Linux 6.18)",
        "toplevel": store("nixos-system")
    })
}

fn v2() -> Value {
    json!({
        "system": "aarch64-linux",
        "init": store("nixos-system/init"),
        "initrds": [store("microcode/ucode.img"), store("initrd/initrd")],
        "kernel": store("linux/Image"),
        "kernelParams": [],
        "label": "",
        "toplevel": store("nixos-system"),
        "fdtdir": store("dtbs"),
        "devicetree": store("dtb/board.dtb")
    })
}

/// A document with both versions, a specialisation in each and extensions as they are met in the wild.
fn full() -> Value {
    json!({
        "org.nixos.bootspec.v1": v1(),
        "org.nixos.specialisation.v1": {
            "laptop": { "org.nixos.bootspec.v1": v1(), "org.nixos.systemd-boot": { "sortKey": "nixos" } }
        },
        "org.nixos.bootspec.v2": v2(),
        "org.nixos.specialisation.v2": {
            "laptop": { "org.nixos.bootspec.v2": v2(), "org.nixos.systemd-boot": { "sortKey": "nixos" } }
        },
        "org.nixos.systemd-boot": { "sortKey": "nixos", "devicetree": store("dtb"), "uname": null },
        "org.xenproject.bootspec.v2": { "version": 1, "params": ["a", 1.5, true, null], "efiPath": "z", "a": { "z": 1, "a": 2 } },
        "org.nix-community.lanzaboote": { "sort_key": "lanza" }
    })
}

fn read(value: &Value) -> Result<Document, ReadError> {
    Document::read(value.to_string().as_bytes())
}

/// The error of a full document with one place changed; `place` is a JSON pointer whose last part is set, or removed where the value is missing.
fn refusal(parent: &str, key: &str, to: Option<Value>) -> ReadError {
    let mut changed = full();
    let object = changed
        .pointer_mut(parent)
        .unwrap()
        .as_object_mut()
        .unwrap();
    match to {
        Some(value) => object.insert(key.to_owned(), value),
        None => object.remove(key),
    };
    read(&changed).unwrap_err()
}

const V1_PLACE: &str = "/org.nixos.bootspec.v1";
const V2_PLACE: &str = "/org.nixos.bootspec.v2";

#[test]
fn reads_and_writes_a_full_document_without_losing_anything() {
    let document = read(&full()).unwrap();
    assert_eq!(document.to_value().to_string(), full().to_string());
    assert_eq!(
        Document::read(document.to_json().as_bytes()).unwrap(),
        document
    );
}

#[test]
fn reads_each_version_alone() {
    let only_v1 = read(&json!({ "org.nixos.bootspec.v1": v1() })).unwrap();
    assert!(only_v1.v2.is_none() && only_v1.v1.unwrap().specialisations.is_empty());
    let only_v2 = read(&json!({ "org.nixos.bootspec.v2": v2() })).unwrap();
    assert_eq!(only_v2.v2.unwrap().core.initrds.len(), 2);
}

#[test]
fn reads_the_smallest_cores() {
    let mut smallest = v1();
    smallest
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key != "initrd" && key != "initrdSecrets");
    assert_eq!(
        read(&json!({ "org.nixos.bootspec.v1": smallest }))
            .unwrap()
            .v1
            .unwrap()
            .core
            .initrd,
        None
    );
    let mut smallest = v2();
    smallest
        .as_object_mut()
        .unwrap()
        .retain(|key, _| key != "fdtdir" && key != "devicetree");
    smallest["initrds"] = json!([]);
    assert!(
        read(&json!({ "org.nixos.bootspec.v2": smallest }))
            .unwrap()
            .v2
            .unwrap()
            .core
            .initrds
            .is_empty()
    );
}

#[test]
fn puts_init_in_front_of_the_parameters() {
    let document = read(&full()).unwrap();
    let expected = format!(
        "init={} root=PARTUUID=0a-1b loglevel=4 dyndbg=\"file a.c +p\"",
        store("nixos-system/init")
    );
    assert_eq!(document.v1.unwrap().core.command_line(), expected);
    assert_eq!(
        document.v2.unwrap().core.command_line(),
        format!("init={}", store("nixos-system/init"))
    );
}

#[test]
fn refuses_a_document_without_a_core() {
    assert_eq!(read(&json!({})), Err(ReadError::NoCore));
    assert_eq!(
        read(&json!({ "org.nixos.systemd-boot": {} })),
        Err(ReadError::NoCore)
    );
    let orphans =
        read(&json!({ "org.nixos.bootspec.v1": v1(), "org.nixos.specialisation.v2": {} }));
    assert!(matches!(
        orphans,
        Err(ReadError::SpecialisationsWithoutCore {
            core: "org.nixos.bootspec.v2",
            ..
        })
    ));
}

#[test]
fn refuses_unknown_and_missing_and_null_keys_in_a_core() {
    let said = |place, key, to| refusal(place, key, to).to_string();
    let unknown =
        "in org.nixos.bootspec.v1: the key `initrds` is not known here: the object is closed";
    assert_eq!(said(V1_PLACE, "initrds", Some(json!([]))), unknown);
    for gone in ["initrd", "initrdSecrets"] {
        assert!(
            said(V2_PLACE, gone, Some(json!(store("initrd/initrd")))).contains("is not known here")
        );
    }
    for key in [
        "system",
        "init",
        "kernel",
        "kernelParams",
        "label",
        "toplevel",
    ] {
        assert!(said(V1_PLACE, key, None).contains(&format!("`{key}` is missing")));
        assert!(said(V2_PLACE, key, None).contains(&format!("`{key}` is missing")));
    }
    assert!(said(V2_PLACE, "initrds", None).contains("`initrds` is missing"));
    assert!(said(V1_PLACE, "initrd", Some(Value::Null)).contains("`initrd` is null"));
    assert!(said(V2_PLACE, "fdtdir", Some(Value::Null)).contains("`fdtdir` is null"));
    assert!(said("", "org.nixos.bootspec.v2", Some(Value::Null)).contains("is null"));
}

#[test]
fn refuses_values_of_another_kind() {
    let said = |place, key, to| refusal(place, key, Some(to)).to_string();
    assert!(said(V2_PLACE, "initrds", json!(store("initrd/initrd"))).contains("a list of strings"));
    assert!(said(V2_PLACE, "kernelParams", json!("quiet")).contains("a list of strings"));
    assert!(said(V1_PLACE, "kernelParams", json!(["quiet", 4])).contains("a list of strings"));
    assert!(said(V1_PLACE, "label", json!(26.11)).contains("a string"));
    assert!(said("", "org.nixos.specialisation.v1", json!([])).contains("an object is needed"));
}

#[test]
fn refuses_paths_that_are_not_the_stores() {
    let paths = [
        "init",
        "./init",
        "/boot/vmlinuz",
        "/run/current-system/kernel",
        "",
        "/nix/store/../../etc/passwd",
    ];
    for path in paths {
        for (place, key) in [
            (V1_PLACE, "kernel"),
            (V1_PLACE, "initrd"),
            (V2_PLACE, "init"),
            (V2_PLACE, "devicetree"),
        ] {
            let error = refusal(place, key, Some(json!(path)));
            assert!(matches!(error, ReadError::File { .. }), "{path}: {error}");
        }
        assert!(matches!(
            refusal(V2_PLACE, "initrds", Some(json!([path]))),
            ReadError::File { key: "initrds", .. }
        ));
    }
    let dots = refusal(V2_PLACE, "init", Some(json!(store("system/../init"))));
    assert!(dots.to_string().contains("not canonical"), "{dots}");
    let below = refusal(V2_PLACE, "toplevel", Some(json!(store("system/init"))));
    assert!(matches!(
        below,
        ReadError::StorePath {
            key: "toplevel",
            ..
        }
    ));
}

#[test]
fn refuses_a_second_init() {
    for parameter in [
        "init=/bin/sh",
        "quiet init=/bin/sh",
        "\"init=/bin/sh\"",
        "a=\"b init=/bin/sh\"",
    ] {
        let error = refusal(V2_PLACE, "kernelParams", Some(json!(["quiet", parameter])));
        assert!(
            matches!(error, ReadError::InitInKernelParams { .. }),
            "{parameter}"
        );
    }
    let mut harmless = full();
    harmless["org.nixos.bootspec.v2"]["kernelParams"] =
        json!(["systemd.init=1", "rdinit=/init", "init"]);
    assert!(read(&harmless).is_ok());
}

#[test]
fn refuses_control_characters_in_what_menus_and_command_lines_show() {
    for text in ["a\0", "a\nlinux /evil", "\u{1b}[2J"] {
        for key in ["label", "system"] {
            assert!(matches!(
                refusal(V1_PLACE, key, Some(json!(text))),
                ReadError::ControlCharacter { .. }
            ));
        }
        let error = refusal(V1_PLACE, "kernelParams", Some(json!([text])));
        assert!(matches!(
            error,
            ReadError::ControlCharacter {
                key: "kernelParams",
                ..
            }
        ));
    }
}

#[test]
fn refuses_specialisations_inside_specialisations() {
    for key in ["org.nixos.specialisation.v1", "org.nixos.specialisation.v2"] {
        let error = refusal("/org.nixos.specialisation.v2/laptop", key, Some(json!({})));
        assert_eq!(
            error.to_string(),
            "in org.nixos.specialisation.v2/laptop: specialisations do not nest"
        );
    }
}

#[test]
fn refuses_a_specialisation_of_another_version_or_with_an_impossible_name() {
    let other = refusal(
        "/org.nixos.specialisation.v2",
        "x",
        Some(json!({ "org.nixos.bootspec.v1": v1() })),
    );
    assert!(
        other
            .to_string()
            .contains("`org.nixos.bootspec.v2` is missing"),
        "{other}"
    );
    for name in ["", ".", "..", "a/b", "../../etc", "a\n"] {
        let error = refusal(
            "/org.nixos.specialisation.v1",
            name,
            Some(json!({ "org.nixos.bootspec.v1": v1() })),
        );
        assert!(
            matches!(error, ReadError::SpecialisationName { .. }),
            "{name:?}"
        );
    }
}

#[test]
fn names_the_place_inside_a_specialisation() {
    let place = "/org.nixos.specialisation.v2/laptop/org.nixos.bootspec.v2";
    let error = refusal(place, "initrd", Some(json!("x"))).to_string();
    assert!(
        error.starts_with(
            "in org.nixos.specialisation.v2/laptop/org.nixos.bootspec.v2: the key `initrd`"
        ),
        "{error}"
    );
}

#[test]
fn refuses_an_extension_that_is_no_object() {
    for value in [json!(null), json!("text"), json!([]), json!(1)] {
        assert!(matches!(
            refusal("", "org.example", Some(value.clone())),
            ReadError::ExtensionNotAnObject { .. }
        ));
        let error = refusal(
            "/org.nixos.specialisation.v1/laptop",
            "org.example",
            Some(value),
        );
        assert!(matches!(error, ReadError::ExtensionNotAnObject { .. }));
    }
}

#[test]
fn refuses_a_key_that_comes_twice() {
    let text = full()
        .to_string()
        .replacen("\"label\":", "\"label\":\"other\",\"label\":", 1);
    let error = Document::read(text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("`label` comes twice"), "{error}");
}
