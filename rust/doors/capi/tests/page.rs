//! `docs/c-abi.md` does what it says.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::compiler::{Linked, Workshop};

const PAGE: &str = include_str!("../../../../docs/c-abi.md");

/// The only block of this language.
fn block(language: &str) -> &str {
    let fence = format!("```{language}\n");
    let mut blocks = PAGE.split(&fence).skip(1);
    let block = blocks.next().unwrap().split("```").next().unwrap();
    assert!(blocks.next().is_none(), "more than one block of {language}");
    block
}

fn perform(program: &mut Command, request: &str) -> Output {
    program.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = program.stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(request.as_bytes()).unwrap();
    drop(pipe);
    child.wait_with_output().unwrap()
}

#[test]
fn the_program_of_the_page_compiles_and_performs_requests() {
    let workshop = Workshop::new();
    let source = workshop.path("perform.c");
    fs::write(&source, block("c")).unwrap();
    for linked in [Linked::Shared, Linked::Archive] {
        let program = workshop.program(&source, "c99", linked);
        let digest = workshop.inputs.stub["trixie"]["x64"].clone();
        let request = format!(
            r#"{{"operation": "pe.digest", "file": "{}"}}"#,
            digest.display()
        );
        let done = perform(Command::new(&program).env("VERBOSE", "1"), &request);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let answer: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
        assert_eq!(
            answer["sha256"].as_str().map(str::len),
            Some(64),
            "{answer}"
        );

        let refused = perform(&mut Command::new(&program), "{}");
        assert_eq!(refused.status.code(), Some(1));
        assert_eq!(refused.stdout, b"");
        let failure: serde_json::Value = serde_json::from_slice(&refused.stderr).unwrap();
        assert_eq!(failure["code"], "request.malformed");
    }
}

/// The failure that the page shows is one that the library gives (`claims.c` asks for it).
#[test]
fn the_failure_of_the_page_is_of_the_librarys_words() {
    let failure: serde_json::Value = serde_json::from_str(block("json")).unwrap();
    let source = include_str!("../src/misuse.rs");
    assert!(source.contains(failure["help"].as_str().unwrap()));
    assert!(source.contains(failure["code"].as_str().unwrap()));
}
