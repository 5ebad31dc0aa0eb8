//! Random documents: what is written is read back as the same, and damage never panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use proptest::prelude::*;
use serde_json::Value;
use touchstone_bootspec::{Core, Document, Generation, Specialisation, V1, V2};
use touchstone_store::{StoreFile, StorePath};

fn store(name: &str) -> String {
    format!("/nix/store/{}-{name}", "0".repeat(32))
}

fn files() -> impl Strategy<Value = StoreFile> {
    "[a-z][a-z0-9.]{0,6}(/[a-zA-Z0-9_ ]{1,5}){0,2}"
        .prop_map(|name| StoreFile::parse(&store(&name)).unwrap())
}

fn texts() -> impl Strategy<Value = String> {
    "[^\\pC=]{0,12}"
}

fn extensions() -> impl Strategy<Value = serde_json::Map<String, Value>> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::from),
        texts().prop_map(Value::from),
        Just(Value::Null)
    ];
    let object = proptest::collection::vec((texts(), leaf), 0..4)
        .prop_map(|members| Value::Object(members.into_iter().collect()));
    proptest::collection::vec(("org\\.[a-z]{1,6}", object), 0..4)
        .prop_map(|members| members.into_iter().collect())
}

prop_compose! {
    fn cores_v1()(system in texts(), init in files(), initrd in proptest::option::of(files()), secrets in proptest::option::of(files()),
                  kernel in files(), params in proptest::collection::vec(texts(), 0..4), label in texts()) -> V1 {
        V1 { system, init, initrd, initrd_secrets: secrets, kernel, kernel_params: params, label, toplevel: StorePath::parse(&store("t")).unwrap() }
    }
}

prop_compose! {
    fn cores_v2()(system in texts(), init in files(), initrds in proptest::collection::vec(files(), 0..3), kernel in files(),
                  params in proptest::collection::vec(texts(), 0..4), label in texts(), fdtdir in proptest::option::of(files()),
                  devicetree in proptest::option::of(files())) -> V2 {
        V2 { system, init, initrds, kernel, kernel_params: params, label, toplevel: StorePath::parse(&store("t")).unwrap(), fdtdir, devicetree }
    }
}

fn generations<C: Core + Clone + std::fmt::Debug>(
    core: impl Strategy<Value = C> + Clone,
) -> impl Strategy<Value = Generation<C>> {
    let specialisation = (core.clone(), extensions())
        .prop_map(|(core, extensions)| Specialisation { core, extensions });
    (
        core,
        proptest::collection::btree_map("[a-z ]{1,6}", specialisation, 0..3),
    )
        .prop_map(|(core, specialisations)| Generation {
            core,
            specialisations,
        })
}

fn documents() -> impl Strategy<Value = Document> {
    let v1 = proptest::option::of(generations(cores_v1().boxed()));
    (v1, generations(cores_v2().boxed()), extensions()).prop_map(|(v1, v2, extensions)| Document {
        v1,
        v2: Some(v2),
        extensions,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn reads_back_what_it_wrote(document in documents()) {
        prop_assert_eq!(&Document::read(document.to_json().as_bytes()).unwrap(), &document);
        // Order included, which comparing maps does not show.
        let again = Document::from_value(document.to_value()).unwrap();
        prop_assert_eq!(again.to_json(), document.to_json());
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
