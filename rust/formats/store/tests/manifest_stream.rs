//! Manifests read line by line: the same are accepted as by the reader of whole documents, and what is to be hashed follows from them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;

use proptest::prelude::*;
use sha2::Digest;
use touchstone_store::closure::{Proof, Refused, Registry, Trusted};
use touchstone_store::manifest::stream::{Reader, StreamError};
use touchstone_store::manifest::{Class, ClosureError, VerifyError, whole_text};
use touchstone_store::{Entry, Manifest, NarHash, SecretKey, StorePath, Trust};

fn path(digit: char, name: &str) -> StorePath {
    let hash = digit.to_string().repeat(32);
    StorePath::parse(&format!("/nix/store/{hash}-{name}")).unwrap()
}

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, &[seed; 32].into()).unwrap()
}

fn class(name: &str) -> Class {
    name.parse().unwrap()
}

fn entry(path: &StorePath, references: &[&StorePath]) -> Entry {
    Entry {
        path: path.clone(),
        nar_hash: NarHash::new([7; 32]),
        nar_size: 120,
        references: references.iter().copied().cloned().collect(),
        ca: None,
        signatures: BTreeSet::new(),
    }
}

/// system → libc → libc
fn small() -> Manifest {
    let (system, libc) = (path('1', "system"), path('0', "libc"));
    let entries = [entry(&system, &[&libc]), entry(&libc, &[&libc])];
    Manifest::new(system, entries).unwrap()
}

fn for_lab() -> Manifest {
    let mut manifest = small().for_class(class("lab"));
    manifest.sign(&key("a", 1));
    manifest
}

fn trust(keys: &[&SecretKey], needed: usize) -> Trust {
    Trust::new(keys.iter().map(|key| key.public_key()).collect(), needed).unwrap()
}

/// The document as the streaming reader has it.
fn streamed(bytes: &[u8]) -> Result<Manifest, StreamError> {
    let mut reader = Reader::new(bytes)?;
    let mut entries = Vec::new();
    while let Some(entry) = reader.entry()? {
        entries.push(entry);
    }
    let head = reader.head().clone();
    let tail = reader.finish()?;
    let mut manifest = Manifest::new(head.toplevel, entries)?;
    if let Some(class) = head.class {
        manifest = manifest.for_class(class);
        for signature in tail.signatures {
            manifest.add_signature(signature);
        }
    }
    assert_eq!(manifest.digest(), tail.digest);
    Ok(manifest)
}

fn judged(text: &str, class: Option<&Class>) -> Result<Trusted, Refused> {
    let trust = trust(&[&key("a", 1)], 1);
    Trusted::from_manifest(text.as_bytes(), &trust, &path('1', "system"), class)
}

