//! Generations that their initrds verify: a manifest lies where the initrd looks for it, and only what boots next is signed here.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::json;
use touchstone_store::closure::{REGISTRY_DIR, file_name};
use touchstone_store::manifest::{Class, Entry};
use touchstone_store::{Manifest, NarInfo, PublicKey, SecretKey, StorePath, Trust};

use crate::world::{World, store_path};

/// The machine's key, or a builder's.
fn key(name: &str) -> SecretKey {
    let seed = [name.as_bytes()[0]; 32];
    SecretKey::from_seed(name, &seed.into()).unwrap()
}

fn public(name: &str) -> String {
    key(name).public_key().to_string()
}

/// A world whose generations are verified, and signed by the machine's key.
fn world(carrier: &str) -> World {
    let mut world = World::signing("trixie");
    world.write("/etc/keys/nix", key("machine").expose_text().as_bytes());
    world.settings["verify"] = json!({
        "carrier": carrier,
        "class": null,
        "keyFile": "/etc/keys/nix",
        "trustedPublicKeys": [public("machine"), public("builder")],
        "sigsNeeded": 1,
    });
    world
}

/// The closure of a toplevel, as it is in the store.
fn closure(world: &World, toplevel: &str) -> Manifest {
    let path = |text: &str| StorePath::parse(text).unwrap();
    let library = path(&world.store("library", "a library"));
    let paths = [
        (path(toplevel), BTreeSet::from([library.clone()])),
        (library, BTreeSet::new()),
    ];
    Manifest::from_store_root(world.root(), path(toplevel), paths).unwrap()
}

/// Makes a generation, registers it in the profile, and its closure as whoever imported it would.
fn add(world: &World, number: u64) -> String {
    let toplevel = world.generation(&number.to_string(), &[]);
    with_noresume(world, &toplevel);
    world.register(number, &toplevel);
    import(world, &closure(world, &toplevel));
    toplevel
}

/// Registers a closure, with its signatures.
fn import(world: &World, closure: &Manifest) {
    for entry in closure.entries() {
        let file = format!("{REGISTRY_DIR}/{}", file_name(&entry.path));
        let entry = entry.clone();
        let info = NarInfo {
            entry,
            deriver: None,
            archive: None,
        };
        world.write(&file, info.to_string());
    }
}

fn with_noresume(world: &World, toplevel: &str) {
    let file = world.at(&format!("{toplevel}/boot.json"));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(file, text.replace("\"quiet\"", "\"quiet\",\"noresume\"")).unwrap();
}

/// Where the manifest of a system lies.
fn stored(world: &World, toplevel: &str) -> PathBuf {
    let base = toplevel.rsplit('/').next().unwrap();
    world.at(&format!("/nix/var/touchstone/manifests/{base}.json"))
}

/// Whether the manifest in a file is that of a system, by this key.
fn is_signed(file: &PathBuf, toplevel: &str, by: &str) -> bool {
    let manifest = Manifest::read(&fs::read(file).unwrap()).unwrap();
    let trust = Trust::new(vec![PublicKey::parse(&public(by)).unwrap()], 1).unwrap();
    let mut entries = manifest.entries();
    manifest.toplevel().as_str() == toplevel && entries.all(|entry| trust.check(entry).is_ok())
}

fn text(file: &PathBuf) -> String {
    String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned()
}

#[test]
fn what_boots_next_is_hashed_and_signed_and_nothing_else_ever_is() {
    let world = world("sealed");
    let first = add(&world, 1);
    let report = world.install(&first);
    assert!(is_signed(&stored(&world, &first), &first, "machine"));
    let notes = report["notes"].to_string();
    assert!(notes.contains("2 paths of"), "{notes}");
    let image = text(&world.entry(1));
    let line = format!("init={first}/init quiet noresume --\n");
    assert!(image.contains(".touchstone/command-lines") && image.contains(&line));
    assert!(!image.contains(".touchstone/manifest"));

    // Neither again nor without records is anything done twice.
    let before = world.everything("/");
    assert_eq!(world.install(&first)["changed"], false);
    assert_eq!(before, world.everything("/"));

    // A generation that was never installed is not signed when another one is.
    let second = add(&world, 2);
    let third = add(&world, 3);
    let report = world.install(&third);
    assert_eq!(world.entries(), [1, 3]);
    assert_eq!(report["skipped"][0]["generation"], 2);
    let why = report["skipped"][0]["why"].as_str().unwrap();
    assert!(why.contains("never installed with one"), "{why}");
    assert!(!stored(&world, &second).exists());
    world.install(&second);
    assert_eq!(world.entries(), [1, 2, 3]);
}

