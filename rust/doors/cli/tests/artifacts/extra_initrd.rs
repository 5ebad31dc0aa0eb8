//! The extra initrd, by which stage 1 knows what it is to verify.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_store::SecretKey;

use super::{Generation, core, measure, merged, sign, store};
use crate::real_nix::assert_same_tree;
use crate::support::assert_same_bytes;

/// The files and folders of an archive "newc" that ends somewhere in these bytes, with their content.
fn members(mut rest: &[u8]) -> BTreeMap<String, String> {
    let number =
        |bytes: &[u8]| usize::from_str_radix(std::str::from_utf8(bytes).unwrap(), 16).unwrap();
    let mut members = BTreeMap::new();
    loop {
        assert_eq!(&rest[..6], b"070701");
        let (size, name_size) = (number(&rest[54..62]), number(&rest[94..102]));
        let name = String::from_utf8(rest[110..110 + name_size - 1].to_vec()).unwrap();
        let content = (110 + name_size).next_multiple_of(4);
        if name == "TRAILER!!!" {
            return members;
        }
        let text = rest[content..content + size].to_vec();
        members.insert(name, String::from_utf8(text).unwrap());
        rest = &rest[(content + size).next_multiple_of(4)..];
    }
}

/// What stands behind the initrd of a UKI.
fn extra(generation: &Generation, uki: &str) -> BTreeMap<String, String> {
    let (uki, initrd) = (generation.work.read(uki), generation.work.read("initrd"));
    let mut places = uki.windows(initrd.len());
    let start = places.position(|bytes| bytes == initrd).unwrap();
    members(&uki[start + initrd.len().next_multiple_of(4)..])
}

/// A command line of the system of that name.
fn line(name: &str, parameters: &str) -> String {
    let toplevel = store(&format!("nixos-system-{name}"));
    format!("init={toplevel}/init noresume {parameters} --")
}

/// What the request of a verified generation has beside its usual fields.
fn verified(fields: Value) -> Value {
    let own = json!({ "bootspec": core("one", &["noresume", "quiet"]), "verify": {} });
    merged(own, fields)
}

/// The list that Nix would give of the closure of a system: itself, and what it refers to.
fn closure(name: &str) -> Value {
    let path = |path: String, references: &[&str]| {
        json!({ "path": path, "narHash": "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", "narSize": 120,
            "references": references })
    };
    let (toplevel, library) = (store(&format!("nixos-system-{name}")), store("library"));
    json!([
        path(toplevel.clone(), &[&toplevel, &library]),
        path(library.clone(), &[])
    ])
}

/// Makes the manifest of a system, `NAME.json`, signed by a key of its own.
fn signed_manifest(generation: &Generation, name: &str) -> String {
    let key = SecretKey::from_seed("touchstone-test-manifest", &[7; 32].into()).unwrap();
    let text = key.expose_text();
    generation.work.write("manifest.key", text.as_bytes());
    generation.run(&json!({ "operation": "manifest.create", "output": "unsigned.json", "closure": closure(name),
        "toplevel": store(&format!("nixos-system-{name}")) }));
    let file = format!("{name}.json");
    generation.run(&json!({ "operation": "manifest.sign", "manifest": "unsigned.json", "key": "manifest.key", "output": file }));
    file
}

#[test]
fn the_command_lines_of_all_profiles_lie_behind_the_initrd() {
    let generation = Generation::new();
    let profiles = json!([{ "id": "debug", "kernelParams": ["debug"] }]);
    generation.make("out", verified(json!({ "profiles": profiles })));
    let lines = format!("{}\n{}\n", line("one", "quiet"), line("one", "quiet debug"));
    let expected = [
        (".touchstone".to_owned(), String::new()),
        (".touchstone/command-lines".to_owned(), lines),
    ];
    assert_eq!(extra(&generation, "out/uki.efi"), BTreeMap::from(expected));
}

