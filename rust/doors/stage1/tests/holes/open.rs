//! Holes 6 and 7, which are open: these tests say how far the check goes, and fail when the page no longer says so.

use crate::trial::{Trial, changed, recorded};

#[test]
fn hole_6_is_open_what_changes_after_the_check_is_not_noticed() {
    let trial = Trial::new();
    assert_eq!(trial.refusal(), None);
    // The boot goes on. Nothing looks at the file again, unless somebody asks once more.
    let path = trial.path("many-0-o1");
    changed(
        &trial.closure.on_host(&path).join("share/library"),
        "whatever an attacker likes",
    );
    trial.refused(&[&path, "is not what was signed"]);
    recorded(6, "open");
}

#[test]
fn hole_7_is_open_an_old_system_that_was_signed_still_passes() {
    let trial = Trial::new();
    assert_eq!(trial.refusal(), None);
    // A newer system by the same key changes nothing: no image, manifest or signature says how old a system may be.
    let newer = trial.path("many-0-o1");
    trial.closure.sign("one", &[newer]).unwrap();
    assert_eq!(trial.refusal(), None);
    recorded(7, "open");
}
