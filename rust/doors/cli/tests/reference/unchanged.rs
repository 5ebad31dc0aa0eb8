//! `touchstone measure compare`, and the Nix check that guards a pinned file: what moved, and by which component.

use serde_json::{Value, json};

use super::Kept;
use crate::real_nix::RealNix;
use crate::real_nix::RealNix as Nix;

#[test]
fn the_component_that_moved_each_register_is_named() {
    let kept = Kept::new(2, &["", "enter-initrd"]);
    let work = &kept.work;
    let same = work.touchstone(["measure", "compare", "1.json", "1.json"]);
    assert_eq!(same.status.code(), Some(0));
    assert_eq!(same.stdout, b"unchanged\n");
    let other = work.touchstone(["measure", "compare", "1.json", "2.json"]);
    assert_eq!(other.status.code(), Some(3));
    let said = String::from_utf8(other.stdout).unwrap();
    for line in [
        "PCR 4: the Authenticode digest of the UKI",
        "PCR 9: the kernel's command line, in UTF-16 with a NUL: \"console=ttyS0 panic=-1 oops=panic generation=1\" → \"console=ttyS0 panic=-1 oops=panic generation=2\"",
        "PCR 11: the content of the UKI's section .cmdline, 46 bytes: ",
    ] {
        assert!(
            said.lines().any(|one| one.starts_with(line)),
            "{line}: {said}"
        );
    }
    // PCR 7 did not move, and each cause is told once for both phases.
    assert!(!said.contains("PCR 7"), "{said}");
    assert_eq!(said.matches("section .cmdline").count(), 1, "{said}");
}

#[test]
fn a_prediction_is_not_compared_with_a_document() {
    let kept = Kept::new(1, &[""]);
    let work = &kept.work;
    work.done([
        "reference",
        "create",
        "--generation",
        "1=1.json",
        "--output",
        "reference.json",
    ]);
    let output = work.touchstone(["measure", "compare", "1.json", "reference.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("[request.refused]"), "{said}");
}

/// Builds the checks of `doors.nix`; the answer is what Nix said.
fn check(nix: &Nix, attribute: &str) -> Result<(), String> {
    let arguments = ["-A".to_owned(), format!("unchanged.{attribute}")];
    let built = nix
        .store("store")
        .build([nix.expressions(), arguments.to_vec()].concat());
    built.map(drop).map_err(|error| format!("{error:#}"))
}

#[test]
fn a_pinned_file_lets_the_same_values_build_and_refuses_others_with_the_cause() {
    let nix = RealNix::new();
    // What a person does at first: build the prediction and take it into the repository.
    let predicted = nix.build("store", &["unchanged.document"]);
    let pinned = nix.store("store").on_host(&predicted[0]);
    std::fs::copy(pinned, nix.work.path("pcrs.json")).unwrap();
    check(&nix, "same").unwrap();
    check(&nix, "finished").unwrap();
    let said = check(&nix, "other").unwrap_err();
    for fact in [
        "[pcrs.moved]",
        "PCR 11: the content of the UKI's section .cmdline, ",
        "for generation: ",
        "to accept the new values: install -m 644 /nix/store/",
        "-reference.json pcrs.json",
    ] {
        assert!(said.contains(fact), "{fact}: {said}");
    }
    let neither = check(&nix, "neither").unwrap_err();
    assert!(
        neither.contains("either `actual` or `generations`"),
        "{neither}"
    );
}

#[test]
fn a_whole_generation_is_predicted_and_named_with_its_specialisation() {
    let nix = RealNix::new();
    let built = nix.build(
        "store",
        &[
            "unchanged.generation",
            "unchanged.document",
            "unchanged.keylime",
        ],
    );
    let read = |path: &str| -> Value {
        serde_json::from_slice(&std::fs::read(nix.store("store").on_host(path)).unwrap()).unwrap()
    };
    let prediction = read(&built[0]);
    let paths: Vec<&Value> = prediction["leaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leaf| &leaf["path"][0])
        .collect();
    assert_eq!(paths, ["the generation", "specialisation rescue"]);
    let document = read(&built[1]);
    let names: Vec<&Value> = document["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["name"])
        .collect();
    assert_eq!(names, ["generation", "generation-specialisation-rescue"]);
    // What the boot artifacts brought along is what is predicted from them afterwards.
    for place in 0..2 {
        let leaf = &document["generations"][place]["leaves"][0]["pcrs"];
        assert_eq!(*leaf, prediction["leaves"][place]["pcrs"]);
    }
    let keylime = read(&built[2]);
    assert_eq!(keylime["11"].as_array().unwrap().len(), 2);
    assert_eq!(keylime["mask"], json!("0x810"));
}
