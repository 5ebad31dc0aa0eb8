//! The NixOS modules, evaluated by real Nix under nixpkgs' `lib.evalModules`. What is claimed of them is in `checks/modules`: each claim
//! there is a value that is expected beside the one that is. All of it is one evaluation.

mod built;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use touchstone_harness::modules::{Claims, failures, with_stand_in};

use crate::support::Work;

/// The topics, and how many claims each has at least: so that none is lost unseen.
const TOPICS: [(&str, usize); 6] = [
    ("artifacts", 30),
    ("assertions", 80),
    ("bootspec", 8),
    ("generation", 15),
    ("options", 20),
    ("sealed", 24),
];

fn topics() -> &'static BTreeMap<String, Claims> {
    static TOPICS: OnceLock<BTreeMap<String, Claims>> = OnceLock::new();
    TOPICS.get_or_init(|| with_stand_in(&Work::new().inputs, &checkout()).unwrap())
}

fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(3).unwrap().to_owned()
}

fn assert_topic(topic: &str) {
    let failures = failures(&topics()[topic]);
    let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(said.is_empty(), "{topic}:\n{}", said.join("\n"));
}

#[test]
fn every_topic_has_its_claims() {
    let found: Vec<&String> = topics().keys().collect();
    assert_eq!(found, TOPICS.map(|(topic, _)| topic));
    for (topic, least) in TOPICS {
        let found = topics()[topic].len();
        assert!(found >= least, "{topic}: {found} claims");
    }
}

#[test]
fn options_have_their_defaults_and_refuse_other_types() {
    assert_topic("options");
}

#[test]
fn every_assertion_names_its_option_and_what_mends_it() {
    assert_topic("assertions");
}

#[test]
fn a_generation_is_described_as_nixos_has_it() {
    assert_topic("generation");
}

#[test]
fn boot_artifacts_are_asked_for_as_the_options_say() {
    assert_topic("artifacts");
}

#[test]
fn the_toplevel_has_bootspec_v2_beside_v1() {
    assert_topic("bootspec");
}

#[test]
fn a_sealed_generation_wraps_the_inner_one() {
    assert_topic("sealed");
}
