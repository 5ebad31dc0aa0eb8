//! `touchstone pe verify` says of every image what firmware does with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;
use touchstone_harness::verdicts::{Case, Tools, cases};

use crate::support::{TOUCHSTONE, Work};

mod documentation;
mod explained;
mod forms;
mod peers;
mod question;
mod real;

use explained::EXPLAINED;
use question::PEERS;

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

/// Each peer says what we say wherever it can judge; where it says otherwise, `explained.rs` says why.
#[test]
fn peers_agree_or_their_disagreement_is_explained() {
    let work = Work::new();
    let cases = made(&work);
    let said = peers::ask(&work, &cases);
    let rows: Vec<_> = cases
        .iter()
        .map(|case| (case, agreement(case, &verify_case(&work, case), &said)))
        .collect();
    let found = disagreements(&rows);
    let lief = work.inputs.lief.is_some();
    let explained = EXPLAINED.iter().flat_map(|one| {
        let cases = one.cases.iter();
        cases.map(|case| format!("{} {case}", one.peer))
    });
    let explained: BTreeSet<_> = explained
        .filter(|one| lief || !one.starts_with("LIEF"))
        .collect();
    assert_eq!(found, explained);
    if !lief {
        println!("LIEF is not there: the tables of docs/verify.md are not compared");
        return;
    }
    let page = include_str!("../../../../docs/verify.md");
    let text = documentation::render(&rows);
    assert!(
        documentation::of_page(page) == text,
        "docs/verify.md should have:\n{text}"
    );
}

fn agreement(
    case: &Case,
    answer: &Value,
    said: &peers::Said,
) -> BTreeMap<&'static str, Option<bool>> {
    let same = |peer: &'static str| {
        let theirs = said[case.name].get(peer)?;
        Some(question::ours(peer, case, answer)? == *theirs)
    };
    PEERS.into_iter().map(|peer| (peer, same(peer))).collect()
}

fn disagreements(rows: &[documentation::Row<'_>]) -> BTreeSet<String> {
    let all = rows.iter().flat_map(|(case, agrees)| {
        let others = agrees.iter().filter(|(_, same)| **same == Some(false));
        others.map(|(peer, _)| format!("{peer} {}", case.name))
    });
    all.collect()
}
