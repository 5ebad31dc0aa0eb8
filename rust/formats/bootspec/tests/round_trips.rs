//! Random documents: what is written is read back as the same, and damage never panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeMap;

use proptest::prelude::*;
use touchstone_bootspec::{Document, Extension, Extensions, Generation, Specialisation, V1, V2};
use touchstone_store::{StoreFile, StorePath};

fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

fn files() -> impl Strategy<Value = StoreFile> {
    "[a-z][a-z0-9.]{0,6}(/[a-zA-Z0-9_ ]{1,5}){0,2}"
        .prop_map(|name| StoreFile::parse(&store(&name)).unwrap())
}

fn inits() -> impl Strategy<Value = StoreFile> {
    "[a-z][a-z0-9.]{0,6}/init".prop_map(|name| StoreFile::parse(&store(&name)).unwrap())
}

fn texts() -> impl Strategy<Value = String> {
    "[^\\pC=]{0,12}"
}

/// White space as JSON knows it.
fn white() -> impl Strategy<Value = String> {
    "[ \t\n\r]{0,3}"
}

/// Any text of a JSON string: as it is, or with escapes where others are possible.
fn strings() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        texts().prop_map(|text| text.replace(['"', '\\'], "")),
        "\\\\u(00[0-9a-fA-F]{2}|[1-9a-cA-C][0-9a-fA-F]{3}|[dD]83[dD]\\\\u[dD]e0[0-9a-f])",
        "\\\\[\"\\\\/bfnrt]",
    ];
    proptest::collection::vec(piece, 0..3).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Any text of a JSON value.
fn values() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?",
        strings(),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        let list =
            (proptest::collection::vec(inner.clone(), 0..4), white()).prop_map(|(items, white)| {
                format!("[{white}{}{white}]", items.join(&format!("{white},")))
            });
        prop_oneof![list, objects(inner)]
    })
}

/// Any text of a JSON object without a key that comes twice, its keys in no particular order.
fn objects(inner: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let members = proptest::collection::vec((strings(), inner), 0..4);
    (members, white(), white()).prop_map(|(members, white, more)| {
        let mut taken = std::collections::BTreeSet::new();
        let members: Vec<String> = members
            .into_iter()
            .filter(|(key, _)| taken.insert(serde_json::from_str::<String>(key).unwrap()))
            .map(|(key, value)| format!("{key}{white}:{more}{value}"))
            .collect();
        format!(
            "{{{more}{}{white}}}",
            members.join(&format!("{more},{white}"))
        )
    })
}

fn extensions() -> impl Strategy<Value = Extensions> {
    let one = ("org\\.[a-zé ]{1,6}", objects(values()))
        .prop_map(|(name, text)| (name, Extension::read(&text).unwrap()));
    proptest::collection::vec(one, 0..4).prop_map(Extensions::from_iter)
}

prop_compose! {
    fn cores_v2()(system in texts(), init in inits(), initrds in proptest::collection::vec(files(), 0..3), kernel in files(),
                  params in proptest::collection::vec(texts(), 0..4), label in texts(), fdtdir in proptest::option::of(files()),
                  devicetree in proptest::option::of(files())) -> V2 {
        V2 { system, init, initrds, kernel, kernel_params: params, label, toplevel: StorePath::parse(&store("t")).unwrap(), fdtdir, devicetree }
    }
}

/// What v1 says of a generation.
fn of_v1(core: &V2, initrd_secrets: Option<StoreFile>) -> V1 {
    V1 {
        system: core.system.clone(),
        init: core.init.clone(),
        initrd: core.initrds.last().cloned(),
        initrd_secrets,
        kernel: core.kernel.clone(),
        kernel_params: core.kernel_params.clone(),
        label: core.label.clone(),
        toplevel: core.toplevel.clone(),
    }
}

type Described = (V1, V2, Extensions, Extensions, bool);

fn described() -> impl Strategy<Value = Described> {
    let secrets = proptest::option::of(files());
    (
        cores_v2(),
        secrets,
        extensions(),
        extensions(),
        any::<bool>(),
    )
        .prop_map(|(v2, secrets, of_v1s, of_v2s, whole)| {
            (of_v1(&v2, secrets), v2, of_v1s, of_v2s, whole)
        })
}

fn specialisations() -> impl Strategy<Value = BTreeMap<String, Described>> {
    proptest::collection::btree_map("[a-z ]{1,6}", described(), 0..3)
}

/// A document of v1, of v2 or of both.
fn documents() -> impl Strategy<Value = Document> {
    (described(), specialisations(), 0..3_u8).prop_map(
        |((v1, v2, extensions, ..), special, versions)| {
            let of_v1 = |(name, (core, beside, extensions, _, whole)): (&String, &Described)| {
                let beside = whole.then(|| beside.clone());
                (
                    name.clone(),
                    Specialisation {
                        core: core.clone(),
                        beside,
                        extensions: extensions.clone(),
                    },
                )
            };
            let of_v2 = |(name, (_, core, _, extensions, _)): (&String, &Described)| {
                (
                    name.clone(),
                    Specialisation {
                        core: core.clone(),
                        beside: None,
                        extensions: extensions.clone(),
                    },
                )
            };
            let v1 = Generation {
                core: v1,
                specialisations: special.iter().map(of_v1).collect(),
            };
            let v2 = Generation {
                core: v2,
                specialisations: special.iter().map(of_v2).collect(),
            };
            Document {
                v1: (versions != 1).then_some(v1),
                v2: (versions != 0).then_some(v2),
                extensions,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn reads_back_what_it_wrote(document in documents()) {
        let written = document.to_json();
        let read = Document::read(written.as_bytes()).unwrap();
        prop_assert_eq!(&read, &document);
        prop_assert_eq!(read.to_json(), written);
    }

    #[test]
    fn keeps_extensions_to_the_byte(document in documents(), text in objects(values()), white in white()) {
        let Some(v2) = document.v2 else { return Ok(()); };
        let core = serde_json::to_string(&v2.core).unwrap();
        let before = format!("{{\"org.example\":{white}{text}{white},\"org.nixos.bootspec.v2\":{core}}}");
        let after = Document::read(before.as_bytes()).unwrap().to_json();
        let tail = format!("  \"org.example\": {text}\n}}\n");
        prop_assert!(after.ends_with(&tail), "{}", after);
    }

    #[test]
    fn never_panics_on_a_damaged_document(document in documents(), at: prop::sample::Index, byte: u8) {
        let mut bytes = document.to_json().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Document::read(&bytes);
        let _ = Document::read(&bytes[..at]);
    }

    #[test]
    fn never_panics_on_any_bytes(bytes: Vec<u8>) {
        prop_assert!(Document::read(&bytes).is_err());
    }
}
