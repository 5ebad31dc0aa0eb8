//! The NixOS modules, evaluated by real Nix under nixpkgs' `lib.evalModules`. What is claimed of them is in `checks/modules`: each claim
//! there is a value that is expected beside the one that is. All of it is one evaluation.

mod built;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use touchstone_harness::modules::{Claims, failures, with_stand_in};
use touchstone_harness::nix::output;

use crate::support::Work;

/// The topics, and how many claims each has at least: so that none is lost unseen.
const TOPICS: [(&str, usize); 12] = [
    ("agent", 34),
    ("artifacts", 30),
    ("assertions", 150),
    ("bootCounting", 24),
    ("bootspec", 8),
    ("generation", 15),
    ("interpreterless", 18),
    ("loader", 38),
    ("nixPlugin", 14),
    ("options", 20),
    ("sealed", 24),
    ("verify", 30),
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
fn the_line_in_the_toplevels_builder_adds_v2() {
    let line = &topics()["bootspec"]["v2 is added to the document"].got[0];
    let (_, words) = line.as_str().unwrap().split_once(' ').unwrap();
    let work = Work::new();
    // As nixpkgs of 2023 wrote it: with a program for secrets where there are none.
    let path = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-system";
    work.write(
        "boot.json",
        serde_json::json!({
            "org.nixos.bootspec.v1": {
                "init": format!("{path}/init"), "initrd": format!("{path}/initrd"), "kernel": format!("{path}/kernel"),
                "initrdSecrets": format!("{path}/append-initrd-secrets"), "kernelParams": ["quiet"], "label": "NixOS",
                "system": "x86_64-linux", "toplevel": path,
            },
            "org.nixos.specialisation.v1": {},
        })
        .to_string(),
    );
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_touchstone");
    shell.args(["-c", &format!("{program} {words}")]);
    output({
        shell.env("out", work.folder());
        shell
    })
    .unwrap();
    let document: Value = serde_json::from_slice(&work.read("boot.json.v2")).unwrap();
    assert_eq!(
        document["org.nixos.bootspec.v2"]["initrds"],
        serde_json::json!([format!("{path}/initrd")])
    );
    assert!(document["org.nixos.bootspec.v1"].is_object());
}

#[test]
fn a_sealed_generation_wraps_the_inner_one() {
    assert_topic("sealed");
}

#[test]
fn the_installer_is_called_without_a_script_and_reads_what_the_options_say() {
    assert_topic("loader");
}

#[test]
fn the_configuration_of_boot_counting_works_as_it_was_asked_for() {
    assert_topic("bootCounting");
}

#[test]
fn a_system_without_interpreters_is_one_option() {
    assert_topic("interpreterless");
}

#[test]
fn the_initrd_verifies_by_what_the_options_say_before_anything_of_the_root() {
    assert_topic("verify");
}

#[test]
fn nix_is_told_of_a_plugin_that_is_compiled_for_it() {
    assert_topic("nixPlugin");
}

#[test]
fn builds_ask_the_signing_agent_where_the_options_say_and_nowhere_else() {
    assert_topic("agent");
}
