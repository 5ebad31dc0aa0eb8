//! 2: after a failure at any step, what ran before boots; a refused run changes nothing.

use std::fs;
use std::time::Duration;

use crate::world::{World, store_path};

#[test]
fn invariant_2_after_a_refused_run_every_file_is_as_it_was() {
    let world = World::new();
    let running = world.add(1);
    world.boot(&running);
    world.install(&running);
    let next = world.add(2);
    let initrd = store_path("initrd-2");
    // The first run remembers its digest, and the store is damaged afterwards without a trace.
    assert_eq!(world.run(&["--dry-run", &next]).status, 0);
    fs::remove_file(world.at(&initrd)).unwrap();
    let error = world.refused(&next);
    assert!(error.contains(&initrd), "{error}");
    assert!(error.contains("nix store verify"), "{error}");
    assert_eq!(world.entries(), [1]);
}

#[test]
fn invariant_2_killed_at_any_moment_the_next_run_completes() {
    let world = World::new();
    let running = world.add(1);
    world.boot(&running);
    world.install(&running);
    let entry = world.entry(1);
    let before = fs::read(&entry).unwrap();
    let next = world.add(2);
    fs::write(world.at(&store_path("initrd-2")), vec![9; 24 << 20]).unwrap();
    for milliseconds in [5, 20, 40, 60, 80, 100, 130, 160] {
        let mut running = world.quiet(&[&next]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.kill().unwrap();
        running.wait().unwrap();
        assert_eq!(fs::read(&entry).unwrap(), before);
        assert!(
            world
                .everything("/boot")
                .keys()
                .any(|path| path.ends_with("loader.conf"))
        );
    }
    world.install(&next);
    assert_eq!(world.entries(), [1, 2]);
    let stages = world.everything("/boot");
    assert!(
        !stages.keys().any(|path| path.contains("nixos-stage-")),
        "{stages:#?}"
    );
    let again = World::new();
    again.install(&again.add(1));
    let second = again.add(2);
    fs::write(again.at(&store_path("initrd-2")), vec![9; 24 << 20]).unwrap();
    again.install(&second);
    assert_eq!(world.everything("/boot"), again.everything("/boot"));
}

#[test]
fn invariant_2_two_installers_at_once_take_turns() {
    let world = World::new();
    let toplevel = world.add(1);
    let runs: Vec<_> = (0..3)
        .map(|_| world.quiet(&[&toplevel]).spawn().unwrap())
        .collect();
    for mut run in runs {
        assert!(run.wait().unwrap().success());
    }
    assert_eq!(world.install(&toplevel)["changed"], false);
    assert_eq!(world.entries(), [1]);
}
