//! When a sealed generation is another, and when it is the same.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use super::{ATTRIBUTES, Sealed};
use crate::doors::references_graph;
use crate::real_nix::{assert_same_tree, tree};

#[test]
fn rebuilding_gives_the_same_bytes_here_and_in_another_store() {
    let sealed = Sealed::build();
    // Nix builds again and compares.
    let mut again = sealed.nix.store("store").command("nix-build").unwrap();
    again.args(sealed.nix.expressions());
    again.args(["--no-out-link", "--check"]);
    again.args(ATTRIBUTES.iter().flat_map(|name| ["-A", name]));
    output(again).unwrap();

    let elsewhere = sealed.nix.build("elsewhere", &ATTRIBUTES);
    assert_eq!(elsewhere, [&*sealed.generation, &*sealed.rescue]);
    for path in &elsewhere {
        let other = sealed.nix.store("elsewhere").on_host(path);
        assert_same_tree(path, &sealed.on_host(path), &other);
    }
}

#[test]
fn the_command_line_makes_the_same_bytes_as_the_builder() {
    let sealed = Sealed::build();
    let mut request = sealed.nix.evaluate("sealedRequest");
    assert_eq!(request["seal"]["path"], json!({ "$output": "out" }));
    request["seal"]["path"] = json!(sealed.generation);
    request["output"] = json!(sealed.nix.work.path("made"));
    request["closure"] = references_graph(&sealed.nix);
    sealed.nix.work.write("request.json", request.to_string());
    let mut run = sealed.nix.touchstone_beside_store();
    run.args(["run", "request.json"]);
    output(run).unwrap();
    let made = sealed.nix.work.path("made");
    assert_same_tree("sealed", &made, &sealed.on_host(&sealed.generation));
}

#[test]
fn the_example_of_the_page_makes_the_same_generation() {
    let sealed = Sealed::build();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../docs/sealed.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, example) = page.split_once("\n```nix\n").unwrap();
    let (example, _) = example.split_once("\n```\n").unwrap();
    sealed.nix.work.write("example.nix", example);
    assert_eq!(
        sealed.nix.build("store", &["documented"]),
        [&*sealed.rescue]
    );
    // The list below is the page's.
    for file in CHANGED {
        assert!(page.contains(&format!("\n| `{file}` | ")), "{file}");
    }
}

/// What a kernel parameter of the generation changes in it: the command line is in the UKI, and in the inner generation, to which the
/// links lead. docs/sealed.md has the same list.
const CHANGED: [&str; 5] = [
    "boot.json",
    "touchstone/manifest.json",
    "touchstone/pcrs.json",
    "touchstone/switch.json",
    "touchstone/uki.efi",
];

#[test]
fn a_kernel_parameter_changes_exactly_the_files_that_it_must() {
    let sealed = Sealed::build();
    let other = sealed.nix.build("store", &["otherwise.generation2"]);
    let files = |path: &str| -> BTreeMap<PathBuf, Vec<u8>> {
        tree(&sealed.on_host(path)).into_iter().collect()
    };
    let (ours, theirs) = (files(&sealed.generation), files(&other[0]));
    let names = |files: &BTreeMap<PathBuf, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&ours), names(&theirs));
    let is_link = |content: &[u8]| content.starts_with("→".as_bytes());
    let changed = ours
        .iter()
        .filter(|(name, content)| theirs[*name] != **content);
    let (links, changed): (Vec<_>, Vec<_>) = changed.partition(|(_, content)| is_link(content));
    let changed: Vec<&str> = changed
        .iter()
        .filter_map(|(name, _)| name.to_str())
        .collect();
    assert_eq!(changed, CHANGED);
    // Every link to the inner generation leads to the other one; the specialisation is the same.
    let inner = sealed.inner(&sealed.generation);
    let to_inner = |(_, content): &(&PathBuf, &Vec<u8>)| {
        String::from_utf8_lossy(content).starts_with(&format!("→ {inner}/"))
    };
    assert!(links.iter().all(to_inner), "{links:?}");
    let all_links = ours.iter().filter(|(_, content)| is_link(content));
    let same: Vec<&str> = all_links
        .filter(|link| !to_inner(link))
        .filter_map(|(name, _)| name.to_str())
        .collect();
    assert_eq!(same, ["specialisation/rescue"]);
    assert_moved_registers(&sealed, &other[0]);
}

/// The UKI is another image (PCR 4) with another section `.cmdline` (PCR 11), and the kernel measures what it is told (PCR 9).
fn assert_moved_registers(sealed: &Sealed, other: &str) {
    let registers = |generation: &str| -> Value {
        sealed.json(generation, "touchstone/pcrs.json")["leaves"][0]["pcrs"].clone()
    };
    let (ours, theirs) = (registers(&sealed.generation), registers(other));
    let moved: Vec<&String> = ours
        .as_object()
        .unwrap()
        .iter()
        .filter(|(register, value)| theirs[*register] != **value)
        .map(|(register, _)| register)
        .collect();
    assert_eq!(moved, ["4", "9", "11"]);
}
