//! The CUE file of docs/ judges the documents as the reader does, but for what CUE does not see. A real CUE says so.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use serde::Deserialize;
use serde_json::{Value, json};

use super::table::{BAD, GOOD};
use super::{bytes, folder};

/// A bad document that CUE accepts, each with the reason.
const BEYOND: [(&str, &str); 10] = [
    ("byte-order-mark", "CUE passes over it"),
    ("child-with-another-v2", ONE_PLACE),
    ("extension-twice", "CUE unifies two that say the same"),
    ("latin-1", "CUE reads what is not UTF-8 as U+FFFD"),
    ("number-out-of-range", "CUE's numbers have no range"),
    ("specialisation-missing-in-v2", ONE_PLACE),
    ("too-deep", "CUE nests as deep as memory reaches"),
    ("versions-of-different-initrds", ONE_PLACE),
    ("versions-of-different-kernels", ONE_PLACE),
    (
        "versions-of-different-parameters-in-a-specialisation",
        ONE_PLACE,
    ),
];

const ONE_PLACE: &str = "the schema looks at one place, not at two beside each other";

/// What CUE answered.
#[derive(Deserialize)]
struct Answer {
    status: i32,
    said: String,
}

#[test]
fn accepts_and_refuses_what_the_reader_does_but_for_what_it_does_not_see() {
    let good = GOOD.iter().map(|name| ("good", *name));
    let bad = BAD.iter().map(|(name, _)| ("bad", *name));
    let files: Vec<_> = good.chain(bad).collect();
    for ((kind, name), Answer { status, said }) in files.iter().zip(vet(&files)) {
        let accepts = *kind == "good" || BEYOND.iter().any(|(beyond, _)| beyond == name);
        assert_eq!(status == 0, accepts, "{kind}/{name}: {said}");
    }
}

/// Runs `cue vet` for each file.
fn vet(files: &[(&str, &str)]) -> Vec<Answer> {
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let checkout = checkout.canonicalize().unwrap();
    let schema = checkout.join("docs/bootspec-v2.cue");
    let run = |(kind, name): &(&str, &str)| {
        let file = folder().join(kind).join(format!("{name}.json"));
        json!(["vet", "-d", definition(&bytes(kind, name)), schema, file])
    };
    let runs: Vec<Value> = files.iter().map(run).collect();

    let trixie = touchstone_harness::inputs().trixie();
    let cue = touchstone_harness::cue::cue(&trixie).unwrap();
    let mut node = cue.node(trixie.visit().show(&checkout)).unwrap();
    node.arg(folder().with_file_name("files").join("cue.js"));
    node.arg(cue.package());
    node.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut node = node.spawn().unwrap();
    let mut input = node.stdin.take().unwrap();
    input.write_all(json!(runs).to_string().as_bytes()).unwrap();
    drop(input);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<Answer> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), files.len());
    answers
}

/// Which definition a document is held to: with v2 at its top, or v1 alone.
fn definition(document: &[u8]) -> &'static str {
    let document: Value = serde_json::from_slice(document).unwrap_or_default();
    match document.get("org.nixos.bootspec.v2") {
        Some(_) => "#Document",
        None => "#DocumentV1",
    }
}
