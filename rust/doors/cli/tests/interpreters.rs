//! `touchstone closure interpreters` on the real interpreters of Debian, under other names, and on real programs that are none.

mod known;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use serde_json::Value;

use crate::support::Work;
use known::{KNOWN, OF_THE_ROOT};

fn verdict(work: &Work, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = work.touchstone([&["closure", "interpreters", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        answer.unwrap_or_else(|error| panic!("{error}: {said}")),
    )
}

/// The files with interpreters in them, and which; without those whose loader lies elsewhere.
fn interpreters(verdict: &Value) -> Vec<(String, Vec<String>)> {
    let list = |value: &Value| value.as_array().unwrap().clone();
    let files = list(&verdict["found"])
        .into_iter()
        .flat_map(|found| list(&found["files"]));
    let files = files.filter(|file| file["kind"] == "interpreter");
    files
        .map(|file| {
            let names = list(&file["names"]).into_iter();
            let names = names.map(|name| name.as_str().unwrap().to_owned());
            (file["file"].as_str().unwrap().to_owned(), names.collect())
        })
        .collect()
}

#[test]
fn real_interpreters_are_found_whatever_they_are_called() {
    let work = Work::new();
    let packages = work.inputs.interpreters.clone().unwrap();
    fs::create_dir(work.path("renamed")).unwrap();
    for (place, (file, _)) in KNOWN.iter().enumerate() {
        let name = work.path(&format!("renamed/libharmless{place:02}.so"));
        fs::copy(packages.join(file), name).unwrap();
    }
    let (status, verdict) = verdict(&work, &["renamed"]);
    assert_eq!(status, Some(3));
    let found = interpreters(&verdict);
    assert_eq!(found.len(), KNOWN.len(), "{found:#?}");
    for ((_, names), (file, known)) in found.iter().zip(KNOWN) {
        assert_eq!(names, known, "{file}");
    }
}

/// The C library, systemd, coreutils, OpenSSL, QEMU and what else the checks use, beside a few interpreters.
#[test]
fn in_debian_s_files_nothing_is_taken_for_an_interpreter_that_is_none() {
    let work = Work::new();
    let root = work.inputs.trixie().path().join("usr");
    let (_, verdict) = verdict(&work, &[root.to_str().unwrap()]);
    assert!(verdict["bytes"].as_u64().unwrap() > 200 << 20, "{verdict}");
    let found = interpreters(&verdict);
    let found: Vec<(&str, Vec<&str>)> = found
        .iter()
        .map(|(file, names)| {
            let file = Path::new(file).strip_prefix(&root).unwrap();
            let names = names.iter().map(String::as_str).collect();
            (file.to_str().unwrap(), names)
        })
        .collect();
    // The versions of Perl and Python are Debian's.
    let plain = |(file, names): &(&str, Vec<&str>)| {
        let file = file.trim_end_matches(|last: char| last.is_ascii_digit() || last == '.');
        (file.to_owned(), names.join(","))
    };
    let mut found: Vec<(String, String)> = found.iter().map(plain).collect();
    found.dedup();
    let known = OF_THE_ROOT.map(|(file, name)| (file.to_owned(), name.to_owned()));
    assert_eq!(found, known);
}

#[test]
fn our_own_programs_a_kernel_and_its_modules_have_no_interpreter_and_need_none() {
    let work = Work::new();
    let inputs = &work.inputs;
    let programs = [
        &inputs.touchstone,
        &inputs.launcher,
        &inputs.installer,
        &inputs.probe,
    ];
    let mut paths: Vec<&Path> = programs.map(|program| program.as_deref().unwrap()).to_vec();
    let kernel = &inputs.kernel["amd64"];
    paths.extend([kernel.vmlinuz.as_path(), &kernel.modules]);
    let paths: Vec<&str> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let (status, verdict) = verdict(&work, &paths);
    assert_eq!(status, Some(0), "{}", verdict["found"]);
    assert_eq!(verdict["loaders"], serde_json::json!([]), "static");
}

/// What a planted file holds.
type Plant = fn(&Work) -> Vec<u8>;

/// A store of the test: a toplevel that needs a folder that links to a tool.
fn store(work: &Work, tool: impl AsRef<[u8]>) -> [String; 3] {
    fs::create_dir(work.path("store")).unwrap();
    let at = |name: &str| {
        let name = format!("{}{name}", "0".repeat(31));
        let store = work.path("store").canonicalize().unwrap();
        store.join(name).display().to_string()
    };
    let [toplevel, etc, planted] = ["a-nixos-system", "b-etc", "c-notes"].map(at);
    fs::create_dir(&etc).unwrap();
    symlink(&planted, Path::new(&etc).join("notes")).unwrap();
    fs::write(&toplevel, format!("init {etc}/init\n")).unwrap();
    fs::write(&planted, tool).unwrap();
    fs::set_permissions(&planted, fs::Permissions::from_mode(0o555)).unwrap();
    [toplevel, etc, planted]
}

#[test]
fn what_is_planted_is_named_with_the_chain_that_drags_it_in() {
    let bash = |work: &Work| fs::read(work.inputs.trixie().path().join("usr/bin/bash")).unwrap();
    let busybox = |work: &Work| {
        fs::read(
            work.inputs
                .interpreters
                .clone()
                .unwrap()
                .join("usr/bin/busybox"),
        )
        .unwrap()
    };
    let plants: [(Plant, &str); 4] = [
        (bash, "interpreter: bash"),
        (
            busybox,
            "interpreter: an Almquist shell (ash, dash), BusyBox, BusyBox awk",
        ),
        (
            |_| b"#! /usr/bin/env -S python3 -u\n".to_vec(),
            "script for /usr/bin/env (python3)",
        ),
        (|_| b" #!/bin/sh\necho\n".to_vec(), "executable text"),
    ];
    for (plant, fact) in plants {
        let work = Work::new();
        let [toplevel, etc, planted] = store(&work, plant(&work));
        let output = work.touchstone(["closure", "interpreters", "--follow", &toplevel]);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(fact), "{fact}: {said}");
        let chain = format!("  because {toplevel}\n    needs {etc}\n    needs {planted}\n");
        assert!(said.contains(&chain), "{chain}: {said}");

        let reason = ["--allow", &planted, "it is a test"];
        let (status, verdict) = verdict(&work, &[&["--follow", &toplevel], &reason[..]].concat());
        assert_eq!(status, Some(0), "{verdict}");
        assert_eq!(verdict["allowed"][0]["reason"], "it is a test");
        assert_eq!(verdict["paths"], 3);
    }
}

#[test]
fn a_loader_in_the_closure_is_named_and_one_outside_is_a_finding() {
    let work = Work::new();
    let cat = fs::read(work.inputs.trixie().path().join("usr/bin/cat")).unwrap();
    work.write("cat", cat);
    let (status, verdict_alone) = verdict(&work, &["cat"]);
    assert_eq!(status, Some(3));
    let found = &verdict_alone["found"][0]["files"][0];
    assert_eq!(found["kind"], "foreign-loader");
    assert_eq!(found["loader"], "/lib64/ld-linux-x86-64.so.2");
    if let Ok(loader) = Path::new("/lib64/ld-linux-x86-64.so.2").canonicalize() {
        let (status, verdict) = verdict(&work, &["cat", loader.to_str().unwrap()]);
        assert_eq!(status, Some(0), "{verdict}");
        assert_eq!(verdict["loaders"][0], "/lib64/ld-linux-x86-64.so.2");
    }
}

#[test]
fn an_entry_without_a_reason_and_a_path_that_is_in_no_store_are_refused() {
    let work = Work::new();
    work.write("file", "");
    for (arguments, fact) in [
        (
            &["file", "--allow", "/nix/store/x", " "][..],
            "has no reason",
        ),
        (&["file", "--allow", "x", "why"], "is no absolute path"),
        (&["--follow", "file"], "lies in no store"),
        (&["file", "missing"], "missing"),
    ] {
        let output = work.touchstone([&["closure", "interpreters"], arguments].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(fact), "{fact}: {said}");
    }
}