#[test]
fn a_signed_manifest_lies_beside_them_and_in_the_folder() {
    let generation = Generation::new();
    let manifest = signed_manifest(&generation, "one");
    let fields = json!({ "verify": { "manifest": manifest }, "closure": closure("one") });
    let answer = generation.make("out", verified(fields));
    assert_eq!(
        answer["manifest"]["signedBy"],
        json!(["touchstone-test-manifest"])
    );
    let signed = generation.work.read(&manifest);
    let carried = extra(&generation, "out/uki.efi");
    assert_eq!(carried[".touchstone/manifest"].as_bytes(), signed);
    assert_same_bytes(
        "published, signed",
        &generation.work.read("out/manifest.json"),
        &signed,
    );

    // One that is carried elsewhere is published, too.
    let fields = json!({ "manifest": manifest, "closure": closure("one") });
    generation.make("beside", verified(fields));
    assert_same_bytes(
        "published, signed",
        &generation.work.read("beside/manifest.json"),
        &signed,
    );
    let carried = extra(&generation, "beside/uki.efi");
    assert!(!carried.contains_key(".touchstone/manifest"));
}

#[test]
fn what_is_predicted_while_it_is_written_is_what_the_finished_image_gives() {
    let generation = Generation::new();
    let manifest = signed_manifest(&generation, "one");
    let verify = json!({ "manifest": manifest });
    let fields = json!({ "verify": verify, "sign": sign(), "measure": measure(), "closure": closure("one") });
    generation.make("out", verified(fields));
    let finished =
        generation.predicted(json!({ "loader": "out/loader.efi", "uki": "out/uki.efi" }));
    let values = |prediction: &Value| {
        let leaves = prediction["leaves"].as_array().unwrap().iter();
        leaves.map(|leaf| leaf["pcrs"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(values(&generation.read("out/pcrs.json")), values(&finished));

    let parts = |verify: Value| {
        let core = core("one", &[]);
        json!({ "stub": "stub", "linux": core["kernel"], "initrds": core["initrds"], "osRelease": "ID=check\nPRETTY_NAME=Check\n",
            "cmdline": line("one", "quiet"), "verify": verify })
    };
    let ukis = json!({ "carried": parts(verify.clone()), "elsewhere": parts(json!({})), "with": parts(verify) });
    let measured = generation.run(&json!({ "operation": "measure.parts", "ukis": ukis }));
    let inspected = generation.json(&["uki", "inspect", "--json", "out/uki.efi"]);
    let pcr11 = |name: &str| measured["ukis"][name][0]["pcrs"]["11"]["sha256"][""].clone();
    assert_eq!(
        pcr11("carried"),
        inspected["profiles"][0]["pcr11"]["sha256"]
    );
    assert!(pcr11("carried").is_string());
    assert_eq!(pcr11("carried"), pcr11("with"));
    assert_ne!(pcr11("carried"), pcr11("elsewhere"));
}

#[test]
fn a_manifest_that_lies_beside_the_image_is_part_of_what_is_predicted() {
    let generation = Generation::new();
    let manifest = signed_manifest(&generation, "one");
    let fields = json!({ "verify": { "manifest": manifest, "carrier": "esp" }, "sign": sign(), "measure": measure(),
        "closure": closure("one") });
    generation.make("made", verified(fields));
    assert!(!extra(&generation, "made/uki.efi").contains_key(".touchstone/manifest"));
    assert_same_bytes(
        "published, signed",
        &generation.work.read("made/manifest.json"),
        &generation.work.read(&manifest),
    );
    let beside = json!({ "touchstone-manifest.cred": "made/manifest.json" });
    let entry = json!({ "name": "one", "uki": "made/uki.efi", "extra": beside });
    let finished = generation.predicted(json!({ "loader": "made/loader.efi", "entries": [entry] }));
    let values = |prediction: &Value| prediction["leaves"][0]["pcrs"].clone();
    let made = generation.read("made/pcrs.json");
    assert_eq!(values(&made), values(&finished));
    assert_ne!(values(&made)["12"]["sha256"], json!("0".repeat(64)));

    let fields = json!({ "verify": { "carrier": "esp" }, "measure": measure() });
    let output = generation.refused(verified(fields));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("PCRs 9 and 12 depend on it"), "{said}");
}

#[test]
fn specialisations_carry_what_is_theirs() {
    let generation = Generation::new();
    let mut bootspec = core("one", &["noresume", "quiet"]);
    bootspec["specialisations"] = json!({ "other": core("other", &["noresume", "loud"]) });
    let (own, other) = (
        signed_manifest(&generation, "one"),
        signed_manifest(&generation, "other"),
    );
    let verify = json!({ "manifest": own, "specialisations": { "other": other } });
    let fields = json!({ "bootspec": bootspec, "verify": verify });
    generation.make("out", verified(fields));
    let carried = extra(&generation, "out/specialisation/other/uki.efi");
    assert_eq!(
        carried[".touchstone/command-lines"],
        format!("{}\n", line("other", "loud"))
    );
    assert_eq!(
        carried[".touchstone/manifest"].as_bytes(),
        generation.work.read(&other)
    );

    // Those that are profiles are named in the one image.
    let fields = json!({ "bootspec": bootspec, "verify": {}, "shareSpecialisations": true });
    generation.make("shared", verified(fields));
    assert_eq!(
        extra(&generation, "shared/uki.efi")[".touchstone/command-lines"],
        format!("{}\n{}\n", line("one", "quiet"), line("other", "loud"))
    );
}

#[test]
fn the_shorthand_makes_the_same_image() {
    let generation = Generation::new();
    generation.make("out", verified(json!({ "osRelease": null })));
    let core = core("one", &[]);
    let file = |field: &Value| field.as_str().unwrap().to_owned();
    let (kernel, initrd) = (file(&core["kernel"]), file(&core["initrds"][0]));
    let line = line("one", "quiet");
    let build = ["uki", "build", "--stub", "stub", "--verify", "--json"];
    let parts = ["--linux", &kernel, "--initrd", &initrd, "--cmdline", &line];
    generation.json(&[&build[..], &parts, &["--output", "alone.efi"]].concat());
    assert_same_bytes(
        "of boot.artifacts, of uki build",
        &generation.work.read("out/uki.efi"),
        &generation.work.read("alone.efi"),
    );
}

#[test]
fn an_image_that_could_not_be_verified_is_refused() {
    let generation = Generation::new();
    let (own, other) = (
        signed_manifest(&generation, "one"),
        signed_manifest(&generation, "other"),
    );
    let with = |parameters: &[&str]| json!({ "bootspec": core("one", parameters) });
    let mut shared = core("one", &["noresume", "quiet"]);
    shared["specialisations"] = json!({ "other": core("other", &["noresume", "loud"]) });
    let long = "x".repeat(2048);
    let refused: [(Value, &str); 7] = [
        (with(&[&long, "--"]), "the kernel keeps 2047"),
        (
            json!({ "verify": { "manifest": other } }),
            "and the image boots",
        ),
        (
            json!({ "verify": { "manifest": own }, "bootspec": shared }),
            "none for the specialisation `other`",
        ),
        (
            json!({ "verify": { "manifest": own }, "bootspec": shared, "shareSpecialisations": true }),
            "and the image boots",
        ),
        (
            json!({ "manifest": other, "closure": closure("one") }),
            "and not of",
        ),
        (
            json!({ "verify": { "manifest": own }, "manifest": own, "closure": closure("one") }),
            "both `manifest` and",
        ),
        (
            json!({ "verify": { "manifest": own }, "manifestKey": "manifest.key", "closure": closure("one") }),
            "leave `manifestKey` out",
        ),
    ];
    for (fields, message) in refused {
        let output = generation.refused(verified(fields));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(message), "{said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
    }
    let assemble = |fields: Value| {
        let own = json!({ "operation": "uki.assemble", "stub": "stub", "linux": store("linux"), "initrds": [store("initrd")],
            "cmdline": line("one", "quiet"), "verify": {}, "output": "out.efi" });
        generation
            .work
            .write("request.json", merged(own, fields).to_string());
        let output = generation.touchstone(&["run", "request.json"]);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = assemble(json!({ "cmdline": "quiet noresume --" }));
    assert!(
        said.contains("does not name `init=` exactly once"),
        "{said}"
    );
    let said = assemble(json!({ "cmdline": "init=/bin/sh noresume --" }));
    assert!(
        said.contains("not the program `init` of a store path"),
        "{said}"
    );
    let said = assemble(json!({ "cmdline": line("one", "quiet").trim_end_matches(" --") }));
    assert!(said.contains("does not end with the word `--`"), "{said}");
    let said = assemble(json!({ "cmdline": line("one", "quiet\u{1}") }));
    assert!(said.contains("printable ASCII alone"), "{said}");
    let said = assemble(json!({ "cmdline": line("one", "quiet").replace("noresume", "resume") }));
    assert!(said.contains("lacks the word `noresume`"), "{said}");
    let said = assemble(json!({ "initrds": [] }));
    assert!(said.contains("no kernel with an initrd"), "{said}");
    let said = assemble(json!({ "profile": "ID=main" }));
    assert!(said.contains("images of profiles"), "{said}");
}

#[test]
fn artifacts_are_judged_with_what_their_initrds_carry() {
    let generation = Generation::new();
    let mut bootspec = core("one", &["noresume", "quiet"]);
    bootspec["specialisations"] = json!({ "other": core("other", &["noresume", "loud"]) });
    let own = signed_manifest(&generation, "one");
    let other = signed_manifest(&generation, "other");
    let broken = |folder: &str| {
        let output = generation.touchstone(&["boot", "verify", "--json", folder]);
        let verdict: Value = serde_json::from_slice(&output.stdout).unwrap();
        let findings = verdict["findings"].as_array().unwrap().iter();
        let rules = findings.map(|one| one["rule"].as_str().unwrap().to_owned());
        rules.collect::<Vec<_>>()
    };
    for (folder, share, verify) in [
        ("own", false, json!({})),
        ("shared", true, json!({})),
        (
            "carried",
            false,
            json!({ "manifest": own, "specialisations": { "other": other } }),
        ),
    ] {
        let fields = json!({ "bootspec": bootspec, "verify": verify, "shareSpecialisations": share, "closure": closure("one") });
        generation.make(folder, verified(fields));
        assert_eq!(broken(folder), [""; 0], "{folder}");
    }
    // An image whose initrd names another system, in the place of the generation's own.
    let mut document = generation.read("carried/boot.json");
    let extension = &mut document["org.touchstone.v1"];
    extension["uki"] = extension["specialisations"]["other"]["uki"].clone();
    let text = document.to_string();
    generation.work.write("carried/boot.json", text);
    let found = broken("carried");
    assert!(found.contains(&"initrd".to_owned()), "{found:?}");
}

#[test]
fn signatures_made_elsewhere_speak_of_it() {
    let generation = Generation::new();
    let manifest = signed_manifest(&generation, "one");
    let fields = |signed: Value| {
        let own = json!({ "verify": { "manifest": manifest }, "closure": closure("one") });
        verified(merged(own, signed))
    };
    generation.make("unsigned", fields(json!({})));
    let certificate = ["--certificate", "keys/db.pem", "--json", "--output"];
    generation.json(
        &[
            &["boot", "requests"],
            &certificate[..],
            &["requests", "unsigned"],
        ]
        .concat(),
    );
    let key = ["boot", "sign", "--key", "keys/db.key"];
    generation.json(&[&key[..], &certificate, &["signatures", "requests"]].concat());
    let detached = json!({ "certificate": "keys/db.pem", "signatures": "signatures" });
    generation.make(
        "detached",
        fields(json!({ "detached": detached, "measure": measure() })),
    );
    generation.make(
        "at-once",
        fields(json!({ "sign": sign(), "measure": measure() })),
    );
    assert_same_tree(
        "detached, at once",
        &generation.work.path("detached"),
        &generation.work.path("at-once"),
    );
}
