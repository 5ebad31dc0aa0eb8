//! Profiles of a generation's UKI: of its own, and specialisations that share it.

use serde_json::{Value, json};

use super::{Generation, core, measure, sign, with_specialisations};
use crate::support::assert_same_bytes;

fn leaves(prediction: &Value) -> Vec<Value> {
    let leaves = prediction["leaves"].as_array().unwrap().iter();
    leaves.map(|leaf| leaf["pcrs"].clone()).collect()
}

/// The digests of all sections of a name, in their order.
fn sections(generation: &Generation, file: &str, name: &str) -> Vec<String> {
    let inspected = generation.json(&["uki", "inspect", "--json", file]);
    let sections = inspected["sections"].as_array().unwrap().iter();
    let sections = sections.filter(|section| section["name"] == name);
    let digest = |section: &Value| section["digests"]["sha256"].as_str().unwrap().to_owned();
    sections.map(digest).collect()
}

fn two_profiles() -> Value {
    json!([
        { "id": "debug", "title": "With all messages", "kernelParams": ["debug", "loglevel=7"] },
        { "id": "plain" },
    ])
}

/// `ukify` makes these images of temporary ones; so does `uki.assemble`, which is compared with `ukify` elsewhere.
#[test]
fn a_uki_with_profiles_is_the_one_that_joined_images_give() {
    let generation = Generation::new();
    generation.work.addon_stub("trixie", "x64", "addon-stub");
    for compat in [257, 262] {
        let output = format!("out-{compat}");
        let fields = json!({ "profiles": two_profiles(), "compat": compat });
        let answer = generation.make(&output, fields);
        assert_eq!(answer["profiles"], json!(["main", "debug", "plain"]));

        let own = core("one", &["console=ttyS0"]);
        let line = format!("init={} console=ttyS0", own["init"].as_str().unwrap());
        let profile = |text: &str, cmdline: &str, output: &str| {
            generation.run(
                &json!({ "operation": "uki.assemble", "stub": "addon-stub", "profile": text,
                "cmdline": cmdline, "compat": compat, "output": output }),
            );
        };
        profile(
            "ID=debug\nTITLE=With all messages",
            &format!("{line} debug loglevel=7"),
            "debug.efi",
        );
        profile("ID=plain", &line, "plain.efi");
        generation.run(&json!({ "operation": "uki.assemble", "stub": "stub", "linux": own["kernel"], "initrds": own["initrds"],
            "cmdline": line, "osRelease": "ID=check\nPRETTY_NAME=Check\n", "joinProfiles": ["debug.efi", "plain.efi"],
            "compat": compat, "output": "joined.efi" }));
        assert_same_bytes(
            "of texts, of images",
            &generation.work.read(&format!("{output}/uki.efi")),
            &generation.work.read("joined.efi"),
        );
    }
}

#[test]
fn boot_json_lists_the_profiles_and_each_has_a_leaf_of_its_own() {
    let generation = Generation::new();
    let fields = json!({ "profiles": two_profiles(), "sign": sign(), "measure": measure() });
    generation.make("out", fields);
    let extension = generation.extension("out");
    assert_eq!(
        extension["uki"]["profiles"],
        json!([{ "id": "main" }, { "id": "debug", "title": "With all messages" }, { "id": "plain" }])
    );
    let written = generation.read("out/pcrs.json");
    assert_eq!(written["leaves"].as_array().unwrap().len(), 3);
    let finished =
        generation.predicted(json!({ "loader": "out/loader.efi", "uki": "out/uki.efi" }));
    assert_eq!(leaves(&written), leaves(&finished));
}

