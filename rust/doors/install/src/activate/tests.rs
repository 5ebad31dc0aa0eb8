use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;

use super::*;
use crate::Host;

fn machine() -> (tempfile::TempDir, Host) {
    let root = tempfile::tempdir().unwrap();
    for folder in ["nix/store", "nix/var/nix/profiles"] {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    let host = Host::new(root.path());
    (root, host)
}

/// A store path without a closure: profiles look no further.
fn toplevel(host: &Host, letter: char) -> StorePath {
    let hash: String = std::iter::repeat_n(letter, 32).collect();
    let path = StorePath::parse(&format!("/nix/store/{hash}-nixos-system-test")).unwrap();
    fs::create_dir_all(host.at(path.as_str())).unwrap();
    path
}

fn set(host: &Host, profile: Option<&str>, path: &StorePath) -> (Generation, Before) {
    let profile = Profile::of(host, profile).unwrap();
    profile.make_folder().unwrap();
    profile.lock(&silent).unwrap().set(path, &silent).unwrap()
}

fn silent(_: &str) {}

fn rollback_of(host: &Host, profile: &str) -> String {
    let watch = Watch {
        waiting: &silent,
        verified: &|_, _| (),
    };
    let refused = rollback(host, Some(profile), &watch, &mut |_| Ok(()));
    refused.unwrap_err().to_string()
}

/// Names and targets of the links in a folder.
fn links(host: &Host, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(host.at(folder)).unwrap();
    let mut links: Vec<String> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let target = fs::read_link(entry.path()).unwrap_or_default();
            let target = target.to_string_lossy().replace("/nix/store/", "");
            let short: String = target.chars().take(14).collect();
            format!("{} {short}", entry.file_name().to_string_lossy())
        })
        .collect();
    links.sort();
    links
}

const PROFILES: &str = "/nix/var/nix/profiles";

#[test]
fn the_first_generation_makes_the_profile() {
    let (_root, host) = machine();
    let a = toplevel(&host, 'a');
    let (generation, _) = set(&host, None, &a);
    assert_eq!(generation.number, 1);
    assert_eq!(
        links(&host, PROFILES),
        ["system system-1-link", "system-1-link aaaaaaaaaaaaaa"]
    );
}

#[test]
fn the_newest_generation_is_used_again_when_it_is_the_same_path() {
    let (_root, host) = machine();
    let (a, b) = (toplevel(&host, 'a'), toplevel(&host, 'b'));
    for path in [&a, &a, &b, &a, &a] {
        set(&host, None, path);
    }
    let profile = Profile::of(&host, None).unwrap();
    let numbers = profile.generations().unwrap();
    assert_eq!((numbers.all.len(), numbers.current), (3, Some(3)));
}

#[test]
fn another_profile_has_generations_of_its_own() {
    let (_root, host) = machine();
    let a = toplevel(&host, 'a');
    set(&host, None, &a);
    let (generation, _) = set(&host, Some("work"), &a);
    assert_eq!(generation.number, 1);
    let found = links(&host, "/nix/var/nix/profiles/system-profiles");
    assert_eq!(found, ["work work-1-link", "work-1-link aaaaaaaaaaaaaa"]);
    let nothing = rollback_of(&host, "play");
    assert!(
        nothing.contains("no generation before its current one"),
        "{nothing}"
    );
    assert!(
        !host
            .at("/nix/var/nix/profiles/system-profiles/play.lock")
            .exists()
    );
    for wrong in ["", "..", "a/b"] {
        assert!(matches!(
            Profile::of(&host, Some(wrong)),
            Err(ProfileError::Name(_))
        ));
    }
}

#[test]
fn the_generation_before_the_current_one_is_not_always_the_last_but_one() {
    let (_root, host) = machine();
    for letter in ['a', 'b', 'c', 'd'] {
        set(&host, None, &toplevel(&host, letter));
    }
    let folder = host.at(PROFILES);
    fs::remove_file(folder.join("system-2-link")).unwrap();
    let profile = Profile::of(&host, None).unwrap();
    let locked = profile.lock(&silent).unwrap();
    assert_eq!(locked.rollback().unwrap().0.number, 3);
    assert_eq!(locked.rollback().unwrap().0.number, 1);
    let nothing = locked.rollback().unwrap_err().to_string();
    assert!(
        nothing.contains("no generation before its current one, 1"),
        "{nothing}"
    );
    // A new generation comes behind the newest, not behind the current one.
    let (made, _) = locked.set(&toplevel(&host, 'f'), &silent).unwrap();
    assert_eq!(made.number, 5);
}