#[test]
fn a_closure_that_was_tampered_with_is_not_signed() {
    let world = world("sealed");
    let toplevel = add(&world, 1);
    world.store("library", "A library");
    let error = world.refused(&toplevel);
    assert!(error.contains("-library"), "{error}");
    assert!(!stored(&world, &toplevel).exists());
}

#[test]
fn a_manifest_is_carried_where_the_initrd_looks_for_it() {
    for carrier in ["image", "esp"] {
        let mut world = world(carrier);
        world.settings["bootCounting"] = json!({ "tries": 3 });
        let first = add(&world, 1);
        world.install(&first);
        let signed = fs::read_to_string(stored(&world, &first)).unwrap();
        let image = world.entry(1);
        let name = image.file_name().unwrap().to_str().unwrap();
        let uncounted = format!("{}.efi", name.split('+').next().unwrap());
        assert_ne!(name, uncounted);
        let beside = image.with_file_name(format!("{uncounted}.extra.d/touchstone-manifest.cred"));
        assert_eq!(text(&image).contains(&signed), carrier == "image");
        assert_eq!(beside.exists(), carrier == "esp");
        if carrier == "esp" {
            assert_eq!(text(&beside), signed);
        }
        let before = world.everything("/");
        assert_eq!(world.install(&first)["changed"], false, "{carrier}");
        assert_eq!(before, world.everything("/"));
        fs::remove_dir_all(world.at("/var/lib/touchstone")).unwrap();
        assert_eq!(world.install(&first)["changed"], false, "{carrier}");

        // It goes with its image, and with its generation.
        let second = add(&world, 2);
        world.install(&second);
        fs::remove_file(world.at("/nix/var/nix/profiles/system-1-link")).unwrap();
        world.install(&second);
        assert_eq!(world.entries(), [2]);
        assert!(!beside.parent().unwrap().exists());
        assert!(!stored(&world, &first).exists() && stored(&world, &second).exists());
    }
}

#[test]
fn a_key_of_an_agents_is_asked_of_the_agent_and_of_no_file() {
    let mut world = world("sealed");
    let nobody = world.at("/nobody").display().to_string();
    world.settings["verify"]["keyFile"] = json!(format!("agent:nix?socket={nobody}"));
    let toplevel = add(&world, 1);
    let error = world.refused(&toplevel);
    assert!(error.contains(&nobody), "{error}");
    assert!(!stored(&world, &toplevel).exists());
}

#[test]
fn what_the_build_signed_needs_no_key() {
    let mut world = world("sealed");
    world.settings["images"] = json!("sealed");
    world.settings["verify"]["keyFile"] = json!(null);
    let sealed = world.sealed("1", &[], false);
    world.register(1, &sealed);
    let inner = store_path("nixos-system-1");
    let built = format!("{sealed}/touchstone/manifest.json");
    let mut manifest = closure(&world, &inner);
    world.write(&built, manifest.to_json());
    let error = world.refused(&sealed);
    assert!(error.contains("would not start it"), "{error}");
    assert!(!stored(&world, &inner).exists());

    manifest.sign(&key("somebody"));
    world.write(&built, manifest.to_json());
    assert!(world.refused(&sealed).contains("would not start it"));

    manifest.sign(&key("builder"));
    world.write(&built, manifest.to_json());
    world.install(&sealed);
    assert!(is_signed(&stored(&world, &inner), &inner, "builder"));

    // What the disk holds instead is not believed.
    manifest = closure(&world, &inner);
    fs::write(stored(&world, &inner), manifest.to_json()).unwrap();
    world.install(&sealed);
    assert!(is_signed(&stored(&world, &inner), &inner, "builder"));
}

