//! `touchstone-install boot` and `rollback`.

use std::fs;

use serde_json::json;

use crate::world::{World, key};

#[test]
fn a_signed_generation_becomes_what_boots_next_and_is_counted() {
    let world = World::new();
    let second = world.generation("2");
    let answer = world.done(&["boot", second.as_str()]);
    assert_eq!(answer["generation"], 2);
    assert_eq!(answer["profile"], "/nix/var/nix/profiles/system");
    assert_eq!(answer["verified"]["paths"], 3);
    assert_eq!(answer["counted"], true);
    assert_eq!(answer["installed"]["default"]["generation"], 2);
    let base = second.base_name();
    assert_eq!(world.profile()[0], "system system-2-link");
    assert_eq!(world.profile()[2], format!("system-2-link {base}"));
    assert_eq!(world.entry(2).count.unwrap().left, 3);
    // Again: the newest generation is the same path, and keeps its counter.
    world.count(2, "+2-1");
    assert_eq!(world.done(&["boot", second.as_str()])["generation"], 2);
    assert_eq!(world.profile().len(), 3);
    assert_eq!(world.entry(2).count.unwrap().left, 2);
}

#[test]
fn text_tells_what_was_done() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!(null);
    let second = world.generation("2");
    let said = world.run(&["boot", second.as_str()]);
    assert_eq!(said.status, 0, "{}", said.error);
    for part in [
        "verified 3 store paths",
        "/nix/var/nix/profiles/system is now generation 2",
        "boots next: ",
        "its boots are not counted",
        "restart the machine",
    ] {
        assert!(said.text.contains(part), "{part} in {}", said.text);
    }
}

#[test]
fn refuses_a_closure_that_nobody_signed_or_somebody_else() {
    let world = World::new();
    let unsigned = world.generation_signed("2", None);
    assert!(
        world
            .refused(&["boot", unsigned.as_str()])
            .contains("is not trusted")
    );
    let stranger = key("stranger", 2);
    let other = world.generation_signed("3", Some(&stranger));
    assert!(
        world
            .refused(&["boot", other.as_str()])
            .contains("is not trusted")
    );
}

#[test]
fn a_generation_that_trusts_its_own_signer_is_refused_all_the_same() {
    let mut world = World::new();
    let stranger = key("cache", 2);
    world.settings["trustedPublicKeys"] = json!([stranger.public_key().to_string()]);
    let other = world.generation_signed("2", Some(&stranger));
    assert!(
        world
            .refused(&["boot", other.as_str()])
            .contains("is not trusted")
    );
}

#[test]
fn refuses_what_the_disk_does_not_hold_as_it_was_signed() {
    let world = World::new();
    let second = world.generation("2");
    world.write(&format!("{second}/init"), "something else");
    let refused = world.refused(&["boot", second.as_str()]);
    assert!(refused.contains("is not what was signed"), "{refused}");
    assert!(
        refused.contains("help: the disk does not hold"),
        "{refused}"
    );
    // Not the toplevel alone: everything that it refers to.
    let third = world.generation("3");
    let initrd = world.in_store("initrd-3");
    fs::write(&initrd, "another initrd").unwrap();
    let refused = world.refused(&["boot", third.as_str()]);
    assert!(
        refused.contains("initrd-3 is not what was signed"),
        "{refused}"
    );
    fs::remove_dir_all(world.at(third.as_str())).unwrap();
    assert!(
        world
            .refused(&["boot", third.as_str()])
            .contains("cannot be found")
    );
}

#[test]
fn signatures_may_come_from_a_folder() {
    let world = World::new();
    let second = world.generation("2");
    fs::rename(world.at("/nix/var/touchstone/valid"), world.at("/cache")).unwrap();
    let refused = world.refused(&["boot", second.as_str()]);
    assert!(
        refused.contains("nothing is known of") && refused.contains("--signatures"),
        "{refused}"
    );
    let cache = world.at("/cache").display().to_string();
    world.done(&["boot", second.as_str(), "--signatures", &cache]);
}

#[test]
fn refuses_when_the_running_system_trusts_nobody() {
    let mut world = World::new();
    let second = world.generation("2");
    let first = fs::read_link(world.at("/run/current-system")).unwrap();
    world.settings["trustedPublicKeys"] = json!([]);
    let settings = world.settings.to_string();
    world.write(
        &format!("{}/touchstone/install.json", first.display()),
        settings,
    );
    assert!(
        world
            .refused(&["boot", second.as_str()])
            .contains("trusts no key")
    );
    fs::remove_file(world.at("/run/current-system")).unwrap();
    assert!(
        world
            .refused(&["boot", second.as_str()])
            .contains("whom the running system trusts")
    );
}

#[test]
fn what_cannot_be_installed_does_not_become_a_generation() {
    let mut world = World::new();
    world.settings["volumes"] = json!([{ "esp": "/efi", "xbootldr": null }]);
    let second = world.generation("2");
    let refused = world.refused(&["boot", second.as_str()]);
    assert!(refused.contains("the profile /nix/var/nix/profiles/system is as it was before"));
    let refused = world.refused(&["boot", second.as_str(), "--profile", "work"]);
    assert!(
        refused.contains("system-profiles/work is as it was before"),
        "{refused}"
    );
}

#[test]
fn another_profile_is_booted_by_its_name() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!(null);
    let second = world.generation("2");
    let answer = world.done(&["boot", second.as_str(), "--profile", "work"]);
    assert_eq!(
        answer["link"],
        "/nix/var/nix/profiles/system-profiles/work-1-link"
    );
    assert_eq!(answer["installed"]["default"]["profile"], "work");
    assert!(
        world
            .entries()
            .iter()
            .any(|name| name.starts_with("nixos--work-1-"))
    );
}

#[test]
fn goes_back_to_the_generation_before_the_current_one() {
    let mut world = World::new();
    world.settings["bootCounting"] = json!(null);
    for name in ["2", "3"] {
        world.done(&["boot", world.generation(name).as_str()]);
    }
    fs::remove_file(world.at("/nix/var/nix/profiles/system-2-link")).unwrap();
    let answer = world.done(&["rollback"]);
    assert_eq!(
        (&answer["generation"], &answer["verified"]),
        (&json!(1), &json!(null))
    );
    assert_eq!(world.profile()[0], "system system-1-link");
    let conf = fs::read_to_string(world.at("/boot/loader/loader.conf")).unwrap();
    assert!(conf.contains(&world.entry(1).id()), "{conf}");
    assert!(
        world
            .refused(&["rollback"])
            .contains("no generation before its current one, 1")
    );
}

/// With counting, systemd-boot before 260 starts what it sorts first: a newer generation has to be bad for an older one to come before it.
#[test]
fn where_boots_are_counted_what_is_left_behind_is_marked_bad_first() {
    let world = World::new();
    for name in ["2", "3"] {
        world.done(&["boot", world.generation(name).as_str()]);
    }
    let refused = world.refused(&["rollback"]);
    assert!(
        refused.contains("would start") && refused.contains("is as it was before"),
        "{refused}"
    );
    world.done(&["bad", &world.entry(3).id()]);
    assert_eq!(world.done(&["rollback"])["generation"], 2);
    assert_eq!(world.profile()[0], "system system-2-link");
}
