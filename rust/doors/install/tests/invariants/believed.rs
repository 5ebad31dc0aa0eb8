//! 4: a file is believed only if its content matches its name.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use crate::world::World;

/// Damages a file; its size and time stamp tell nothing.
fn damage(file: &Path) {
    let modified = fs::metadata(file).unwrap().modified().unwrap();
    let mut content = fs::read(file).unwrap();
    content[0] ^= 1;
    fs::write(file, content).unwrap();
    date(file, modified);
}

fn date(file: &Path, modified: SystemTime) {
    let open = fs::File::options().write(true).open(file).unwrap();
    open.set_modified(modified).unwrap();
}

#[test]
fn invariant_4_what_boots_next_and_what_runs_are_read_at_each_run() {
    let world = World::new();
    let running = world.add(1);
    world.boot(&running);
    let next = world.add(2);
    world.install(&next);
    let whole = world.everything("/boot");
    for number in [1, 2] {
        damage(&world.entry(number));
        assert_eq!(world.install(&next)["changed"], true, "generation {number}");
        assert_eq!(world.everything("/boot"), whole);
    }
    let kernel = world.names("EFI/nixos");
    let kernel = kernel
        .iter()
        .find(|name| name.ends_with("-linux.efi"))
        .unwrap();
    damage(&world.at("/boot/EFI/nixos").join(kernel));
    world.install(&next);
    assert_eq!(world.everything("/boot"), whole);
}

#[test]
fn invariant_4_others_are_believed_by_size_and_time_unless_all_are_to_be_read() {
    let world = World::new();
    world.add(1);
    let next = world.add(2);
    world.install(&next);
    let whole = world.everything("/boot");
    let old = world.entry(1);
    damage(&old);
    assert_eq!(world.install(&next)["changed"], false);
    let said = world.run(&["--verify", &next]);
    assert_eq!(said.report["changed"], true);
    assert_eq!(world.everything("/boot"), whole);
    damage(&old);
    date(&old, SystemTime::UNIX_EPOCH);
    assert_eq!(world.install(&next)["changed"], true);
    assert_eq!(world.everything("/boot"), whole);
}

#[test]
fn invariant_4_without_its_records_everything_is_read_again() {
    let world = World::new();
    world.add(1);
    let next = world.add(2);
    world.install(&next);
    let whole = world.everything("/boot");
    damage(&world.entry(1));
    fs::remove_dir_all(world.at("/var/lib/touchstone")).unwrap();
    assert_eq!(world.install(&next)["changed"], true);
    assert_eq!(world.everything("/boot"), whole);
    for name in ["esp.json", "esp.known.json"] {
        fs::write(world.at("/var/lib/touchstone").join(name), "{ torn").unwrap();
    }
    assert_eq!(world.install(&next)["changed"], false);
}
