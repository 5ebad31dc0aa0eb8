//! The closure manifest: what is accepted, what is refused, and that there is one document for each closure.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;
use std::fs;

use proptest::prelude::*;
use serde_json::{Value, json};
use touchstone_store::manifest::{ClosureError, ReadError, SourceError, VerifyError};
use touchstone_store::{Entry, Manifest, NarHash, PublicKey, SecretKey, StorePath, nar};

const HASH: &str = "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";

/// A store path whose hash part repeats one digit.
fn path(digit: char, name: &str) -> StorePath {
    let hash = digit.to_string().repeat(32);
    StorePath::parse(&format!("/nix/store/{hash}-{name}")).unwrap()
}

fn entry(path: &StorePath, references: &[&StorePath]) -> Entry {
    Entry {
        path: path.clone(),
        nar_hash: NarHash::parse(HASH).unwrap(),
        nar_size: 120,
        references: references.iter().copied().cloned().collect(),
        ca: None,
        signatures: BTreeSet::new(),
    }
}

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &[seed; 32].into()).unwrap()
}

/// system → libc (with a content address), itself → itself.
fn small() -> Manifest {
    let (system, libc) = (path('1', "system"), path('0', "libc"));
    let addressed = Entry {
        ca: Some("fixed:r:sha256:abc".parse().unwrap()),
        ..entry(&libc, &[&libc])
    };
    Manifest::new(system.clone(), [entry(&system, &[&libc]), addressed]).unwrap()
}

#[test]
fn writes_one_line_a_path_in_order() {
    let (zeros, ones) = ("0".repeat(32), "1".repeat(32));
    let expected = format!(
        r#"{{"version":1,"toplevel":"/nix/store/{ones}-system","paths":[
{{"path":"/nix/store/{zeros}-libc","narHash":"{HASH}","narSize":120,"references":["/nix/store/{zeros}-libc"],"ca":"fixed:r:sha256:abc","signatures":[]}},
{{"path":"/nix/store/{ones}-system","narHash":"{HASH}","narSize":120,"references":["/nix/store/{zeros}-libc"],"signatures":[]}}
]}}
"#
    );
    assert_eq!(small().to_json(), expected);
    assert_eq!(Manifest::read(expected.as_bytes()).unwrap(), small());
}

#[test]
fn refuses_a_list_that_is_not_the_closure() {
    let (system, libc, other) = (path('1', "system"), path('0', "libc"), path('2', "other"));
    let new = |entries: Vec<Entry>| Manifest::new(system.clone(), entries).unwrap_err();
    assert_eq!(new(vec![]), ClosureError::ToplevelMissing(system.clone()));
    assert_eq!(
        new(vec![entry(&system, &[&libc])]),
        ClosureError::Incomplete {
            path: system.clone(),
            missing: libc.clone()
        }
    );
    assert_eq!(
        new(vec![entry(&system, &[]), entry(&system, &[])]),
        ClosureError::Twice(system.clone())
    );
    assert_eq!(
        new(vec![entry(&system, &[]), entry(&other, &[])]),
        ClosureError::Unreachable(other)
    );
    assert_eq!(
        new(vec![Entry {
            nar_size: 0,
            ..entry(&system, &[])
        }]),
        ClosureError::NoSize(system.clone())
    );
}

#[test]
fn refuses_every_other_spelling_of_the_same_manifest() {
    let text = small().to_json();
    let base32 = NarHash::parse(HASH).unwrap().to_base32();
    let respelled = [
        text.trim_end().to_owned(),
        format!(" {text}"),
        text.replace(",\n", ","),
        text.replace(HASH, &base32),
        text.replace(
            "libc\"],",
            "libc\",\"/nix/store/00000000000000000000000000000000-libc\"],",
        ),
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap(),
    ];
    for other in respelled {
        assert!(
            matches!(
                Manifest::read(other.as_bytes()),
                Err(ReadError::NotCanonical(_))
            ),
            "{other}"
        );
    }
}

