//! The state file: what was hashed is not hashed again, unless there is doubt.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use touchstone_esp::{Observed, Plan, Silent, Trust, Verified, transact};

use crate::watched::Watched;
use crate::world::{counted, desired, folder, path, uki, write};

/// Installs as an installer does, and tells which entries were read.
fn run(root: &Path, state: &Path, trust: Trust) -> Vec<String> {
    let desired = desired(&[1, 2], Some(3), "loader\n");
    let watched = Watched::open(root);
    let mut verified = Verified::read(state);
    let observed = Observed::look(&watched, &desired).unwrap();
    let mut digests = verified.digests("/boot", trust);
    let plan = Plan::make(&watched, &desired, &observed, &mut digests).unwrap();
    let steps = watched.notes.steps.borrow().clone();
    transact(&[(&watched, &plan)], &mut Silent).unwrap();
    digests.written(&watched, &plan).unwrap();
    verified.keep(digests);
    verified.write(state).unwrap();
    let opened = steps.iter().filter_map(|step| step.strip_prefix("open "));
    let entries = opened.filter(|name| name.starts_with("EFI/Linux/"));
    entries.map(str::to_owned).collect()
}

fn installed() -> (TempDir, TempDir) {
    let (root, state) = (folder(), folder());
    let read = run(
        root.path(),
        &state.path().join("var/esp.json"),
        Trust::default(),
    );
    assert!(read.is_empty());
    (root, state)
}

#[test]
fn what_was_written_is_believed_and_the_state_file_is_written_once() {
    let (root, state) = installed();
    let state = state.path().join("var/esp.json");
    // Another file each time that it is written.
    let written = fs::metadata(&state).unwrap().ino();
    assert!(run(root.path(), &state, Trust::default()).is_empty());
    assert_eq!(fs::metadata(&state).unwrap().ino(), written);
    assert_eq!(fs::read_dir(state.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn the_files_that_decide_are_hashed_whatever_their_counter() {
    let (root, state) = installed();
    let trust = Trust {
        always: vec![path(&uki(2))],
        nothing: false,
    };
    let read = run(root.path(), &state.path().join("var/esp.json"), trust);
    assert_eq!(read, [counted(2, "+3")]);
}

#[test]
fn another_time_stamp_is_a_doubt() {
    let (root, state) = installed();
    let file = fs::File::options()
        .write(true)
        .open(root.path().join(counted(1, "+3")))
        .unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600))
        .unwrap();
    let state = state.path().join("var/esp.json");
    assert_eq!(
        run(root.path(), &state, Trust::default()),
        [counted(1, "+3")]
    );
    assert!(run(root.path(), &state, Trust::default()).is_empty());
}

#[test]
fn another_size_is_damage_without_reading() {
    let (root, state) = installed();
    let whole = fs::read(root.path().join(counted(1, "+3"))).unwrap();
    write(root.path(), &counted(1, "+3"), b"torn");
    assert!(
        run(
            root.path(),
            &state.path().join("var/esp.json"),
            Trust::default()
        )
        .is_empty()
    );
    assert_eq!(fs::read(root.path().join(counted(1, "+3"))).unwrap(), whole);
}

#[test]
fn a_renamed_entry_is_read_once() {
    let (root, state) = installed();
    fs::rename(
        root.path().join(counted(1, "+3")),
        root.path().join(counted(1, "+2-1")),
    )
    .unwrap();
    let state = state.path().join("var/esp.json");
    assert_eq!(
        run(root.path(), &state, Trust::default()),
        [counted(1, "+2-1")]
    );
    assert!(run(root.path(), &state, Trust::default()).is_empty());
}

#[test]
fn everything_is_read_when_nothing_is_believed_or_the_state_is_not_readable() {
    let (root, state) = installed();
    let state = state.path().join("var/esp.json");
    let nothing = Trust {
        always: Vec::new(),
        nothing: true,
    };
    assert_eq!(run(root.path(), &state, nothing).len(), 2);
    for damaged in [
        "",
        "{}",
        "[]",
        "{\"version\":2,\"volumes\":{}}",
        "{\"version\":1,\"volumes\":{},\"more\":1}",
    ] {
        fs::write(&state, damaged).unwrap();
        assert_eq!(
            run(root.path(), &state, Trust::default()).len(),
            2,
            "{damaged}"
        );
    }
    fs::remove_file(&state).unwrap();
    assert_eq!(run(root.path(), &state, Trust::default()).len(), 2);
}

#[test]
fn a_record_that_lies_about_a_file_is_caught_where_it_decides() {
    let (root, state) = installed();
    let state = state.path().join("var/esp.json");
    let entry = root.path().join(counted(2, "+3"));
    let (whole, was) = (
        fs::read(&entry).unwrap(),
        fs::metadata(&entry).unwrap().modified().unwrap(),
    );
    let mut torn = whole.clone();
    torn[0] ^= 1;
    fs::write(&entry, torn).unwrap();
    fs::File::options()
        .write(true)
        .open(&entry)
        .unwrap()
        .set_modified(was)
        .unwrap();
    assert!(run(root.path(), &state, Trust::default()).is_empty());
    let always = vec![path(&uki(2))];
    run(
        root.path(),
        &state,
        Trust {
            always,
            nothing: false,
        },
    );
    assert_eq!(fs::read(&entry).unwrap(), whole);
}

#[test]
fn files_whose_names_do_not_tell_what_they_hold_are_read_at_each_run() {
    let (root, state) = installed();
    let loader = root.path().join("EFI/BOOT/BOOTX64.EFI");
    let (whole, was) = (
        fs::read(&loader).unwrap(),
        fs::metadata(&loader).unwrap().modified().unwrap(),
    );
    fs::write(&loader, whole.to_ascii_uppercase()).unwrap();
    let file = fs::File::options().write(true).open(&loader).unwrap();
    file.set_modified(was).unwrap();
    run(
        root.path(),
        &state.path().join("var/esp.json"),
        Trust::default(),
    );
    assert_eq!(fs::read(&loader).unwrap(), whole);
}
