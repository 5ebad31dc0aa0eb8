//! What PCR 11 costs: of one UKI, and of a hundred generations that share kernel and initrd.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use super::contest::{Contest, Contestant, Wanted};
use super::files::Files;

/// How many generations share a kernel.
const GENERATIONS: usize = 100;
/// The sections that systemd-measure is given as files.
const SECTIONS: [&str; 6] = ["linux", "osrel", "cmdline", "initrd", "uname", "sbat"];
const UKI: &str = "measured.efi";
const REQUEST: &str = "generations.json";

/// Makes the UKI, its sections as files, and the generations.
pub fn prepare(files: &Files) -> Result<()> {
    let mut build = vec![
        "uki", "build", "--compat", "257", "--stub", "stub", "--linux", "linux",
    ];
    build.extend(["--initrd", "initrd", "--cmdline", "quiet", "--output", UKI]);
    build.extend(["--os-release", "@os-release"]);
    files.inside("./touchstone", &build)?;
    let mut extract = vec!["inspect".to_owned(), UKI.to_owned()];
    for section in SECTIONS {
        extract.extend([
            "--section".to_owned(),
            format!(".{section}:binary@section-{section}"),
        ]);
    }
    let extract: Vec<&str> = extract.iter().map(String::as_str).collect();
    files.inside("ukify", &extract)?;
    let mut ukis = serde_json::Map::new();
    for number in 0..GENERATIONS {
        let line = format!("init=/nix/store/{number}/init quiet");
        fs::write(files.path(&format!("cmdline-{number}")), &line)?;
        let parts = json!({
            "stub": "stub", "linux": "linux", "initrds": ["initrd"], "cmdline": line,
            "osRelease": { "file": "os-release" }, "compat": 257,
        });
        ukis.insert(format!("{number:03}"), parts);
    }
    fs::write(
        files.path(REQUEST),
        serde_json::to_vec(&json!({ "ukis": ukis }))?,
    )?;
    Ok(())
}

/// One UKI.
pub fn one(mib: u64) -> Contest {
    Contest {
        work: format!("PCR 11 of a UKI of {mib} MiB"),
        contestants: vec![
            Contestant {
                name: "touchstone measure uki",
                program: "./touchstone",
                arguments: vec!["measure", "uki", UKI],
                prints_to: "ours.said",
                times: 1,
            },
            systemd_measure("systemd-measure calculate", "--cmdline=section-cmdline", 1),
        ],
        wanted: Wanted {
            times_the_peer: Some(1.0),
            ..Wanted::default()
        },
        same: |files| files.same_pcrs("ours.said", "theirs.said"),
    }
}

/// A hundred generations.
pub fn generations(mib: u64) -> Contest {
    Contest {
        work: format!(
            "PCR 11 of {GENERATIONS} generations that share {mib} MiB of kernel and initrd"
        ),
        contestants: vec![
            Contestant {
                name: "touchstone measure parts",
                program: "./touchstone",
                arguments: vec!["measure", "parts", "--json", REQUEST],
                prints_to: "ours.said",
                times: 1,
            },
            systemd_measure(
                "systemd-measure calculate, 100 times",
                "--cmdline=cmdline-{}",
                GENERATIONS,
            ),
        ],
        wanted: Wanted {
            times_the_peer: Some(10.0),
            ..Wanted::default()
        },
        same: same_values,
    }
}

fn systemd_measure(name: &'static str, command_line: &'static str, times: usize) -> Contestant {
    Contestant {
        name,
        program: "/usr/lib/systemd/systemd-measure",
        arguments: vec![
            "calculate",
            "--bank=sha256",
            "--linux=section-linux",
            "--osrel=section-osrel",
            command_line,
            "--initrd=section-initrd",
            "--uname=section-uname",
            "--sbat=section-sbat",
        ],
        prints_to: "theirs.said",
        times,
    }
}

/// Whether every phase of every generation has the same value.
fn same_values(files: &Files) -> Result<()> {
    let ours: Value = serde_json::from_slice(&fs::read(files.path("ours.said"))?)?;
    let ours = ours.get("ukis").and_then(Value::as_object);
    let ours = ours.context("no answer of measure.parts")?.values();
    let theirs = fs::read_to_string(files.path("theirs.said"))?;
    let theirs: Vec<&str> = theirs
        .lines()
        .filter_map(|line| line.strip_prefix("11:sha256="))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let mut compared = 0;
    for (uki, theirs) in ours.zip(theirs.chunks(4)) {
        let values = uki.pointer("/0/pcrs/11/sha256").and_then(Value::as_object);
        // The first is that before the first phase, which systemd-measure leaves out.
        let values = values
            .into_iter()
            .flat_map(|values| values.values().skip(1));
        let values: Vec<&str> = values.filter_map(Value::as_str).collect();
        if values != theirs {
            bail!("the PCR 11 values differ: {values:?}, {theirs:?}");
        }
        compared += 1;
    }
    ensure!(
        compared == GENERATIONS,
        "{compared} generations were compared"
    );
    Ok(())
}
