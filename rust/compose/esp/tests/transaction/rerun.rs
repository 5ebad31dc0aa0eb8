//! The second run looks, and does nothing.

use touchstone_esp::{FileSystem, Observed, Plan, Silent, Trust, Verified, transact};

use crate::watched::Watched;
use crate::world::{desired, everything, folder, install_on};

#[test]
fn a_second_run_writes_nothing_and_lists_each_folder_once() {
    let root = folder();
    let generations: Vec<u32> = (1..=100).collect();
    let desired = desired(&generations, Some(3), "loader\n");
    install_on(root.path(), &desired).unwrap();
    let was = everything(root.path());

    let mut state = Verified::default();
    for known in [false, true] {
        let watched = Watched::open(root.path());
        let observed = Observed::look(&watched, &desired).unwrap();
        let mut digests = state.digests("/boot", Trust::default());
        let plan = Plan::make(&watched, &desired, &observed, &mut digests).unwrap();
        assert!(plan.is_empty());
        transact(&[(&watched, &plan)], &mut Silent).unwrap();
        digests.written(&watched, &plan).unwrap();
        state.keep(digests);
        assert!(watched.changes().is_empty());
        let steps = watched.notes.steps.borrow();
        let of = |what: &str| steps.iter().filter(|step| step.starts_with(what)).count();
        // The root, EFI and four folders in it, loader. What is known is not read, but for files of one name.
        assert_eq!((of("list"), of("room")), (7, 1), "{steps:#?}");
        assert_eq!(of("open"), if known { 4 } else { 104 });
    }
    assert_eq!(everything(root.path()), was);
    assert_eq!(
        Watched::open(root.path()).name(),
        root.path().to_str().unwrap()
    );
}