#[test]
fn names_what_is_wrong_with_a_document() {
    let text = small().to_json();
    let said = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        Manifest::read(changed.as_bytes()).unwrap_err().to_string()
    };
    assert!(said("\"version\":1", "\"version\":3").contains("version 3"));
    assert!(said("\"version\":1", "\"version\":2").contains("`class` is missing"));
    assert!(said("\"version\":1,", "").contains("`version` is missing"));
    assert!(said("\"version\":1", "\"version\":1,\"extra\":{}").contains("`extra` is not known"));
    assert!(
        said("\"ca\":\"fixed:r:sha256:abc\"", "\"ca\":null")
            .contains("in paths[0]: the key `ca` is null")
    );
    assert!(said("\"narSize\":120", "\"narSize\":-1").contains("`narSize`"));
    assert!(said("\"narSize\":120", "\"narSize\":120,\"narSize\":120").contains("comes twice"));
    assert!(said("-libc\",", "-libc/lib\",").contains("goes on below a store path"));
    assert!(said("\"signatures\":[]", "\"signatures\":[\"x\"]").contains("signature"));
    assert!(said("/nix/store/1111", "/nix/store/2111").contains("not among the paths"));
}

#[test]
fn signing_twice_changes_nothing() {
    let mut manifest = small();
    assert_eq!(manifest.sign(&key("a", 1)), 2);
    let once = manifest.to_json();
    assert_eq!(manifest.sign(&key("a", 1)), 0);
    assert_eq!(manifest.to_json(), once);
    assert_eq!(Manifest::read(once.as_bytes()).unwrap(), manifest);
}

#[test]
fn verifies_what_enough_different_keys_signed() {
    let (one, two) = (key("a", 1), key("b", 2));
    let trusted = [one.public_key(), two.public_key()];
    let mut manifest = small();
    manifest.sign(&one);
    assert_eq!(manifest.verify(&trusted, 1), Ok(()));
    let few = VerifyError::TooFewSignatures {
        path: path('0', "libc"),
        good: 1,
        needed: 2,
    };
    assert_eq!(manifest.verify(&trusted, 2), Err(few));
    manifest.sign(&two);
    assert_eq!(manifest.verify(&trusted, 2), Ok(()));
}

#[test]
fn counts_one_key_under_two_names_once() {
    let mut manifest = small();
    manifest.sign(&key("a", 1));
    manifest.sign(&key("b", 1));
    let twins: Vec<PublicKey> = ["a", "b"].map(|name| key(name, 1).public_key()).to_vec();
    assert_eq!(manifest.verify(&twins, 1), Ok(()));
    assert_eq!(
        manifest.verify(&twins, 2),
        Err(VerifyError::TooFewKeys {
            needed: 2,
            distinct: 1
        })
    );
    let with_third = [twins, vec![key("c", 3).public_key()]].concat();
    assert!(matches!(
        manifest.verify(&with_third, 2),
        Err(VerifyError::TooFewSignatures { good: 1, .. })
    ));
}

#[test]
fn never_trusts_without_signatures() {
    let trusted = [key("a", 1).public_key()];
    assert_eq!(small().verify(&trusted, 0), Err(VerifyError::NoneNeeded));
    assert_eq!(
        small().verify(&[], 1),
        Err(VerifyError::TooFewKeys {
            needed: 1,
            distinct: 0
        })
    );
    // The content address of libc excuses nothing.
    let missing = VerifyError::TooFewSignatures {
        path: path('0', "libc"),
        good: 0,
        needed: 1,
    };
    assert_eq!(small().verify(&trusted, 1), Err(missing));
}

#[test]
fn a_signature_does_not_survive_any_change_of_its_entry() {
    let mut manifest = small();
    manifest.sign(&key("a", 1));
    let text = manifest.to_json();
    let trusted = [key("a", 1).public_key()];
    let changes = [
        ("\"narSize\":120", "\"narSize\":121"),
        ("ungWv48B", "UngWv48B"),
        ("-system", "-cystem"),
    ];
    for (from, to) in changes {
        let changed = Manifest::read(text.replace(from, to).as_bytes()).unwrap();
        assert!(changed.verify(&trusted, 1).is_err(), "{from}");
    }
}

