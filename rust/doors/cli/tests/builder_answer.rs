//! The attribute `answer` of a derivation: the builder writes the answer where it says, byte for byte as `touchstone run` prints it.

use crate::real_nix::RealNix;
use crate::support::assert_same_bytes;

/// Operations of which the library makes answers in `doors.nix`: two that read files or none, and one that could write the document itself.
const ANSWERED: [&str; 3] = ["bootspec.emit", "uki.inspect", "store.path"];

#[test]
fn a_build_writes_the_answer_as_run_prints_it() {
    let nix = RealNix::new();
    let attribute = |operation: &str| format!("answers.\"{operation}\"");
    let attributes = ANSWERED.map(attribute);
    let built = nix.build("store", &attributes.each_ref().map(String::as_str));
    for (operation, path) in ANSWERED.iter().zip(built) {
        let request = nix.evaluate(&format!("{}.request", attribute(operation)));
        nix.work.write("request.json", request.to_string());
        let mut run = nix.touchstone_beside_store();
        let printed = run.args(["run", "request.json"]).output().unwrap();
        let said = String::from_utf8_lossy(&printed.stderr);
        assert!(printed.status.success(), "{operation}: {said}");
        let answer = std::fs::read(nix.store("store").on_host(&path)).unwrap();
        assert_same_bytes(operation, &answer, &printed.stdout);
    }
}

#[test]
fn a_build_that_cannot_write_the_answer_is_refused() {
    let nix = RealNix::new();
    for (attribute, fact) in [
        ("answerOfNoOutput", "the request refers to $output `doc`"),
        (
            "answerAsPath",
            "the attribute `answer` is \"/build/answer\", and no output",
        ),
        ("answerInTheOutput", "would write the same output"),
    ] {
        let attribute = format!("refused.{attribute}");
        let arguments = [nix.expressions(), vec!["-A".to_owned(), attribute.clone()]];
        let failed = nix.store("store").build(arguments.concat()).unwrap_err();
        let said = format!("{failed:#}");
        assert!(said.contains(fact), "{attribute}: {said}");
        assert!(said.contains("[builder.refused]"), "{attribute}: {said}");
    }
}
