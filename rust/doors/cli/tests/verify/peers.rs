//! Five other verifiers, asked what each can judge.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use touchstone_harness::verdicts::Case;

use crate::support::Work;

const PEERS: &str = include_str!("peers.py");

/// By case, by peer: whether it accepts the image.
pub type Said = BTreeMap<String, BTreeMap<String, bool>>;

/// What the peers say of the cases, in one visit to Debian 13.
pub fn ask(work: &Work, cases: &[Case]) -> Said {
    let questions = cases.iter().map(|case| {
        json!({
            "name": case.name, "image": case.image, "certificate": case.certificate,
            "db": case.db, "dbx": case.dbx,
        })
    });
    work.write("questions", Value::from_iter(questions).to_string());
    let mut visit = work.inside(work.inputs.trixie().visit());
    if let Some(lief) = &work.inputs.lief {
        visit = visit.show(lief);
    }
    let mut command = visit.command("python3").unwrap();
    if let Some(lief) = &work.inputs.lief {
        command.env("PYTHONPATH", lief);
    }
    command.args(["-c", PEERS]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&work.read("questions")).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"))
}
