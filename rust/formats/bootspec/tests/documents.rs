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

/// The same generation as [`v1`] with what only v2 can say.
fn v2() -> Value {
    json!({
        "system": "x86_64-linux",
        "init": store("nixos-system/init"),
        "initrds": [store("microcode/ucode.img"), store("initrd/initrd")],
        "kernel": store("linux/bzImage"),
        "kernelParams": ["root=PARTUUID=0a-1b", "loglevel=4", "dyndbg=\"file a.c +p\""],
        "label": "NixOS 26.11 (Linux 6.18)",
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
            "laptop": { "org.nixos.bootspec.v1": v1(), "org.nixos.specialisation.v1": {}, "org.nixos.systemd-boot": { "sortKey": "nixos" } }
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
    let mut bare = document.v2.unwrap().core;
    bare.kernel_params.clear();
    assert_eq!(
        bare.command_line(),
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
    let mut harmless = v1();
    harmless["kernelParams"] = json!(["systemd.init=1", "rdinit=/init", "init"]);
    assert!(read(&json!({ "org.nixos.bootspec.v1": harmless })).is_ok());
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
        let inner = Some(json!({ "inner": {} }));
        let error = refusal("/org.nixos.specialisation.v2/laptop", key, inner);
        assert_eq!(
            error.to_string(),
            "in org.nixos.specialisation.v2/laptop: specialisations do not nest"
        );
        let mut none = full();
        none["org.nixos.specialisation.v2"]["laptop"][key] = json!({});
        assert_eq!(read(&none).unwrap(), read(&full()).unwrap());
    }
}

/// nixpkgs puts a child's whole document into its parent.
#[test]
fn reads_the_v2_of_a_child_whose_own_document_was_upgraded() {
    let mut whole = full();
    whole["org.nixos.specialisation.v1"]["laptop"]["org.nixos.bootspec.v2"] = v2();
    let document = read(&whole).unwrap();
    let child = &document.v1.as_ref().unwrap().specialisations["laptop"];
    assert_eq!(child.beside, Some(serde_json::from_value(v2()).unwrap()));
    assert_eq!(Document::read(document.to_json().as_bytes()), Ok(document));

    let error = refusal(
        "/org.nixos.specialisation.v2/laptop",
        "org.nixos.bootspec.v1",
        Some(v1()),
    );
    assert!(matches!(error, ReadError::V1InsideV2 { .. }), "{error}");
}

#[test]
fn refuses_versions_that_describe_different_generations() {
    let other = [
        ("system", json!("aarch64-linux")),
        ("init", json!(store("other/init"))),
        ("kernel", json!(store("other/bzImage"))),
        ("kernelParams", json!(["quiet"])),
        ("label", json!("other")),
        ("toplevel", json!(store("other"))),
        ("initrds", json!([store("microcode/ucode.img")])),
    ];
    for (key, value) in other {
        let named = if key == "initrds" { "initrd" } else { key };
        for (parent, v1) in [
            (V2_PLACE, "org.nixos.bootspec.v1"),
            (
                "/org.nixos.specialisation.v2/laptop/org.nixos.bootspec.v2",
                "org.nixos.specialisation.v1/laptop/org.nixos.bootspec.v1",
            ),
        ] {
            let error = refusal(parent, key, Some(value.clone()));
            assert_eq!(
                error,
                ReadError::Disagreement {
                    v1: v1.to_owned(),
                    v2: parent.trim_start_matches('/').to_owned(),
                    key: named,
                }
            );
        }
    }
    for (at, from) in [
        (
            "org.nixos.specialisation.v1",
            "/org.nixos.specialisation.v1",
        ),
        (
            "org.nixos.specialisation.v2",
            "/org.nixos.specialisation.v2",
        ),
    ] {
        assert_eq!(
            refusal(from, "laptop", None),
            ReadError::MissingSpecialisation {
                at,
                name: "laptop".to_owned()
            }
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
