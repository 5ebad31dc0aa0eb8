//! What real Nix makes of a generation: the same bytes each time and everywhere, without an interpreter, and a manifest that Nix
//! itself agrees with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use touchstone_harness::nix::output;

use crate::real_nix::{RealNix, assert_same_tree};

const ARTIFACTS: [&str; 2] = ["artifacts.generation1", "artifacts.generation2"];

#[test]
fn boot_artifacts_are_the_same_bytes_each_time_and_in_each_store_and_made_by_no_interpreter() {
    let nix = RealNix::new();
    for (setting, value) in [("sandbox", "true"), ("sandbox-fallback", "false")] {
        let mut show = nix.store("store").command("nix").unwrap();
        show.args(["config", "show", setting]);
        assert_eq!(output(show).unwrap().trim(), value, "{setting}");
    }

    let mut arguments = nix.expressions();
    arguments.push("--no-out-link".to_owned());
    arguments.extend(
        ARTIFACTS
            .iter()
            .flat_map(|name| ["-A".to_owned(), (*name).to_owned()]),
    );

    let trace = nix.work.path("trace").display().to_string();
    // The first time, with every program that is started written down.
    let mut traced = nix.store("store").command("strace").unwrap();
    traced.args([
        "--follow-forks",
        "--quiet=all",
        "--trace=execve",
        "--output",
        &trace,
        "--string-limit=4096",
        "nix-build",
    ]);
    traced.args(&arguments);
    let first = lines(traced);
    assert_eq!(first.len(), ARTIFACTS.len());
    let started = started_programs(&String::from_utf8(nix.work.read("trace")).unwrap());
    let ours = ["touchstone", "touchstone-probe"].map(str::to_owned);
    assert!(
        ours.iter().all(|name| started.contains(name)),
        "{started:?}"
    );
    let others: Vec<&String> = started
        .iter()
        .filter(|name| !ours.contains(name) && *name != "nix" && *name != "nix-build")
        .collect();
    assert!(others.is_empty(), "{others:?}");

    // The second time: Nix compares.
    let mut again = nix.store("store").command("nix-build").unwrap();
    again.args(&arguments).arg("--check");
    assert_eq!(lines(again), first);

    // In another store.
    let elsewhere = nix.build("elsewhere", &ARTIFACTS);
    assert_eq!(elsewhere, first);
    for path in first {
        let (one, other) = (
            nix.store("store").on_host(&path),
            nix.store("elsewhere").on_host(&path),
        );
        assert_same_tree(&path, &one, &other);
    }
}

fn lines(command: Command) -> Vec<String> {
    output(command)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect()
}

/// The names of the programs that were started, from strace's lines `PID execve("PATH", […], …) = 0`.
fn started_programs(trace: &str) -> BTreeSet<String> {
    let started = trace.lines().filter(|line| line.ends_with("= 0"));
    let path = |line: &str| {
        Some(
            line.split_once("execve(\"")?
                .1
                .split_once('"')?
                .0
                .to_owned(),
        )
    };
    let name = |path: String| {
        Path::new(&path)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    started.filter_map(path).filter_map(name).collect()
}

#[test]
fn the_manifest_is_what_nix_says_and_its_signatures_are_what_nix_trusts() {
    let nix = RealNix::new();
    let built = nix.build("store", &["artifacts.generation2"]);
    let manifest = fs::read(nix.store("store").on_host(&built[0]).join("manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let toplevel = manifest["toplevel"].as_str().unwrap();
    assert_eq!(nix.evaluate("toplevel"), toplevel);
    assert_eq!(
        by_path(manifest["paths"].as_array().unwrap()),
        by_path(&nix.closure(toplevel))
    );

    // A binary cache, once as Nix makes it and once with our signatures.
    for cache in ["unsigned", "signed"] {
        // Compressing is not what is tested.
        let to = format!("file://{}?compression=none", nix.work.path(cache).display());
        let mut copy = nix.store("store").command("nix").unwrap();
        copy.args(["copy", "--to", &to, toplevel]);
        output(copy).unwrap();
    }
    for entry in manifest["paths"].as_array().unwrap() {
        let signatures = entry["signatures"].as_array().unwrap();
        assert_eq!(signatures.len(), 1, "{entry}");
        add_signature(
            &nix,
            entry["path"].as_str().unwrap(),
            signatures[0].as_str().unwrap(),
        );
    }
    let trusted = String::from_utf8(nix.work.read("keys/nix.public")).unwrap();
    let other = nix.key_of_manifests("other");

    let fetch = |cache: &str, key: &str, store: &str| {
        let from = format!("file://{}", nix.work.path(cache).display());
        let mut copy = nix.store(store).command("nix").unwrap();
        copy.args([
            "copy",
            "--from",
            &from,
            "--option",
            "trusted-public-keys",
            key,
            toplevel,
        ]);
        output(copy)
    };
    for (cache, key, store) in [
        ("unsigned", &trusted, "refused-1"),
        ("signed", &other, "refused-2"),
    ] {
        let error = fetch(cache, key, store).unwrap_err();
        assert!(
            format!("{error:#}").contains("lacks a signature by a trusted key"),
            "{error:#}"
        );
    }
    fetch("signed", &trusted, "copied").unwrap();

    let verify = |key: &str| {
        let mut verify = nix.store("copied").command("nix").unwrap();
        verify.args([
            "store",
            "verify",
            "--recursive",
            "--sigs-needed",
            "1",
            "--trusted-public-keys",
            key,
            toplevel,
        ]);
        output(verify)
    };
    verify(&trusted).unwrap();
    let error = verify(&other).unwrap_err();
    assert!(format!("{error:#}").contains("is untrusted"), "{error:#}");
}

/// Path → NAR hash, size, references and content address.
fn by_path(entries: &[Value]) -> BTreeMap<String, (String, u64, BTreeSet<String>, Option<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let fields = |entry: &Value| {
        let references = entry["references"]
            .as_array()
            .unwrap()
            .iter()
            .map(text)
            .collect();
        let ca = entry["ca"].as_str().map(str::to_owned);
        (
            text(&entry["narHash"]),
            entry["narSize"].as_u64().unwrap(),
            references,
            ca,
        )
    };
    assert!(entries.len() > 3, "a closure of {} paths", entries.len());
    entries
        .iter()
        .map(|entry| (text(&entry["path"]), fields(entry)))
        .collect()
}

/// Adds a line `Sig: …` to what the cache `signed` says of a path.
fn add_signature(nix: &RealNix, path: &str, signature: &str) {
    let hash = path
        .strip_prefix("/nix/store/")
        .and_then(|name| name.get(..32))
        .unwrap();
    let file = format!("signed/{hash}.narinfo");
    let mut text = String::from_utf8(nix.work.read(&file)).unwrap();
    assert!(!text.contains("Sig:"), "{text}");
    text.push_str(&format!("Sig: {signature}\n"));
    nix.work.write(&file, text);
}
