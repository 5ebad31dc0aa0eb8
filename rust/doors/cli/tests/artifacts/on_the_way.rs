//! What stands before the UKI, and what else is in it.

use serde_json::{Value, json};

use super::{Generation, measure, sign};
use crate::support::assert_same_bytes;

fn pcrs(prediction: &Value) -> Vec<Value> {
    let leaves = prediction["leaves"].as_array().unwrap().iter();
    leaves.map(|leaf| leaf["pcrs"].clone()).collect()
}

/// Debian's shim, which Microsoft signed.
pub fn shim(generation: &Generation) {
    let files = generation.work.inputs.efi["trixie"].iter();
    let shim = files
        .map(std::path::PathBuf::from)
        .find(|file| file.ends_with("shimx64.efi.signed"))
        .unwrap();
    std::fs::copy(shim, generation.work.path("shim")).unwrap();
}

#[test]
fn shim_is_copied_as_it_is_and_measured_before_the_loader() {
    let generation = Generation::new();
    shim(&generation);
    let unenforced = json!({ "PK": "keys/PK.esl", "KEK": "keys/KEK.esl", "db": "keys/db.esl", "enabled": false });
    let measure = json!({ "secureBoot": unenforced, "withoutBootSecret": true, "pcrs": [4, 7, 9, 11, 12, 14] });
    let fields = json!({ "shim": { "image": "shim" }, "sign": sign(), "measure": measure });
    generation.make("out", fields);
    assert_same_bytes(
        "copied, given",
        &generation.work.read("out/shim.efi"),
        &generation.work.read("shim"),
    );
    assert_eq!(generation.extension("out")["shim"]["path"], "shim.efi");
    let finished = generation.run(
        &json!({ "operation": "measure.predict", "shim": { "image": "out/shim.efi" },
        "loader": "out/loader.efi", "uki": "out/uki.efi", "measure": measure }),
    );
    assert_eq!(pcrs(&generation.read("out/pcrs.json")), pcrs(&finished));
    let without = generation.predicted(json!({ "loader": "out/loader.efi", "uki": "out/uki.efi" }));
    assert_ne!(pcrs(&finished)[0]["4"], pcrs(&without)[0]["4"]);
}

#[test]
fn without_a_loader_the_firmware_starts_the_uki_itself() {
    let generation = Generation::new();
    let fields = json!({ "loader": null, "sign": sign(), "measure": measure() });
    generation.make("out", fields);
    let finished = generation.predicted(json!({ "uki": "out/uki.efi" }));
    assert_eq!(pcrs(&generation.read("out/pcrs.json")), pcrs(&finished));
    assert!(!generation.work.path("out/loader.efi").exists());
}

#[test]
fn sections_of_ones_own_and_device_trees_are_those_of_a_uki_built_by_itself() {
    let generation = Generation::new();
    let sections = json!([{ "name": ".mine", "content": "text" }, { "name": ".blob", "content": { "file": "blob" } }]);
    let parts =
        json!({ "sections": sections, "dtbauto": ["board.dtb", "blob"], "splash": "splash.bmp" });
    generation.make("out", parts.clone());
    let own = super::core("one", &["console=ttyS0"]);
    let mut request = json!({ "operation": "uki.assemble", "stub": "stub", "linux": own["kernel"], "initrds": own["initrds"],
        "cmdline": format!("init={} console=ttyS0", own["init"].as_str().unwrap()),
        "osRelease": "ID=check\nPRETTY_NAME=Check\n", "output": "alone.efi" });
    for (name, value) in parts.as_object().unwrap() {
        request[name] = value.clone();
    }
    generation.run(&request);
    assert_same_bytes(
        "of a generation, alone",
        &generation.work.read("out/uki.efi"),
        &generation.work.read("alone.efi"),
    );
}

#[test]
fn the_device_tree_that_the_machine_takes_is_said_and_measured() {
    let generation = Generation::new();
    let taken = json!({ "numbered": 1 });
    let fields = json!({ "dtbauto": ["board.dtb", "blob"], "deviceTree": taken, "sign": sign(), "measure": measure() });
    generation.make("out", fields);
    let entry = json!({ "uki": "out/uki.efi", "deviceTree": taken });
    let finished = generation.predicted(json!({ "loader": "out/loader.efi", "entries": [entry] }));
    assert_eq!(pcrs(&generation.read("out/pcrs.json")), pcrs(&finished));
}
