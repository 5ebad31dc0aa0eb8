//! 11: every profile is installed; what boots next is what was named, be it a specialisation.

use crate::sealed::inner;
use crate::world::{World, store_path};

#[test]
fn invariant_11_every_profile_is_installed_with_its_specialisations() {
    let world = World::new();
    let own = world.generation("1", &["blue"]);
    world.register(1, &own);
    let work = world.generation("work-7", &[]);
    world.register_in("/nix/var/nix/profiles/system-profiles/Work", 7, &work);
    let report = world.install(&work);
    assert_eq!(report["default"]["profile"], "Work");
    let names = world.names("loader/entries");
    assert_eq!(names.len(), 3);
    for start in ["nixos-1-", "nixos-1--blue-", "nixos--_57ork-7-"] {
        assert!(
            names.iter().any(|name| name.starts_with(start)),
            "{names:?}"
        );
    }
    assert!(world.loader_conf().contains("default nixos--_57ork-7-"));
}

#[test]
fn invariant_11_a_specialisation_can_boot_next() {
    let world = World::new();
    let own = world.generation("1", &["blue"]);
    world.register(1, &own);
    let blue = store_path("nixos-system-1-blue");
    let report = world.install(&blue);
    assert_eq!(report["default"]["specialisation"], "blue");
    assert!(world.loader_conf().contains("default nixos-1--blue-"));
}

#[test]
fn invariant_11_the_inner_path_of_a_sealed_generation_means_the_sealed_one() {
    let world = World::new();
    let sealed = world.sealed("1", &["rescue"], false);
    world.register(1, &sealed);
    let report = world.install(&inner("1"));
    assert!(report["default"]["id"].as_str().unwrap().ends_with(".efi"));
    let uki = world.entry(1);
    assert_eq!(std::fs::read(uki).unwrap(), b"image of 1");
    let report = world.install(&inner("1-rescue"));
    assert_eq!(report["default"]["specialisation"], "rescue");
}

#[test]
fn invariant_11_a_toplevel_of_no_profile_is_refused() {
    let world = World::new();
    let first = world.add(1);
    world.install(&first);
    let stray = world.generation("stray", &[]);
    let error = world.refused(&stray);
    assert!(error.contains("is no generation of any profile"), "{error}");
}

#[test]
fn invariant_11_of_two_equal_generations_the_profile_decides() {
    let world = World::new();
    let toplevel = world.generation("same", &[]);
    world.register(1, &toplevel);
    world.register(2, &toplevel);
    assert_eq!(world.install(&toplevel)["default"]["generation"], 2);
    world.register(3, &world.generation("other", &[]));
    let own = world.at("/nix/var/nix/profiles/system");
    std::fs::remove_file(&own).unwrap();
    std::os::unix::fs::symlink("system-1-link", own).unwrap();
    assert_eq!(world.install(&toplevel)["default"]["generation"], 1);
}
