//! Whatever fails before the commit, everything is as it was; whatever fails after it, nothing new is lost.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use touchstone_esp::{Content, Desired, TransactionError};

use crate::scenario::{after, before};
use crate::watched::{EIO, ENOSPC, Fault, Watched, When};
use crate::world::{Bad, copy, counted, desired, everything, folder, install, install_on};

type Files = BTreeMap<PathBuf, Option<[u8; 32]>>;

struct World {
    before: TempDir,
    was: Files,
    desired: Desired,
    will_be: Files,
    steps: Vec<String>,
}

fn world() -> World {
    let (before, desired) = (before(), after());
    let root = folder();
    copy(before.path(), root.path());
    let watched = Watched::open(root.path());
    install(&watched, &desired).unwrap();
    let steps = watched.notes.steps.borrow().clone();
    World {
        was: everything(before.path()),
        before,
        desired,
        will_be: everything(root.path()),
        steps,
    }
}

impl World {
    fn with(&self, fault: Fault) -> (TempDir, Result<bool, Bad>) {
        let root = folder();
        copy(self.before.path(), root.path());
        let result = install(&Watched::failing(root.path(), fault), &self.desired);
        (root, result)
    }

    fn completes(&self, root: &Path, what: &str) {
        install_on(root, &self.desired).unwrap_or_else(|bad| panic!("{what}: {bad:?}"));
        assert_eq!(everything(root), self.will_be, "{what}, then again");
    }

    /// What a failure left, when it is over.
    fn check(&self, root: &Path, result: Result<bool, Bad>, what: &str) {
        match result {
            Err(Bad::Refused(_) | Bad::Failed(TransactionError::Undone(_))) => {
                assert_eq!(everything(root), self.was, "{what}");
            }
            Err(Bad::Failed(TransactionError::Collection(_))) => self.has_all_new(root, what),
            Err(Bad::Failed(other)) => panic!("{what}: {other}"),
            // What could not be read was taken for damaged, and replaced.
            Ok(_) => assert_eq!(everything(root), self.will_be, "{what}"),
        }
        self.completes(root, what);
    }

    fn has_all_new(&self, root: &Path, what: &str) {
        let is = everything(root);
        for (name, digest) in &self.will_be {
            assert_eq!(is.get(name), Some(digest), "{what}: {}", name.display());
        }
    }
}

#[test]
fn an_error_at_any_step_leaves_all_files_as_they_were_or_all_new_ones_in_place() {
    let world = world();
    assert!(world.steps.len() > 50, "{:#?}", world.steps);
    for error in [EIO, ENOSPC] {
        for when in [When::Before, When::After] {
            for (step, name) in world.steps.iter().enumerate() {
                let fault = Fault {
                    step,
                    error,
                    when,
                    lasting: false,
                };
                let (root, result) = world.with(fault);
                world.check(root.path(), result, &format!("{fault:?} at {name}"));
            }
        }
    }
}

#[test]
fn a_disk_that_is_full_from_any_step_on_leaves_all_files_as_they_were() {
    let world = world();
    for (step, name) in world.steps.iter().enumerate() {
        let fault = Fault {
            step,
            error: ENOSPC,
            when: When::Before,
            lasting: true,
        };
        let (root, result) = world.with(fault);
        world.check(root.path(), result, &format!("full at {name}"));
    }
}

#[test]
fn a_disk_that_fails_for_good_at_any_step_leaves_every_file_whole_and_the_next_run_completes() {
    let world = world();
    for (step, name) in world.steps.iter().enumerate() {
        let fault = Fault {
            step,
            error: EIO,
            when: When::Before,
            lasting: true,
        };
        let (root, _) = world.with(fault);
        let is = everything(root.path());
        for (file, was) in &world.was {
            let now = is.get(file);
            let goes = !world.will_be.contains_key(file);
            let whole =
                now == Some(was) || now == world.will_be.get(file) || (goes && now.is_none());
            assert!(whole, "gone at {name}: {}", file.display());
        }
        world.completes(root.path(), &format!("gone at {name}"));
    }
}

#[test]
fn a_source_that_changed_is_found_before_anything_is_published() {
    let (root, sources) = (folder(), folder());
    install_on(root.path(), &desired(&[1], None, "loader\n")).unwrap();
    let was = everything(root.path());
    let source = sources.path().join("kernel.efi");
    fs::write(&source, b"kernel 2, changed").unwrap();
    for (size, sha256) in [(8, [7; 32]), (17, [7; 32]), (100, [7; 32])] {
        let mut desired = desired(&[1, 2], None, "loader\n");
        desired.entries[1].content = Content::Copy {
            source: source.clone(),
            size,
            sha256,
        };
        let refused = install_on(root.path(), &desired).unwrap_err();
        let Bad::Failed(error @ TransactionError::Undone(_)) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            error
                .to_string()
                .contains("kernel.efi is not what was to be copied"),
            "{error}"
        );
        assert_eq!(everything(root.path()), was);
    }
}

#[test]
fn when_one_of_two_file_systems_fails_both_are_as_they_were() {
    use touchstone_esp::{Observed, Plan, Silent, Trust, Verified, transact};
    let (one, other) = (before(), before());
    let (was, desired) = (everything(one.path()), after());
    let failing = Watched::open(other.path());
    let good = Watched::open(one.path());
    let mut steps = 0;
    loop {
        let mut digests = [&good, &failing].map(|fs| {
            use touchstone_esp::FileSystem;
            Verified::default().digests(fs.name(), Trust::default())
        });
        failing.notes.fault.set(None);
        let looked = [&good, &failing].map(|fs| Observed::look(fs, &desired).unwrap());
        let plans = [
            Plan::make(&good, &desired, &looked[0], &mut digests[0]).unwrap(),
            Plan::make(&failing, &desired, &looked[1], &mut digests[1]).unwrap(),
        ];
        failing.notes.fault.set(Some(Fault {
            step: failing.count() + steps,
            error: EIO,
            when: When::Before,
            lasting: false,
        }));
        match transact(&[(&good, &plans[0]), (&failing, &plans[1])], &mut Silent) {
            Err(TransactionError::Undone(failure)) => {
                assert!(
                    failure
                        .to_string()
                        .contains(&other.path().display().to_string())
                );
                assert_eq!(everything(one.path()), was);
                assert_eq!(everything(other.path()), was);
            }
            // From the commit on.
            _ => break,
        }
        steps += 1;
    }
    assert!(steps > 40, "{steps}");
    assert!(one.path().join(counted(4, "+3")).exists());
}