#[test]
fn what_others_signed_is_found_where_the_build_only_listed() {
    for class in [None, Some("lab")] {
        let mut world = world("sealed");
        world.settings["images"] = json!("sealed");
        world.settings["verify"]["keyFile"] = json!(null);
        world.settings["verify"]["class"] = json!(class);
        let sealed = world.sealed("1", &[], false);
        world.register(1, &sealed);
        let inner = store_path("nixos-system-1");
        let listed = closure(&world, &inner);
        let mut signed = listed.clone();
        signed.sign(&key("builder"));
        let document = match class {
            Some(class) => signed_as_a_whole_alone(&listed, class),
            None => listed,
        };
        let built = format!("{sealed}/touchstone/manifest.json");
        world.write(&built, document.to_json());
        assert!(world.refused(&sealed).contains("would not start it"));

        // What is said of another content is not what was signed of this one.
        let larger = signed.entries().cloned().map(|entry| Entry {
            nar_size: entry.nar_size + 8,
            ..entry
        });
        let mut other = Manifest::new(signed.toplevel().clone(), larger).unwrap();
        other.sign(&key("builder"));
        import(&world, &other);
        assert!(world.refused(&sealed).contains("would not start it"));

        import(&world, &signed);
        world.install(&sealed);
        assert!(is_signed(&stored(&world, &inner), &inner, "builder"));
    }
}

/// A manifest that is signed for its class, and whose entries are not.
fn signed_as_a_whole_alone(listed: &Manifest, class: &str) -> Manifest {
    let class: Class = class.parse().unwrap();
    let bare = listed.clone().for_class(class);
    let mut signed = bare.clone();
    signed.sign(&key("builder"));
    let mut alone = bare;
    for signature in &signed.whole().unwrap().signatures {
        alone.add_signature(signature.clone());
    }
    alone
}

#[test]
fn a_machine_class_is_signed_as_well_and_two_keys_are_two() {
    let mut world = world("sealed");
    world.settings["images"] = json!("sealed");
    world.settings["verify"]["class"] = json!("lab");
    world.settings["verify"]["sigsNeeded"] = json!(2);
    let sealed = world.sealed("1", &[], false);
    world.register(1, &sealed);
    let inner = store_path("nixos-system-1");
    let mut manifest = closure(&world, &inner).for_class("lab".parse().unwrap());
    manifest.sign(&key("builder"));
    let built = format!("{sealed}/touchstone/manifest.json");
    world.write(&built, manifest.to_json());
    world.install(&sealed);
    let signed = Manifest::read(&fs::read(stored(&world, &inner)).unwrap()).unwrap();
    let keys = ["machine", "builder"].map(|name| PublicKey::parse(&public(name)).unwrap());
    let trust = Trust::new(keys.to_vec(), 2).unwrap();
    signed
        .verify_whole(&trust, &"lab".parse().unwrap())
        .unwrap();
}

#[test]
fn what_could_not_be_verified_is_refused() {
    let mut kernel = world("sealed");
    kernel.settings["images"] = json!("kernel");
    let toplevel = add(&kernel, 1);
    let error = kernel.refused(&toplevel);
    assert!(error.contains("entries of Type #1"), "{error}");

    let mut counted = world("esp");
    counted.settings["bootCounting"] = json!({ "tries": 3 });
    counted.settings["stub"] = json!(counted.program_of("stub", "bookworm"));
    let toplevel = add(&counted, 1);
    let error = counted.refused(&toplevel);
    assert!(
        error.contains("under a name with a boot counter"),
        "{error}"
    );

    let mut few = world("sealed");
    few.settings["verify"]["sigsNeeded"] = json!(3);
    let toplevel = add(&few, 1);
    assert!(few.refused(&toplevel).contains("`verify`"));
}

#[test]
fn a_policy_of_registers_that_depend_on_another_manifest_is_refused() {
    let mut world = world("esp");
    world.settings["images"] = json!("sealed");
    let policy =
        json!({ "output": "/var/lib/touchstone/policy.json", "pcrs": [11, 12], "bank": "sha256" });
    world.settings["policy"] = policy;
    let sealed = world.sealed("1", &[], true);
    world.register(1, &sealed);
    let mut manifest = closure(&world, &store_path("nixos-system-1"));
    let built = format!("{sealed}/touchstone/manifest.json");
    world.write(&built, manifest.to_json());
    let error = world.refused(&sealed);
    assert!(error.contains("PCRs 9 and 12 depend on it"), "{error}");
    manifest.sign(&key("builder"));
    world.write(&built, manifest.to_json());
    world.install(&sealed);
}
