//! Generations that are refused, and nothing is made.

use serde_json::{Value, json};

use super::{Generation, measure, sign, with_specialisations};
use crate::refusals::{Refusal, assert_one_error};

fn refused(generation: &Generation, fields: Value, facts: &[&str]) {
    let refusal = Refusal::new("request.refused", "", facts);
    assert_one_error(&generation.refused(fields), &refusal);
}

#[test]
fn profiles_that_no_boot_menu_could_tell_apart() {
    let generation = Generation::new();
    let one = json!({ "id": "one" });
    for (profiles, facts) in [
        (json!([one, one]), vec!["two profiles `one`"]),
        (json!([{ "id": "main" }]), vec!["two profiles `main`"]),
        (json!([{ "id": "a b" }]), vec!["`a b`", "no profile's ID"]),
        (json!([{ "id": "" }]), vec!["no profile's ID"]),
        (
            json!([{ "id": "one", "title": "" }]),
            vec!["`one`", "no profile's title"],
        ),
        (
            json!([{ "id": "one", "title": "a\nID=other" }]),
            vec!["no profile's title"],
        ),
        (
            json!([{ "id": "one", "title": "\"quoted\"" }]),
            vec!["no profile's title"],
        ),
    ] {
        refused(&generation, json!({ "profiles": profiles }), &facts);
    }
}

#[test]
fn parameters_of_a_profile_that_no_document_may_have() {
    let generation = Generation::new();
    for parameter in ["init=/bin/sh", "a\nb"] {
        let profiles = json!([{ "id": "one", "kernelParams": [parameter] }]);
        refused(
            &generation,
            json!({ "profiles": profiles }),
            &["the profile `one`", "kernelParams"],
        );
    }
}

#[test]
fn profiles_for_a_stub_that_knows_none() {
    let generation = Generation::new();
    generation.work.stub("bookworm", "x64", "stub");
    let facts = ["systemd 252", "knows no profiles"];
    refused(
        &generation,
        json!({ "profiles": [{ "id": "one" }] }),
        &facts,
    );
    let shared = json!({ "bootspec": with_specialisations(), "shareSpecialisations": true });
    refused(&generation, shared, &facts);
}

#[test]
fn a_shared_specialisation_whose_name_is_no_profiles() {
    let generation = Generation::new();
    let mut bootspec = with_specialisations();
    bootspec["specialisations"]["with space"] = super::core("spaced", &["quiet"]);
    let fields = json!({ "bootspec": bootspec, "shareSpecialisations": true });
    refused(&generation, fields, &["`with space`", "no profile's ID"]);
}

#[test]
fn a_shared_specialisation_that_nobody_could_choose() {
    let generation = Generation::new();
    let fields = json!({ "bootspec": with_specialisations(), "shareSpecialisations": true, "loader": null,
        "sign": sign(), "measure": measure() });
    refused(&generation, fields, &["without a boot loader"]);
}

#[test]
fn a_section_that_the_uki_has_already() {
    let generation = Generation::new();
    let fields = json!({ "sections": [{ "name": ".cmdline", "content": "quiet" }] });
    let refusal = Refusal::new("uki.refused", "", &[".cmdline"]);
    assert_one_error(&generation.refused(fields), &refusal);
}

#[test]
fn a_sealed_generation_whose_specialisations_should_be_profiles() {
    let generation = Generation::new();
    let mut own = super::core("one", &["console=ttyS0"]);
    let inner = own["toplevel"].as_str().unwrap().trim_start_matches('/');
    let inner = generation.work.path(inner);
    std::fs::create_dir(&inner).unwrap();
    own["operation"] = json!("bootspec.emit");
    own["output"] = json!(inner.join("boot.json"));
    generation.run(&own);
    let sealed = json!({ "path": super::store("nixos-system-sealed") });
    let fields = json!({ "seal": sealed, "shareSpecialisations": true });
    refused(&generation, fields, &["sealed by themselves"]);
}
