//! What is in a sealed generation.

use std::fs;

use serde_json::{Value, json};

use super::{Sealed, target};
use crate::real_nix::tree;

/// What is below a generation, links by their targets, sorted.
fn names(sealed: &Sealed, generation: &str) -> Vec<String> {
    let tree = tree(&sealed.on_host(generation));
    let names = tree.iter().map(|(name, _)| name.display().to_string());
    names.collect()
}

#[test]
fn the_path_holds_uki_document_predictions_and_manifest_and_links_all_else() {
    let sealed = Sealed::build();
    let links = ["init", "initrd", "kernel", "kernel-params", "nixos-version"];
    let made = [
        "bin/.switch-to-configuration-wrapped",
        "bin/switch-to-configuration",
        "boot.json",
        "system",
        "touchstone/loader.efi",
        "touchstone/manifest.json",
        "touchstone/pcrs.json",
        "touchstone/switch.json",
        "touchstone/uki.efi",
    ];
    let mut of_rescue: Vec<String> = [&links[..], &made[..]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect();
    of_rescue.sort();
    assert_eq!(names(&sealed, &sealed.rescue), of_rescue);
    let mut of_generation = of_rescue;
    of_generation.push("specialisation/rescue".to_owned());
    of_generation.sort();
    assert_eq!(names(&sealed, &sealed.generation), of_generation);

    for generation in [&sealed.generation, &sealed.rescue] {
        let inner = sealed.inner(generation);
        let folder = sealed.on_host(generation);
        for name in links {
            assert_eq!(target(&folder.join(name)), format!("{inner}/{name}"));
        }
        let hidden = "bin/.switch-to-configuration-wrapped";
        assert_eq!(target(&folder.join(hidden)), format!("{inner}/{hidden}"));
        let name = |path: &str| path.split_once('-').unwrap().1.to_owned();
        assert_eq!(name(generation), name(&inner) + "-sealed");
    }
    let specialisation = sealed
        .on_host(&sealed.generation)
        .join("specialisation/rescue");
    assert_eq!(target(&specialisation), sealed.rescue);
}

#[test]
fn the_document_names_the_inner_paths_and_our_extension_the_sealed_one() {
    let sealed = Sealed::build();
    for generation in [&sealed.generation, &sealed.rescue] {
        let document = sealed.json(generation, "boot.json");
        let inner = sealed.inner(generation);
        for version in ["v1", "v2"] {
            let core = &document[format!("org.nixos.bootspec.{version}")];
            assert_eq!(core["init"], format!("{inner}/init"));
            assert_eq!(core["toplevel"], *inner);
        }
        assert_eq!(document["org.touchstone.v1"]["sealed"], **generation);
    }
    // Every file is the one that is described, through the links to the specialisations too.
    let inspect = sealed
        .nix
        .beside_store("store", "sha256sum")
        .args(described(&sealed))
        .output()
        .unwrap();
    let printed = String::from_utf8(inspect.stdout).unwrap();
    let digests: Vec<&str> = printed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    let wanted: Vec<Value> = files(&sealed)
        .iter()
        .map(|file| file["sha256"].clone())
        .collect();
    assert_eq!(digests, wanted);
}

/// Every file that the extension of generation 2 describes.
fn files(sealed: &Sealed) -> Vec<Value> {
    let document = sealed.json(&sealed.generation, "boot.json");
    let ours = &document["org.touchstone.v1"];
    let rescue = &ours["specialisations"]["rescue"];
    let named = [
        (&ours["uki"], "touchstone/uki.efi"),
        (&ours["loader"], "touchstone/loader.efi"),
        (&ours["pcrs"], "touchstone/pcrs.json"),
        (&ours["manifest"], "touchstone/manifest.json"),
        (&rescue["uki"], "specialisation/rescue/touchstone/uki.efi"),
        (
            &rescue["pcrs"],
            "specialisation/rescue/touchstone/pcrs.json",
        ),
    ];
    let file = |(file, path): (&Value, &str)| {
        assert_eq!(file["path"], path);
        file.clone()
    };
    named.map(file).to_vec()
}

fn described(sealed: &Sealed) -> Vec<String> {
    let path = |file: &Value| format!("{}/{}", sealed.generation, file["path"].as_str().unwrap());
    files(sealed).iter().map(path).collect()
}

#[test]
fn what_the_inner_document_says_beyond_bootspec_is_kept_to_the_byte() {
    let sealed = Sealed::build();
    let text = |path: &str| fs::read_to_string(sealed.on_host(path).join("boot.json")).unwrap();
    let (inner, outer) = (
        text(&sealed.inner(&sealed.generation)),
        text(&sealed.generation),
    );
    let extension = "\"org.nixos.systemd-boot\": {\n    \"sortKey\": \"touchstone-check\"\n  }";
    assert!(inner.contains(extension), "{inner}");
    assert!(outer.contains(extension), "{outer}");
    let document = sealed.json(&sealed.generation, "boot.json");
    let rescue = &document["org.nixos.specialisation.v2"]["rescue"];
    let sort_key = json!({ "sortKey": "touchstone-check" });
    assert_eq!(rescue["org.nixos.systemd-boot"], sort_key);
    assert!(rescue.get("org.touchstone.v1").is_none());
    // A program that appends secrets has nothing to append to.
    assert!(inner.contains("initrdSecrets") && !outer.contains("initrdSecrets"));
}

#[test]
fn the_manifest_lists_the_inner_closure_and_the_stores_own_signatures_cover_the_rest() {
    let sealed = Sealed::build();
    let manifest = sealed.json(&sealed.generation, "touchstone/manifest.json");
    let inner = sealed.inner(&sealed.generation);
    assert_eq!(manifest["toplevel"], *inner);
    let paths = |list: &[Value]| -> Vec<String> {
        let path = |entry: &Value| entry["path"].as_str().unwrap().to_owned();
        let mut paths: Vec<String> = list.iter().map(path).collect();
        paths.sort();
        paths
    };
    let listed = paths(manifest["paths"].as_array().unwrap());
    assert_eq!(listed, paths(&sealed.nix.closure(&inner)));
    assert!(!listed.contains(&sealed.generation));
}
