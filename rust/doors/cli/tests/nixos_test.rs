//! checks/nixos-test.nix, which only who has nixpkgs can build: that it evaluates, that what it signs is what it boots, and that its
//! one script does what it says, keeping the keys to itself.

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use crate::artifacts::Generation;
use crate::flake::Flake;
use crate::support::{TOUCHSTONE, alias};

const MACHINE: &str = "checks.x86_64-linux.nixos-test.nodes.machine";

/// What decides the bytes of the images.
fn images(request: &Value) -> Vec<&Value> {
    [
        "bootspec",
        "stub",
        "loader",
        "osRelease",
        "splash",
        "profiles",
        "sections",
    ]
    .map(|field| &request[field])
    .to_vec()
}

#[test]
fn the_nixos_test_boots_what_was_signed_in_it() {
    let flake = Flake::new();
    let build = |attribute: &str| flake.own(&format!("{MACHINE}.system.build.{attribute}"));
    let (unsigned, sealed) = (build("unsigned.request"), build("toplevel.request"));
    assert_eq!(images(&unsigned), images(&sealed));
    assert!(unsigned["detached"].is_null() && unsigned["seal"].is_null());
    assert!(sealed["detached"].is_object() && sealed["seal"].is_object());
    assert_eq!(sealed["measure"]["pcrs"], json!([4, 7, 9, 11, 12, 13]));
    let script = build("elsewhere.script");
    let out = flake.own("checks.x86_64-linux.nixos-test.script");
    assert!(script.as_str().unwrap().contains("touchstone boot sign"));
    assert!(out.as_str().unwrap().contains("eventlog compare"));
}

/// Runs the script with the artifacts of a generation in the place of the machine's; the answer is what is in `out`.
fn run_script(flake: &Flake, generation: &Generation) -> Vec<String> {
    let unsigned = flake.own(&format!("{MACHINE}.system.build.unsigned.outPath"));
    let script = flake.own(&format!("{MACHINE}.system.build.elsewhere.script"));
    let script = script.as_str().unwrap();
    assert!(script.contains(unsigned.as_str().unwrap()), "{script}");
    let script = script
        .replace(unsigned.as_str().unwrap(), "unsigned")
        .replace("$out", "out");
    let visit = generation
        .work
        .inside(generation.work.inputs.trixie().visit());
    let mut shell = visit.show(TOUCHSTONE).command("bash").unwrap();
    shell.args(["-euxc", &[alias(), script].concat()]);
    output(shell).unwrap();
    let folders = ["out", "out/signatures"].map(|folder| files(generation, folder));
    folders.concat()
}

/// The files of a folder.
fn files(generation: &Generation, folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(generation.work.path(folder)).unwrap();
    let entries = entries.map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    files
        .map(|entry| format!("{folder}/{}", entry.file_name().display()))
        .collect()
}

#[test]
fn what_its_script_gives_out_signs_the_machine_and_holds_no_key() {
    let generation = Generation::new();
    std::fs::remove_dir_all(generation.work.path("keys")).unwrap();
    generation.make("unsigned", json!({}));
    let files = run_script(&Flake::new(), &generation);
    assert!(files.len() >= 11, "{files:?}");
    for file in &files {
        let text = String::from_utf8_lossy(&generation.work.read(file)).into_owned();
        assert!(!text.contains("PRIVATE KEY"), "{file}");
        assert!(!file.ends_with(".key"), "{file}");
    }
    let variables = json!({ "PK": "out/PK.esl", "KEK": "out/KEK.esl", "db": "out/db.esl" });
    generation.make(
        "signed",
        json!({
            "detached": { "certificate": "out/db.pem", "signatures": "out/signatures" },
            "measure": { "secureBoot": variables, "withoutBootSecret": true },
        }),
    );
    generation
        .work
        .done(["pe", "verify", "--db", "out/db.esl", "signed/uki.efi"]);
}