#[test]
fn a_manifest_for_a_class_says_so_in_front_and_is_signed_behind() {
    let manifest = for_lab();
    let text = manifest.to_json();
    let lines: Vec<&str> = text.lines().collect();
    let (zeros, ones) = ("0".repeat(32), "1".repeat(32));
    assert_eq!(
        lines[0],
        format!(r#"{{"version":2,"toplevel":"/nix/store/{ones}-system","class":"lab","paths":["#)
    );
    assert!(lines[1].starts_with(&format!(r#"{{"path":"/nix/store/{zeros}-libc","#)));
    assert!(lines[3].starts_with(r#"],"signatures":["a:"#) && lines[3].ends_with(r#""]}"#));
    assert_eq!(Manifest::read(text.as_bytes()).unwrap(), manifest);
    assert_eq!(streamed(text.as_bytes()).unwrap(), manifest);
    // What is signed is the document without any entry's signatures.
    let unsigned = small().for_class(class("lab")).to_json();
    let signed = unsigned.strip_suffix("],\"signatures\":[]}\n").unwrap();
    let digest: [u8; 32] = sha2::Sha256::digest(signed).into();
    assert_eq!(manifest.digest(), digest);
    let expected = format!(
        "touchstone-manifest-2;/nix/store/{ones}-system;lab;{}",
        NarHash::new(digest).to_base32()
    );
    assert_eq!(
        whole_text(manifest.toplevel(), &class("lab"), digest),
        expected
    );
    let signature = manifest.whole().unwrap().signatures.first().unwrap();
    assert!(key("a", 1).public_key().verifies(&expected, signature));
}

#[test]
fn the_order_in_which_a_manifest_is_signed_does_not_matter() {
    let mut other = small().for_class(class("lab"));
    for key in [key("b", 2), key("a", 1)] {
        assert_eq!(other.sign(&key), 2);
        assert_eq!(other.sign(&key), 0);
    }
    let mut manifest = for_lab();
    manifest.sign(&key("b", 2));
    assert_eq!(manifest, other);
    let both = trust(&[&key("a", 1), &key("b", 2)], 2);
    assert_eq!(manifest.verify_whole(&both, &class("lab")), Ok(()));
}

#[test]
fn a_whole_manifest_is_for_its_class_and_signed_by_enough_different_keys() {
    let manifest = for_lab();
    let one = trust(&[&key("a", 1)], 1);
    let refused = |manifest: &Manifest, trust: &Trust, name: &str| {
        manifest
            .verify_whole(trust, &class(name))
            .unwrap_err()
            .to_string()
    };
    let other = refused(&manifest, &one, "field");
    assert!(
        other.contains("for machines of the class lab, not for"),
        "{other}"
    );
    let none = refused(&small(), &one, "lab");
    assert!(
        none.contains("for no class of machines in particular"),
        "{none}"
    );
    let stranger = refused(&manifest, &trust(&[&key("b", 2)], 1), "lab");
    assert!(stranger.contains("0 good signatures"), "{stranger}");
    // One key under two names.
    let mut twice = manifest.clone();
    twice.sign(&key("b", 1));
    let twins = trust(&[&key("a", 1), &key("b", 1), &key("c", 3)], 2);
    assert!(refused(&twice, &twins, "lab").contains("1 good signatures"));
}

#[test]
fn what_is_to_be_hashed_is_the_same_by_a_manifest_and_by_a_registry() {
    let mut manifest = small();
    manifest.sign(&key("a", 1));
    let by_manifest = judged(&manifest.to_json(), None).unwrap();
    let registry = Registry::manifest(&manifest);
    let trust = trust(&[&key("a", 1)], 1);
    let by_registry = Trusted::from_registry(manifest.toplevel(), &registry, &trust).unwrap();
    assert_eq!(by_manifest, by_registry);
    assert!(
        by_manifest
            .paths()
            .iter()
            .all(|path| path.proof == Proof::Nar)
    );
    // A class that nobody asked for does no harm.
    assert_eq!(judged(&for_lab().to_json(), None).unwrap(), by_manifest);
    assert_eq!(
        judged(&for_lab().to_json(), Some(&class("lab"))).unwrap(),
        by_manifest
    );
}

#[test]
fn a_manifest_of_another_system_or_for_other_machines_is_refused_by_its_first_line() {
    let other = path('2', "other");
    let mut manifest = Manifest::new(other.clone(), [entry(&other, &[])]).unwrap();
    manifest.sign(&key("a", 1));
    let text = manifest.to_json();
    let first = text.lines().next().unwrap().to_owned() + "\n";
    let refused = judged(&first, None).unwrap_err();
    assert!(
        matches!(&refused, Refused::OtherToplevel { wanted, found } if *wanted == path('1', "system") && *found == other),
        "{refused}"
    );
    for text in [small().to_json(), for_lab().to_json()] {
        let refused = judged(&text, Some(&class("field"))).unwrap_err();
        assert!(
            matches!(refused, Refused::Signatures(VerifyError::OtherClass { .. })),
            "{refused}"
        );
    }
}

#[test]
fn signatures_over_the_whole_do_not_survive_any_change() {
    let text = for_lab().to_json();
    let lab = class("lab");
    assert!(judged(&text, Some(&lab)).is_ok());
    // Another class, with the signatures of the first.
    let renamed = text.replace("\"class\":\"lab\"", "\"class\":\"field\"");
    assert!(matches!(
        judged(&renamed, Some(&class("field"))),
        Err(Refused::Signatures(VerifyError::WholeUnsigned {
            good: 0,
            ..
        }))
    ));
    // Other entries, each well signed.
    let (system, libc) = (path('1', "system"), path('0', "libc"));
    let older = Entry {
        nar_hash: NarHash::new([8; 32]),
        ..entry(&libc, &[&libc])
    };
    let mut older = Manifest::new(system.clone(), [entry(&system, &[&libc]), older]).unwrap();
    older.sign(&key("a", 1));
    let mut lines: Vec<&str> = text.lines().collect();
    let older = older.to_json();
    lines[1] = older.lines().nth(1).unwrap();
    let mixed = lines.join("\n") + "\n";
    assert!(judged(&mixed, None).is_ok());
    assert!(matches!(
        judged(&mixed, Some(&lab)),
        Err(Refused::Signatures(VerifyError::WholeUnsigned {
            good: 0,
            ..
        }))
    ));
}

#[test]
fn a_list_that_is_not_the_closure_is_refused() {
    let mut manifest = small();
    manifest.sign(&key("a", 1));
    let text = manifest.to_json();
    let lines: Vec<&str> = text.lines().collect();
    let without_libc = [lines[0], lines[2], lines[3], ""].join("\n");
    assert!(matches!(
        judged(&without_libc, None),
        Err(Refused::Closure(ClosureError::Incomplete { path: system, missing }))
            if system == path('1', "system") && missing == path('0', "libc")
    ));
    let libc = lines[1].trim_end_matches(',');
    let without_system = [lines[0], libc, lines[3], ""].join("\n");
    assert!(matches!(
        judged(&without_system, None),
        Err(Refused::Closure(ClosureError::ToplevelMissing(_)))
    ));
    let other = path('2', "other");
    let mut more = Manifest::new(other.clone(), [entry(&other, &[])]).unwrap();
    more.sign(&key("a", 1));
    let more = more.to_json();
    let system = format!("{},", lines[2]);
    let with_other = [
        lines[0],
        lines[1],
        &system,
        more.lines().nth(1).unwrap(),
        lines[3],
        "",
    ];
    assert!(matches!(
        judged(&with_other.join("\n"), None),
        Err(Refused::Closure(ClosureError::Unreachable(path))) if path == other
    ));
    let swapped = [lines[0], &system, libc, lines[3], ""].join("\n");
    assert!(matches!(
        judged(&swapped, None),
        Err(Refused::Manifest(StreamError::Order { line: 3, .. }))
    ));
}

#[test]
fn a_path_that_nobody_signed_is_refused_with_its_name() {
    let mut manifest = small();
    manifest.sign(&key("b", 2));
    assert!(matches!(
        judged(&manifest.to_json(), None),
        Err(Refused::Signatures(VerifyError::TooFewSignatures { path: libc, good: 0, needed: 1 }))
            if libc == path('0', "libc")
    ));
}

#[test]
fn names_the_line_and_the_byte_of_what_is_malformed() {
    let text = for_lab().to_json();
    let said = |from: &str, to: &str| {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(Manifest::read(changed.as_bytes()).is_err(), "{from}");
        streamed(changed.as_bytes()).unwrap_err().to_string()
    };
    assert_eq!(
        said("\"version\":2", "\"version\":3"),
        "it has version 3; this program reads versions 1 and 2"
    );
    assert_eq!(
        said("\"version\":2", "\"version\":02"),
        "line 1, byte 11: a whole number below 2^64 is expected"
    );
    assert_eq!(
        said("\"version\":2", "\"version\":1"),
        "line 1, byte 76: ,\"paths\":[ is expected"
    );
    assert!(said("\"narSize\":120", "\"narSize\":0").contains("NAR size of 0"));
    assert!(said("\"class\":\"lab\"", "\"class\":\"l b\"").contains("no machine class"));
    assert!(said("-libc\",", "-libc/lib\",").contains("goes on below a store path"));
    assert!(said("\"narSize\"", "\"ca\":null,\"narSize\"").starts_with("line 2, byte"));
    assert!(said("sha256-Bw", "sha256:Bw").contains("52 characters"));
    let end = |end: &str| {
        let changed = format!("{}{end}", text.trim_end());
        assert!(Manifest::read(changed.as_bytes()).is_err(), "{end:?}");
        streamed(changed.as_bytes()).unwrap_err().to_string()
    };
    assert!(end("\n\n").contains("follows the end"));
    assert!(end("").contains("is cut"));
    assert!(end("\r\n").contains("the end of the line is expected"));
}

#[test]
fn a_line_or_a_document_beyond_the_limits_is_refused_in_little_memory() {
    let head = small().to_json().lines().next().unwrap().to_owned() + "\n";
    // An endless line.
    let endless = std::io::Read::chain(head.as_bytes(), std::io::repeat(b'a'));
    let mut reader = Reader::new(std::io::BufReader::new(endless)).unwrap();
    assert!(matches!(reader.entry(), Err(StreamError::TooLong(2))));
}

/// A random closure: path `n` refers to itself or to paths before it, the toplevel to all.
fn closures() -> impl Strategy<Value = Manifest> {
    let node = (
        any::<[u8; 32]>(),
        1u64..,
        any::<u32>(),
        proptest::option::of("[!-~]{1,20}"),
    );
    let whole = proptest::option::of("[A-Za-z0-9._-]{1,64}");
    let made = (proptest::collection::vec(node, 1..8), whole, 0u8..3);
    made.prop_map(|(nodes, whole, signers)| {
        let name = |n: usize| path('a', &format!("p{n:02}"));
        let last = nodes.len() - 1;
        let entries = nodes
            .iter()
            .enumerate()
            .map(|(index, (hash, size, mask, ca))| Entry {
                path: name(index),
                nar_hash: NarHash::new(*hash),
                nar_size: *size,
                references: (0..=index)
                    .filter(|n| index == last || mask & (1 << n) != 0)
                    .map(name)
                    .collect(),
                ca: ca.as_ref().map(|text| text.parse().unwrap()),
                signatures: BTreeSet::new(),
            });
        let mut manifest = Manifest::new(name(last), entries).unwrap();
        if let Some(class) = whole {
            manifest = manifest.for_class(class.parse().unwrap());
        }
        for seed in 0..signers {
            manifest.sign(&key(&format!("k\\\"{seed}"), seed));
        }
        manifest
    })
}

proptest! {
    #[test]
    fn reads_what_was_written(manifest in closures()) {
        prop_assert_eq!(&streamed(manifest.to_json().as_bytes()).unwrap(), &manifest);
        prop_assert_eq!(&Manifest::read(manifest.to_json().as_bytes()).unwrap(), &manifest);
    }

    #[test]
    fn agrees_with_the_reader_of_whole_documents(
        manifest in closures(),
        at: prop::sample::Index,
        with in prop_oneof![Just(Vec::new()), proptest::collection::vec(any::<u8>(), 1..3), "[\"\\\\,\\[\\]{}: 0-9a-z\n]{1,4}".prop_map(String::into_bytes)],
        removed in 0usize..40,
    ) {
        let mut bytes = manifest.to_json().into_bytes();
        let at = at.index(bytes.len());
        let end = (at + removed).min(bytes.len());
        bytes.splice(at..end, with);
        match (Manifest::read(&bytes), streamed(&bytes)) {
            (Ok(whole), Ok(lines)) => prop_assert_eq!(whole, lines),
            (Err(_), Err(_)) => {}
            (whole, lines) => prop_assert!(false, "{:?} but {:?}", whole, lines),
        }
    }
}
