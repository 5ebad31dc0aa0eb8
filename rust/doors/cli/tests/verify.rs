//! `touchstone pe verify` says of every image what firmware does with it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use touchstone_harness::verdicts::{Case, Tools, cases};

use crate::support::{TOUCHSTONE, Work};

fn made(work: &Work) -> Vec<Case> {
    let tools = Tools {
        touchstone: Path::new(TOUCHSTONE).to_owned(),
        root: work.inputs.trixie(),
    };
    cases(work.folder(), &tools).unwrap()
}

/// The answer, whose exit status must say the same.
fn verify(work: &Work, words: &[&str], files: &[&Path]) -> Value {
    let words = ["pe", "verify", "--json"].iter().chain(words);
    let arguments = words.map(Path::new).chain(files.iter().copied());
    let output = work.touchstone(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let status = if answer["boots"] == true { 0 } else { 3 };
    assert_eq!(output.status.code(), Some(status), "{answer}");
    answer
}

fn verify_case(work: &Work, case: &Case) -> Value {
    let mut words = vec![PathBuf::from("--db"), case.db.clone()];
    if let Some(dbx) = &case.dbx {
        words.extend([PathBuf::from("--dbx"), dbx.clone()]);
    }
    words.push(case.image.clone());
    let words: Vec<&Path> = words.iter().map(PathBuf::as_path).collect();
    verify(work, &[], &words)
}

fn rules(answer: &Value) -> Vec<&str> {
    let reasons = answer["reasons"].as_array().unwrap().iter();
    reasons
        .map(|reason| reason["rule"].as_str().unwrap())
        .collect()
}

#[test]
fn every_case_has_the_verdict_of_firmware_and_names_the_rule() {
    let work = Work::new();
    let mut wrong = Vec::new();
    let cases = made(&work);
    for case in &cases {
        let answer = verify_case(&work, case);
        let as_expected = answer["boots"] == case.boots && rules(&answer).contains(&case.rule);
        if !as_expected {
            wrong.push(format!("{}: {} {answer:#}", case.name, case.rule));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(cases.len() >= 80, "{}", cases.len());
}
