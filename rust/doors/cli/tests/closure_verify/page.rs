//! `docs/verify-closure.md`: its commands, and its numbers.

use touchstone_harness::closure::{Closure, Size};
use touchstone_harness::nix::output;

use crate::support::{TOUCHSTONE, Work, alias, documented};

const PAGE: &str = include_str!("../../../../../docs/verify-closure.md");

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let work = Work::new();
    let closure = Closure::build(&work.inputs, work.folder(), Size::SMALL).unwrap();
    let key = closure.key("one", "touchstone-test-one").unwrap();
    closure.sign("one", &closure.paths().unwrap()).unwrap();
    let names = format!("SYSTEM={}\nKEY={key}\n", closure.toplevel);
    let visit = work.inside(work.inputs.trixie().visit());
    let mut shell = visit.show(TOUCHSTONE).command("bash").unwrap();
    shell.args(["-euxc", &[alias(), names, documented(PAGE)].concat()]);
    let said = output(shell).unwrap();
    assert_eq!(
        said.matches("are signed, and what was signed").count(),
        4,
        "{said}"
    );
    assert!(said.contains("all signed by touchstone-test-one"), "{said}");
    assert!(said.contains("\"verified\": true"), "{said}");
    let signed = String::from_utf8(work.read("signed")).unwrap();
    assert!(signed.contains("\"kiosk\""), "{signed}");
}

/// The page has this sentence, its numbers written with or without spaces.
pub fn says(sentence: &str) {
    let page: String = PAGE.split_whitespace().collect();
    let sentence: String = sentence.split_whitespace().collect();
    assert!(page.contains(&sentence), "{sentence}");
}
