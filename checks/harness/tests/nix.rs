//! Nix as the checks use it.
#![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

use std::path::Path;
use std::process::Command;

use touchstone_harness::{Nix, inputs, nix::output};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/nix");

/// A folder with the derivation and its static builder, compiled on the spot.
fn prepare(folder: &Path) {
    std::fs::copy(format!("{SOURCES}/sandbox.nix"), folder.join("default.nix")).unwrap();
    let mut rustc = Command::new("rustc");
    rustc.args([
        "--edition",
        "2024",
        "--target",
        "x86_64-unknown-linux-musl",
        "-C",
        "panic=abort",
        "-o",
    ]);
    output({
        rustc
            .arg(folder.join("builder"))
            .arg(format!("{SOURCES}/builder.rs"));
        rustc
    })
    .unwrap();
}

#[test]
fn a_static_builder_runs_alone_in_the_sandbox_and_there_is_no_fallback() {
    let work = tempfile::tempdir().unwrap();
    prepare(work.path());
    let store = tempfile::tempdir().unwrap();
    let nix = Nix::new(&inputs(), store.path()).unwrap().show(work.path());

    let mut show = nix.command("nix").unwrap();
    show.args(["config", "show", "sandbox-fallback"]);
    assert_eq!(output(show).unwrap().trim(), "false");

    let built = nix.build([work.path().join("default.nix")]).unwrap();
    let [path] = built.as_slice() else {
        panic!("one output, not {built:?}")
    };
    let seen = std::fs::read_to_string(nix.on_host(path)).unwrap();
    assert_eq!(seen, "pid=1 shell=false usr=false interfaces=1\n");
}