#[test]
fn what_cannot_be_installed_leaves_the_profile_as_it_was() {
    let (_root, host) = machine();
    set(&host, None, &toplevel(&host, 'a'));
    let before = links(&host, PROFILES);
    let profile = Profile::of(&host, None).unwrap();
    let locked = profile.lock(&silent).unwrap();
    let (_, change) = locked.set(&toplevel(&host, 'b'), &silent).unwrap();
    let refused = finish(&locked, &change, Err("no room".into()))
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("no room") && refused.contains("as it was before"),
        "{refused}"
    );
    drop(locked);
    assert_eq!(links(&host, PROFILES), before);
    let (_root, host) = machine();
    let profile = Profile::of(&host, None).unwrap();
    let locked = profile.lock(&silent).unwrap();
    let (_, change) = locked.set(&toplevel(&host, 'a'), &silent).unwrap();
    locked.restore(&change).unwrap();
    drop(locked);
    assert!(
        links(&host, PROFILES).is_empty(),
        "there was no profile before"
    );
}

#[test]
fn a_rollback_that_cannot_be_installed_goes_forward_again() {
    let (_root, host) = machine();
    let (a, b) = (toplevel(&host, 'a'), toplevel(&host, 'b'));
    set(&host, None, &a);
    set(&host, None, &b);
    let before = links(&host, PROFILES);
    let asked = RefCell::new(Vec::new());
    let watch = Watch {
        waiting: &silent,
        verified: &|_, _| (),
    };
    let mut refuse = |path: &Path| {
        asked.borrow_mut().push(path.to_owned());
        Err("it is not signed".into())
    };
    assert!(rollback(&host, None, &watch, &mut refuse).is_err());
    assert_eq!(links(&host, PROFILES), before);
    assert_eq!(*asked.borrow(), [PathBuf::from(a.as_str())]);
    let done = rollback(&host, None, &watch, &mut |_| Ok(())).unwrap();
    assert_eq!((done.generation, done.profile), (1, host.system_profile()));
    assert_eq!(links(&host, PROFILES)[0], "system system-1-link");
}

#[test]
fn links_that_no_profile_has_are_no_generations() {
    let (_root, host) = machine();
    set(&host, None, &toplevel(&host, 'a'));
    let folder = host.at(PROFILES);
    for name in [
        "system-x-link",
        "system-+7-link",
        "system-8",
        "systemd-9-link",
        "per-user",
    ] {
        symlink("/nix/store", folder.join(name)).unwrap();
    }
    // What follows `-link` is passed over by Nix.
    symlink("/nix/store", folder.join("system-3-link.old")).unwrap();
    let profile = Profile::of(&host, None).unwrap();
    let numbers: Vec<u64> = profile
        .generations()
        .unwrap()
        .all
        .iter()
        .map(|g| g.number)
        .collect();
    assert_eq!(numbers, [1, 3]);
    assert_eq!(set(&host, None, &toplevel(&host, 'b')).0.number, 4);
}

#[test]
fn a_path_that_garbage_collection_took_becomes_no_generation() {
    let (_root, host) = machine();
    let path = toplevel(&host, 'a');
    fs::remove_dir(host.at(path.as_str())).unwrap();
    let profile = Profile::of(&host, None).unwrap();
    let refused = profile.lock(&silent).unwrap().set(&path, &silent);
    assert!(matches!(refused, Err(ProfileError::Collected(_))));
    assert!(links(&host, PROFILES).is_empty());
}

#[test]
fn nothing_happens_while_another_program_has_the_profile() {
    let (_root, host) = machine();
    let a = toplevel(&host, 'a');
    let profile = Profile::of(&host, None).unwrap();
    let held = profile.lock(&silent).unwrap();
    assert!(host.at("/nix/var/nix/profiles/system.lock").exists());
    let (told, waits) = std::sync::mpsc::channel();
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let waiting = |message: &str| told.send(message.to_owned()).unwrap();
            profile
                .lock(&waiting)
                .unwrap()
                .set(&a, &silent)
                .unwrap()
                .0
                .number
        });
        let message = waits.recv().unwrap();
        assert_eq!(
            message,
            "waiting for lock on profile '/nix/var/nix/profiles/system'"
        );
        assert_eq!(profile.generations().unwrap().all, []);
        drop(held);
        assert_eq!(other.join().unwrap(), 1);
    });
    assert!(!host.at("/nix/var/nix/profiles/system.lock").exists());
}
