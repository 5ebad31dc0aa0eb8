//! The Nix that loads plugins: it is Debian's version, loads the plugin that is shipped, and the faulty one is another.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use touchstone_harness::nix::output;
use touchstone_harness::{Nix, inputs};

fn evaluated(nix: &Nix, expression: &str) -> String {
    let mut command = nix.command("nix").unwrap();
    command.args(["eval", "--expr", expression]);
    output(command).unwrap().trim().to_owned()
}

#[test]
fn it_is_of_the_version_that_the_peers_have() {
    let inputs = inputs();
    let folder = tempfile::tempdir().unwrap();
    let nix = Nix::plugin_host_without_plugin(&inputs, folder.path()).unwrap();
    let of_peers = inputs.trixie().command("nix").unwrap();
    let version = |mut command: std::process::Command| {
        command.arg("--version");
        output(command).unwrap()
    };
    assert_eq!(version(nix.command("nix").unwrap()), version(of_peers));
}

#[test]
fn plugins_are_loaded_where_they_are_asked_for() {
    let inputs = inputs();
    let folder = tempfile::tempdir().unwrap();
    let without = Nix::plugin_host_without_plugin(&inputs, folder.path()).unwrap();
    let with = Nix::with_plugin(&inputs, folder.path()).unwrap();
    let faulty = without
        .clone()
        .plugin(inputs.faulty_plugin.as_ref().unwrap());
    let found = |nix: &Nix, name: &str| evaluated(nix, name) == "true";
    let loaded = "builtins ? touchstone";
    let fails = "builtins.touchstone ? fault";
    assert!(!found(&without, loaded) && found(&with, loaded));
    assert!(!found(&with, fails) && found(&faulty, fails));
}

#[test]
fn its_store_is_the_callers() {
    let folder = tempfile::tempdir().unwrap();
    let nix = Nix::with_plugin(&inputs(), folder.path()).unwrap();
    let path = evaluated(&nix, "builtins.toFile \"a\" \"b\"");
    let path = path.trim_matches('"');
    assert_eq!(std::fs::read(nix.on_host(path)).unwrap(), b"b");
}
