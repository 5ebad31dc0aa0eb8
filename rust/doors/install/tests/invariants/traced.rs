//! Nothing is executed but the installer itself: the tree of its processes, traced, with the static program that is shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;
use touchstone_artifacts::interpreters::Judge;
use touchstone_harness::{Inputs, Trace, inputs};

use crate::world::{World, store_path};

/// How many generations, each with two specialisations.
const GENERATIONS: u64 = 10;

/// The static program, where the traced one sees it.
fn installer(inputs: &Inputs) -> PathBuf {
    inputs.installer.clone().unwrap()
}

/// Runs the installer under strace in Debian's root, which has shells, Python and Perl to start.
fn traced(inputs: &Inputs, world: &World, toplevel: &str) -> Trace {
    let program = installer(inputs);
    let file = world.at("/trace");
    let visit = inputs.trixie().visit().bind(world.root()).show(&program);
    let root = world.root().to_str().unwrap();
    let arguments = ["--json", "--any-file-system", "--root", root, toplevel];
    Trace::of(&visit, &file, &program, arguments).unwrap()
}

#[track_caller]
fn executed_itself_alone(trace: &Trace, program: &Path) {
    let itself = format!("execve(\"{}\"", program.display());
    assert_eq!(trace.executed.len(), 1, "{:#?}", trace.executed);
    assert!(
        trace.executed[0].starts_with(&itself),
        "{:?}",
        trace.executed
    );
    assert_eq!(trace.processes, 1, "{:?}", trace.calls);
    assert!(!trace.calls.contains_key("socket"), "{:?}", trace.calls);
}

fn add_all(world: &World) -> String {
    let mut last = String::new();
    for number in 1..=GENERATIONS {
        last = world.generation(&number.to_string(), &["calm", "loud"]);
        world.register(number, &last);
    }
    world.boot(&last);
    last
}

/// systemd-boot and two extra files beside the entries.
fn with_everything(inputs: &Inputs) -> World {
    let mut world = World::new();
    let loader = fs::read(&inputs.boot["trixie"]["x64"]).unwrap();
    world.settings["loader"] = json!({ "image": world.store("systemd-bootx64.efi", loader) });
    world.settings["bootCounting"] = json!({ "tries": 2 });
    let extra = world.store("memtest", "program");
    world.settings["extraFiles"] = json!({ "EFI/memtest86/memtest.efi": extra });
    world.settings["extraEntries"] = json!({ "memtest.conf": "title Memtest\n" });
    world
}

#[test]
fn installing_ten_generations_with_specialisations_executes_nothing_but_itself() {
    let inputs = inputs();
    let world = with_everything(&inputs);
    let last = add_all(&world);
    let program = installer(&inputs);

    let first = traced(&inputs, &world, &last);
    executed_itself_alone(&first, &program);
    assert!(
        first.changing.contains_key("syncfs"),
        "{:?}",
        first.changing
    );
    assert_eq!(world.names("loader/entries").len(), 31, "with memtest");

    let again = traced(&inputs, &world, &last);
    executed_itself_alone(&again, &program);
    assert_eq!(again.changing, Default::default(), "nothing is written");
}

/// UKIs that are assembled and signed on the machine, without ukify, objcopy or sbsign.
#[test]
fn assembling_and_signing_ten_generations_executes_nothing_but_itself() {
    let inputs = inputs();
    let mut world = with_everything(&inputs);
    let mut keys = Command::new(inputs.touchstone.as_ref().unwrap());
    keys.args(["keys", "generate", "--test"])
        .arg(world.at("/etc/keys"));
    assert!(keys.status().unwrap().success());
    let stub = fs::read(&inputs.stub["trixie"]["x64"]).unwrap();
    world.settings["images"] = json!("uki");
    world.settings["stub"] = json!(world.store("linuxx64.efi.stub", stub));
    world.settings["signing"] =
        json!({ "key": "/etc/keys/db.key", "certificate": "/etc/keys/db.pem", "pinSource": null });
    let last = add_all(&world);
    for entry in fs::read_dir(world.at("/nix/store")).unwrap() {
        let toplevel = entry.unwrap().path();
        if toplevel.join("touchstone").is_dir() {
            fs::create_dir_all(toplevel.join("etc")).unwrap();
            fs::write(
                toplevel.join("etc/os-release"),
                "ID=nixos\nVERSION_ID=26.05\n",
            )
            .unwrap();
        }
    }
    let kernel = &inputs.kernel["amd64"].vmlinuz;
    fs::copy(kernel, world.at(&store_path("linux"))).unwrap();
    let trace = traced(&inputs, &world, &last);
    executed_itself_alone(&trace, &installer(&inputs));
    assert_eq!(world.names("EFI/Linux").len(), 30);
}

/// A static program has no dynamic loader, which could bring others in, and no interpreter inside.
#[test]
fn the_program_that_is_shipped_is_static_and_no_interpreter() {
    let program = installer(&inputs());
    let mut judge = Judge::new().unwrap();
    let judged = judge.judge(&mut fs::File::open(program).unwrap(), true);
    let judged = judged.unwrap();
    assert_eq!(judged.loader, None);
    assert_eq!(judged.found, []);
    // The claim can fail: bash, renamed, is both.
    let bash = inputs().trixie().path().join("usr/bin/bash");
    let judged = judge
        .judge(&mut fs::File::open(bash).unwrap(), true)
        .unwrap();
    assert!(judged.loader.is_some() && !judged.found.is_empty());
}