#[test]
fn each_uki_of_a_generation_has_the_profiles() {
    let generation = Generation::new();
    let fields = json!({ "bootspec": with_specialisations(), "profiles": two_profiles() });
    generation.make("out", fields);
    let extension = generation.extension("out");
    for name in ["quiet", "loud", "rescue"] {
        let uki = &extension["specialisations"][name]["uki"];
        assert_eq!(uki["profiles"], extension["uki"]["profiles"], "{name}");
        let inspected = generation.json(&[
            "uki",
            "inspect",
            "--json",
            &format!("out/specialisation/{name}/uki.efi"),
        ]);
        let profiles = inspected["profiles"].as_array().unwrap();
        assert_eq!(profiles.len(), 3, "{name}");
    }
}

#[test]
fn specialisations_that_differ_in_their_command_line_alone_share_one_uki() {
    let generation = Generation::new();
    let fields = json!({ "bootspec": with_specialisations(), "shareSpecialisations": true, "sign": sign(), "measure": measure() });
    let answer = generation.make("out", fields);
    assert_eq!(answer["shared"], json!(["loud", "quiet"]));
    let own: Vec<&String> = answer["specialisations"]
        .as_object()
        .unwrap()
        .keys()
        .collect();
    assert_eq!(own, ["rescue"]);

    let extension = generation.extension("out");
    for (number, name) in [(1, "loud"), (2, "quiet")] {
        let one = &extension["specialisations"][name];
        assert_eq!(one["uki"], extension["uki"], "{name}");
        assert_eq!(one["profile"], name);
        assert!(
            !generation
                .work
                .path(&format!("out/specialisation/{name}/uki.efi"))
                .exists()
        );
        let written = generation.read(&format!("out/specialisation/{name}/pcrs.json"));
        let entry = json!({ "uki": "out/uki.efi", "profile": number });
        let finished =
            generation.predicted(json!({ "loader": "out/loader.efi", "entries": [entry] }));
        assert_eq!(leaves(&written), leaves(&finished), "{name}");
        assert_eq!(leaves(&written).len(), 1);
    }
    // What the generation itself gives is what it gives without sharing: one leaf.
    let written = generation.read("out/pcrs.json");
    let first = json!({ "uki": "out/uki.efi", "profile": 0 });
    let finished = generation.predicted(json!({ "loader": "out/loader.efi", "entries": [first] }));
    assert_eq!(leaves(&written), leaves(&finished));

    // Documents of all generations find each specialisation.
    let kept = [json!({ "name": "1", "prediction": "out" })];
    let reference =
        json!({ "operation": "reference.create", "generations": kept, "output": "reference.json" });
    let names = [
        "1",
        "1-specialisation-loud",
        "1-specialisation-quiet",
        "1-specialisation-rescue",
    ];
    assert_eq!(generation.run(&reference)["generations"], json!(names));

    let rescue = &extension["specialisations"]["rescue"];
    assert_eq!(rescue["uki"]["path"], "specialisation/rescue/uki.efi");
    assert_eq!(rescue.get("profile"), None);
}

#[test]
fn a_shared_specialisation_boots_with_the_command_line_of_its_own_uki() {
    let generation = Generation::new();
    generation.make("alone", json!({ "bootspec": with_specialisations() }));
    generation.make(
        "shared",
        json!({ "bootspec": with_specialisations(), "shareSpecialisations": true }),
    );
    let alone = sections(
        &generation,
        "alone/specialisation/quiet/uki.efi",
        ".cmdline",
    );
    let shared = sections(&generation, "shared/uki.efi", ".cmdline");
    assert_eq!(shared.len(), 3);
    assert_eq!(alone, shared[2..]);
}

#[test]
fn each_profile_has_signatures_of_its_own_values() {
    let generation = Generation::new();
    let fields = json!({ "profiles": two_profiles(), "sign": sign(),
        "pcrSign": { "keys": [{ "key": "keys/db.key" }] } });
    generation.make("out", fields);
    let signatures = sections(&generation, "out/uki.efi", ".pcrsig");
    assert_eq!(signatures.len(), 3);
    assert!(signatures[0] != signatures[1]);
    // The command line is that of the UKI itself, and `.profile` is not.
    assert!(signatures[0] != signatures[2]);
}