#[test]
fn reads_the_graph_that_nix_gives_to_a_build() {
    let (system, libc, other) = (path('1', "system"), path('0', "libc"), path('2', "other"));
    let node = |path: &StorePath, hash: &str, references: Vec<&StorePath>| json!({"closureSize": 240, "narHash": hash, "narSize": 120, "path": path, "references": references, "valid": true});
    let nix32 = "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s";
    let mut addressed = node(&libc, HASH, vec![&libc]);
    addressed["ca"] = json!("fixed:r:sha256:abc");
    let graph = json!([
        node(&system, nix32, vec![&libc]),
        node(&other, nix32, vec![]),
        addressed
    ]);
    assert_eq!(
        Manifest::from_references_graph(system.clone(), graph.clone()).unwrap(),
        small()
    );

    let refused = |graph| Manifest::from_references_graph(system.clone(), graph).unwrap_err();
    assert!(matches!(refused(json!({})), SourceError::Graph(_)));
    let mut invalid = graph.clone();
    invalid[0]["valid"] = json!(false);
    assert!(matches!(refused(invalid), SourceError::Invalid(path) if path == system));
    assert!(matches!(
        refused(json!([graph[0]])),
        SourceError::Closure(ClosureError::Incomplete { .. })
    ));
}

#[test]
fn hashes_a_store_on_a_disk() {
    let root = tempfile::tempdir().unwrap();
    let store = root.path().join("nix/store");
    fs::create_dir_all(&store).unwrap();
    let (system, libc) = (path('1', "system"), path('0', "libc"));
    fs::write(store.join(system.base_name()), "init").unwrap();
    fs::create_dir(store.join(libc.base_name())).unwrap();
    let paths = [
        (system.clone(), BTreeSet::from([libc.clone()])),
        (libc.clone(), BTreeSet::new()),
    ];
    let manifest = Manifest::from_store_root(root.path(), system.clone(), paths.clone()).unwrap();
    let on_disk = nar::hash_path(&store.join(system.base_name())).unwrap();
    assert_eq!(
        manifest
            .entry(&system)
            .map(|entry| (entry.nar_hash, entry.nar_size)),
        Some((on_disk.hash, on_disk.size))
    );

    fs::remove_dir(store.join(libc.base_name())).unwrap();
    let error = Manifest::from_store_root(root.path(), system, paths).unwrap_err();
    assert!(
        matches!(error, SourceError::Nar(_)) && error.to_string().contains(libc.base_name()),
        "{error}"
    );
}

/// A random closure: path `n` refers to itself or to paths before it, the toplevel to all.
fn closures() -> impl Strategy<Value = Manifest> {
    let node = (
        any::<[u8; 32]>(),
        1u64..,
        any::<u32>(),
        proptest::option::of("[!-~]{1,20}"),
        0u8..4,
    );
    proptest::collection::vec(node, 1..12).prop_map(|nodes| {
        let paths: Vec<StorePath> = (0..nodes.len())
            .map(|n| path('a', &format!("p{n:02}")))
            .collect();
        let mut entries: Vec<Entry> = Vec::new();
        for (index, (hash, size, mask, ca, _)) in nodes.iter().enumerate() {
            let wanted = |n: &usize| index + 1 == paths.len() || mask & (1 << n) != 0;
            let references = (0..=index)
                .filter(wanted)
                .map(|n| paths[n].clone())
                .collect();
            entries.push(Entry {
                path: paths[index].clone(),
                nar_hash: NarHash::new(*hash),
                nar_size: *size,
                references,
                ca: ca.as_ref().map(|text| text.parse().unwrap()),
                signatures: BTreeSet::new(),
            });
        }
        let mut manifest = Manifest::new(paths[paths.len() - 1].clone(), entries).unwrap();
        for seed in 0..nodes[0].4 {
            manifest.sign(&key(&format!("k\"{seed}"), seed));
        }
        manifest
    })
}

proptest! {
    #[test]
    fn reads_back_what_it_wrote(manifest in closures()) {
        let text = manifest.to_json();
        prop_assert_eq!(&Manifest::read(text.as_bytes()).unwrap(), &manifest);
        prop_assert_eq!(text.lines().count(), manifest.entries().len() + 2);
    }

    #[test]
    fn never_panics_on_a_damaged_document(manifest in closures(), at: prop::sample::Index, byte: u8) {
        let mut bytes = manifest.to_json().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(read) = Manifest::read(&bytes) {
            prop_assert!(read.to_json().as_bytes() == bytes);
        }
        let _ = Manifest::read(&bytes[..at]);
    }

    #[test]
    fn never_panics_on_any_bytes(bytes: Vec<u8>) {
        prop_assert!(Manifest::read(&bytes).is_err());
    }
}
