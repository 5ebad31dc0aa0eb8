//! Which closures are authentic: by signatures, and by content addresses where something signed leads to them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // tests end loudly

use std::collections::BTreeSet;

use touchstone_store::closure::{Proof, Refused, Registry, Trusted};
use touchstone_store::manifest::{ClosureError, VerifyError};
use touchstone_store::{AddressError, Entry, NarHash, NarInfo, SecretKey, StorePath, Trust};

/// What Nix 2.26 made of `builtins.toFile "leaf" "leaf\n"`, and of a file that refers to it.
const LEAF: (&str, &str) = (
    "/nix/store/qyiban5iw6sd0xl4kihw5xk5vsw2fk5c-leaf",
    "text:sha256:1qk8b06d7jxmgknv5x60n9b5y9hp8nnz98126cpmp8y7y34vml16",
);
const TWO: (&str, &str) = (
    "/nix/store/8a0di11lhhxm4yp3h96wkh4s4fadg0cs-two",
    "text:sha256:03ga0y20cazs8n2fv47h1dw2ycjg8qhkmx539zlfn0hvivf4b0iw",
);
const SYSTEM: &str = "/nix/store/11111111111111111111111111111111-system";

fn path(text: &str) -> StorePath {
    text.parse().unwrap()
}

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed("cache", &[seed; 32].into()).unwrap()
}

fn entry(text: &str, references: &[&str]) -> Entry {
    Entry {
        path: path(text),
        nar_hash: NarHash::new([1; 32]),
        nar_size: 120,
        references: references.iter().map(|text| path(text)).collect(),
        ca: None,
        signatures: BTreeSet::new(),
    }
}

fn addressed((text, ca): (&str, &str), references: &[&str]) -> Entry {
    let ca = Some(ca.parse().unwrap());
    Entry {
        ca,
        ..entry(text, references)
    }
}

fn signed(mut entry: Entry) -> Entry {
    entry.signatures = [key(1).sign(&entry.fingerprint())].into();
    entry
}

/// The verdict on the closure of a path by one trusted key.
fn judged(toplevel: &str, entries: &[Entry]) -> Result<Trusted, Refused> {
    let known = |entry: &Entry| NarInfo {
        entry: entry.clone(),
        deriver: None,
        archive: None,
    };
    let registry = Registry::known(entries.iter().map(known));
    let trust = Trust::new(vec![key(1).public_key()], 1).unwrap();
    Trusted::from_registry(&path(toplevel), &registry, &trust)
}

#[test]
fn what_is_addressed_by_content_needs_no_signature_where_something_signed_leads_to_it() {
    let (two, leaf) = (addressed(TWO, &[LEAF.0]), addressed(LEAF, &[]));
    let system = signed(entry(SYSTEM, &[TWO.0]));
    let trusted = judged(SYSTEM, &[system, two, leaf]).unwrap();
    let proofs: Vec<_> = trusted.paths().iter().map(|path| &path.proof).collect();
    assert_eq!(proofs[0], &Proof::Nar);
    assert!(
        matches!(proofs[1..], [Proof::Flat(_), Proof::Flat(_)]),
        "{proofs:?}"
    );
}

#[test]
fn a_signed_path_is_trusted_for_its_signature_whatever_its_address_says() {
    let leaf = signed(addressed((LEAF.0, "fixed:sha1:x"), &[]));
    let trusted = judged(SYSTEM, &[signed(entry(SYSTEM, &[LEAF.0])), leaf]).unwrap();
    assert!(trusted.paths().iter().all(|path| path.proof == Proof::Nar));
}

#[test]
fn a_toplevel_must_be_signed_however_it_is_addressed() {
    let refused = judged(LEAF.0, &[addressed(LEAF, &[])]).unwrap_err();
    assert!(
        matches!(&refused, Refused::Signatures(VerifyError::TooFewSignatures { path, good: 0, needed: 1 }) if path.as_str() == LEAF.0),
        "{refused}"
    );
}

#[test]
fn an_address_that_does_not_make_the_path_proves_nothing() {
    let system = signed(entry(SYSTEM, &[TWO.0]));
    // A reference was cut.
    let cut = judged(SYSTEM, &[system.clone(), addressed(TWO, &[])]).unwrap_err();
    assert!(
        matches!(
            &cut,
            Refused::Address {
                source: AddressError::OtherPath { .. },
                ..
            }
        ),
        "{cut}"
    );
    let said = cut.to_string();
    assert!(
        said.starts_with(TWO.0) && said.contains("0 good signatures"),
        "{said}"
    );
    let weak = addressed(
        (TWO.0, "fixed:r:sha1:9m1skbnr5i43n3yypvda5s65vhfwdx5a"),
        &[LEAF.0],
    );
    let weak = judged(SYSTEM, &[system.clone(), weak, addressed(LEAF, &[])]).unwrap_err();
    assert!(
        matches!(
            &weak,
            Refused::Address {
                source: AddressError::Method(_),
                ..
            }
        ),
        "{weak}"
    );
    // A path without an address that one with an address refers to.
    let two = addressed(TWO, &[LEAF.0]);
    let refused = judged(SYSTEM, &[system, two, entry(LEAF.0, &[])]).unwrap_err();
    assert!(
        matches!(&refused, Refused::Signatures(VerifyError::TooFewSignatures { path, .. }) if path.as_str() == LEAF.0),
        "{refused}"
    );
}

#[test]
fn a_nar_of_no_bytes_is_refused() {
    let system = signed(Entry {
        nar_size: 0,
        ..entry(SYSTEM, &[])
    });
    assert!(matches!(
        judged(SYSTEM, &[system]),
        Err(Refused::Closure(ClosureError::NoSize(path))) if path.as_str() == SYSTEM
    ));
}
