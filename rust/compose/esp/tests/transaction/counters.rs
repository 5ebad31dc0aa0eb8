//! Counters and blessings survive, and damage is mended under the name that is there.

use std::fs;
use std::path::Path;

use crate::watched::Watched;
use crate::world::{counted, desired, folder, install, install_on, read, uki, write};

fn names(root: &Path) -> Vec<String> {
    let listed = fs::read_dir(root.join("EFI/Linux")).unwrap();
    let mut names: Vec<String> = listed
        .map(|entry| {
            format!(
                "EFI/Linux/{}",
                entry.unwrap().file_name().into_string().unwrap()
            )
        })
        .collect();
    names.sort();
    names
}

fn rename(root: &Path, from: &str, to: &str) {
    fs::rename(root.join(from), root.join(to)).unwrap();
}

#[test]
fn a_new_entry_has_all_its_tries() {
    let root = folder();
    install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
    assert_eq!(names(root.path()), [counted(1, "+3")]);
}

#[test]
fn an_intact_entry_keeps_its_counter_or_its_blessing_or_its_badness() {
    for name in [counted(1, "+2-1"), counted(1, "+0-3"), uki(1)] {
        let root = folder();
        install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
        rename(root.path(), &counted(1, "+3"), &name);
        let watched = Watched::open(root.path());
        assert!(!install(&watched, &desired(&[1], Some(3), "loader\n")).unwrap());
        assert!(watched.changes().is_empty());
        assert_eq!(names(root.path()), [name]);
    }
}

#[test]
fn a_damaged_entry_is_replaced_under_the_name_that_it_has() {
    for name in [counted(1, "+2-1"), counted(1, "+0-3"), uki(1)] {
        let root = folder();
        install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
        let whole = read(root.path(), &counted(1, "+3"));
        rename(root.path(), &counted(1, "+3"), &name);
        let mut torn = whole.clone();
        torn[500] ^= 1;
        write(root.path(), &name, &torn);
        install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
        assert_eq!(names(root.path()), std::slice::from_ref(&name));
        assert_eq!(read(root.path(), &name), whole);
    }
}

#[test]
fn where_boots_are_not_counted_any_more_an_entry_that_was_being_tried_loses_its_counter() {
    let root = folder();
    install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
    rename(root.path(), &counted(1, "+3"), &counted(1, "+2-1"));
    let watched = Watched::open(root.path());
    install(&watched, &desired(&[1], None, "loader\n")).unwrap();
    assert_eq!(names(root.path()), [uki(1)]);
    // It is written anew: a rename that loses its power can lose the file.
    let renames = watched
        .changes()
        .into_iter()
        .filter(|step| step.starts_with("rename"));
    assert!(
        renames
            .into_iter()
            .all(|step| step.contains("nixos-stage-"))
    );
}

#[test]
fn where_boots_are_not_counted_any_more_a_bad_entry_stays_bad() {
    let root = folder();
    install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
    rename(root.path(), &counted(1, "+3"), &counted(1, "+0-3"));
    assert!(!install_on(root.path(), &desired(&[1], None, "loader\n")).unwrap());
    assert_eq!(names(root.path()), [counted(1, "+0-3")]);
}

#[test]
fn of_two_names_of_an_entry_the_intact_one_stays() {
    let root = folder();
    install_on(root.path(), &desired(&[1], Some(3), "loader\n")).unwrap();
    write(root.path(), &counted(1, "+2-1"), b"torn");
    write(root.path(), &uki(1), b"torn as well");
    let mut nothing_collected = desired(&[1], Some(3), "loader\n");
    nothing_collected.collect = false;
    install_on(root.path(), &nothing_collected).unwrap();
    assert_eq!(names(root.path()), [counted(1, "+3")]);
}
