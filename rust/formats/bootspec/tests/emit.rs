//! The document of a generation: v1 beside v2.
#![allow(clippy::unwrap_used)] // tests end loudly

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_bootspec::{
    BesideV1, Document, EmitError, Extensions, Generation, Inexpressible, ReadError,
    Specialisation, V2, emit,
};

fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

fn core() -> V2 {
    serde_json::from_value(json!({
        "system": "x86_64-linux",
        "init": store("system/init"),
        "initrds": [store("initrd/initrd")],
        "kernel": store("linux/bzImage"),
        "kernelParams": ["quiet"],
        "label": "NixOS",
        "toplevel": store("system")
    }))
    .unwrap()
}

fn generation() -> Generation<V2> {
    let special = Specialisation {
        core: V2 {
            label: "laptop".into(),
            ..core()
        },
        beside: None,
        extensions: sorted("nixos-laptop"),
    };
    Generation {
        core: core(),
        specialisations: BTreeMap::from([("laptop".to_owned(), special)]),
    }
}

fn sorted(key: &str) -> Extensions {
    extension("org.nixos.systemd-boot", json!({ "sortKey": key }))
}

/// Extensions as a request gives them.
fn extension(name: &str, value: Value) -> Extensions {
    serde_json::from_value(json!({ name: value })).unwrap()
}

#[test]
fn writes_v1_and_v2_side_by_side() {
    let emitted = emit(generation(), sorted("nixos"), BesideV1::Required).unwrap();
    assert_eq!(emitted.v1_left_out, None);
    let (v1, v2) = (core_json(true), core_json(false));
    let label = |mut core: Value| {
        core["label"] = json!("laptop");
        core
    };
    let sort_key = json!({ "sortKey": "nixos-laptop" });
    let (laptop_v1, laptop_v2) = (label(v1.clone()), label(v2.clone()));
    let expected = json!({
        "org.nixos.bootspec.v1": v1,
        "org.nixos.specialisation.v1": { "laptop": {
            "org.nixos.bootspec.v1": laptop_v1, "org.nixos.specialisation.v1": {}, "org.nixos.systemd-boot": sort_key
        } },
        "org.nixos.bootspec.v2": v2,
        "org.nixos.specialisation.v2": { "laptop": { "org.nixos.bootspec.v2": laptop_v2, "org.nixos.systemd-boot": sort_key } },
        "org.nixos.systemd-boot": { "sortKey": "nixos" }
    });
    assert_eq!(emitted.document.to_json(), format!("{expected:#}\n"));
    assert_eq!(
        Document::read(emitted.document.to_json().as_bytes()).unwrap(),
        emitted.document
    );
}

fn core_json(v1: bool) -> Value {
    let (key, value) = if v1 {
        ("initrd", json!(store("initrd/initrd")))
    } else {
        ("initrds", json!([store("initrd/initrd")]))
    };
    json!({
        "system": "x86_64-linux", "init": store("system/init"), key: value, "kernel": store("linux/bzImage"),
        "kernelParams": ["quiet"], "label": "NixOS", "toplevel": store("system")
    })
}

#[test]
fn writes_v1_without_an_initrd_where_there_is_none() {
    let bare = Generation {
        core: V2 {
            initrds: vec![],
            ..core()
        },
        specialisations: BTreeMap::new(),
    };
    let emitted = emit(bare, Extensions::new(), BesideV1::Required).unwrap();
    assert_eq!(emitted.document.v1.unwrap().core.initrd, None);
}

/// Each generation that v1 cannot describe, with the reason.
fn beyond_v1() -> Vec<(Generation<V2>, Extensions, Inexpressible)> {
    let plain = |core| Generation {
        core,
        specialisations: BTreeMap::new(),
    };
    let tree = Some(store("dtb").parse().unwrap());
    let initrds = vec![
        store("ucode").parse().unwrap(),
        store("initrd").parse().unwrap(),
    ];
    let secrets = extension("org.nixos.initrd-secrets.v1", json!({ "key": "/etc/key" }));
    let mut special = generation();
    special
        .specialisations
        .get_mut("laptop")
        .unwrap()
        .core
        .initrds = initrds.clone();
    let named = Some("laptop".to_owned());
    vec![
        (
            plain(V2 { initrds, ..core() }),
            Extensions::new(),
            Inexpressible::Initrds {
                specialisation: None,
                count: 2,
            },
        ),
        (
            plain(V2 {
                fdtdir: tree.clone(),
                ..core()
            }),
            Extensions::new(),
            Inexpressible::DeviceTree {
                specialisation: None,
            },
        ),
        (
            plain(V2 {
                devicetree: tree,
                ..core()
            }),
            Extensions::new(),
            Inexpressible::DeviceTree {
                specialisation: None,
            },
        ),
        (
            plain(core()),
            secrets,
            Inexpressible::InitrdSecrets {
                specialisation: None,
            },
        ),
        (
            special,
            Extensions::new(),
            Inexpressible::Initrds {
                specialisation: named,
                count: 2,
            },
        ),
    ]
}

#[test]
fn refuses_what_v1_cannot_say_unless_told_to_leave_v1_out() {
    for (generation, extensions, why) in beyond_v1() {
        let refused = emit(generation.clone(), extensions.clone(), BesideV1::Required);
        assert_eq!(refused, Err(EmitError::Inexpressible(why.clone())));
        let without = emit(
            generation.clone(),
            extensions.clone(),
            BesideV1::WherePossible,
        )
        .unwrap();
        assert_eq!(
            (without.document.v1, without.v1_left_out),
            (None, Some(why))
        );
        let never = emit(generation, extensions, BesideV1::Never).unwrap();
        assert_eq!((never.document.v1, never.v1_left_out), (None, None));
    }
}

#[test]
fn says_which_specialisation_v1_cannot_describe() {
    let message = beyond_v1().pop().unwrap().2.to_string();
    assert_eq!(
        message,
        "the specialisation `laptop` has 2 initrds where Bootspec v1 has one"
    );
}

#[test]
fn refuses_extensions_under_the_names_of_bootspec_itself() {
    for key in [
        "org.nixos.bootspec.v1",
        "org.nixos.bootspec.v3",
        "org.nixos.specialisation.v2",
    ] {
        let taken = extension(key, json!({}));
        let refused = emit(generation(), taken.clone(), BesideV1::Never);
        assert_eq!(refused, Err(EmitError::ReservedExtension(key.to_owned())));
        let mut inside = generation();
        inside.specialisations.get_mut("laptop").unwrap().extensions = taken;
        assert!(matches!(
            emit(inside, Extensions::new(), BesideV1::Never),
            Err(EmitError::ReservedExtension(_))
        ));
    }
}

#[test]
fn writes_nothing_that_it_would_not_read() {
    let bad = Generation {
        core: V2 {
            kernel_params: vec!["init=/bin/sh".into()],
            ..core()
        },
        ..generation()
    };
    let refused = emit(bad, Extensions::new(), BesideV1::Never);
    assert!(matches!(
        refused,
        Err(EmitError::Invalid(ReadError::InitInKernelParams { .. }))
    ));
}

#[test]
fn refuses_extensions_that_are_no_objects() {
    for value in [json!(null), json!(1), json!([]), json!("text")] {
        let read: Result<Extensions, _> = serde_json::from_value(json!({ "org.example": value }));
        let said = read.unwrap_err().to_string();
        assert_eq!(said, "the extension `org.example` is no object");
    }
}
