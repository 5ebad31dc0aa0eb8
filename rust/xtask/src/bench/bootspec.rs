//! What a Bootspec document for a hundred specialisations costs: read, upgraded and written.

use std::fs;

use anyhow::Result;
use serde_json::{Map, Value, json};

use super::contest::{Contest, Contestant, Wanted};
use super::files::Files;

/// How many specialisations the generation has.
const SPECIALISATIONS: usize = 100;
/// The most processor time, in milliseconds.
const PROCESSOR_MS: f64 = 20.0;

const DOCUMENT: &str = "boot.json";
const SCRIPT: &str = "upgrade.py";

/// The same work in Python, in which nixpkgs' installer for systemd-boot reads documents.
const PYTHON: &str = r#"import json, os, sys

V1, V2 = "org.nixos.bootspec.v1", "org.nixos.bootspec.v2"
S1, S2 = "org.nixos.specialisation.v1", "org.nixos.specialisation.v2"

def core(document):
    old = document[V1]
    order = ["system", "init", "initrds", "kernel", "kernelParams", "label", "toplevel"]
    return {key: [old["initrd"]] if key == "initrds" else old[key] for key in order}

def old(document):
    order = ["system", "init", "initrd", "kernel", "kernelParams", "label", "toplevel"]
    return {key: document[V1][key] for key in order}

def rest(document):
    return {key: value for key, value in document.items() if key not in (V1, S1)}

with open(sys.argv[1]) as file:
    document = json.load(file)
children = document[S1]
upgraded = {
    V1: old(document),
    S1: {name: {V1: old(one), S1: {}} | rest(one) for name, one in children.items()},
    V2: core(document),
    S2: {name: {V2: core(one)} | rest(one) for name, one in children.items()},
} | rest(document)
with open(sys.argv[2], "w") as file:
    file.write(json.dumps(upgraded, indent=2, ensure_ascii=False) + "\n")
    file.flush()
    os.fsync(file.fileno())
"#;

/// Writes the document as nixpkgs does, and the peer's script.
pub fn prepare(files: &Files) -> Result<()> {
    let children: Map<String, Value> = (0..SPECIALISATIONS)
        .map(|number| {
            let name = format!("special-{number:03}");
            let document = document(&format!("nixos-system-bench-{name}"), Map::new());
            (name, document)
        })
        .collect();
    let document = document("nixos-system-bench", children);
    fs::write(files.path(DOCUMENT), format!("{document:#}\n"))?;
    fs::write(files.path(SCRIPT), PYTHON)?;
    Ok(())
}

fn document(name: &str, children: Map<String, Value>) -> Value {
    let store = |name: &str| format!("/nix/store/{}-{name}", "0".repeat(32));
    let params: Vec<String> = (0..12)
        .map(|number| format!("module{number}.parameter={number}"))
        .collect();
    json!({
        "org.nixos.bootspec.v1": {
            "init": store(&format!("{name}/init")),
            "initrd": store("initrd-linux-6.18.1/initrd"),
            "kernel": store("linux-6.18.1/bzImage"),
            "kernelParams": params,
            "label": "NixOS Zokor 26.11 (Linux 6.18.1)",
            "system": "x86_64-linux",
            "toplevel": store(name),
        },
        "org.nixos.nixos-init.v1": {
            "env_binary": store("coreutils-9.9/bin/env"),
            "firmware": store("firmware/lib/firmware"),
            "modprobe_binary": store("kmod-34.2/bin/modprobe"),
            "nix_store_mount_opts": ["ro", "nodev", "nosuid"],
            "sh_binary": store("bash-5.3p3/bin/sh"),
        },
        "org.nixos.specialisation.v1": children,
        "org.nixos.systemd-boot": { "sortKey": "nixos" },
    })
}

/// The document, upgraded.
pub fn upgraded() -> Contest {
    Contest {
        work: format!("Bootspec document for {SPECIALISATIONS} specialisations"),
        contestants: vec![
            Contestant {
                name: "touchstone bootspec upgrade",
                program: "./touchstone",
                arguments: vec!["bootspec", "upgrade", DOCUMENT, "--output", "ours.json"],
                prints_to: "ours.said",
                times: 1,
            },
            Contestant {
                name: "python3, json",
                program: "python3",
                arguments: vec![SCRIPT, DOCUMENT, "theirs.json"],
                prints_to: "theirs.said",
                times: 1,
            },
        ],
        wanted: Wanted {
            times_the_peer: Some(1.0),
            processor_ms: Some(PROCESSOR_MS),
            ..Wanted::default()
        },
        same: |files| files.same("ours.json", "theirs.json"),
    }
}
