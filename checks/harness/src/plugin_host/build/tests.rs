//! Steps on files of their own.

use super::*;

#[test]
fn reads_how_far_ninja_is() {
    assert_eq!(steps_of("[12/88] Compiling C++ object a.o"), Some((12, 88)));
    assert_eq!(steps_of("ninja: Entering directory `build'"), None);
    assert_eq!(steps_of("[a/b] c"), None);
}

#[test]
fn an_edit_of_other_sources_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let edit = Edit {
        file: "a",
        from: "old",
        to: "new",
    };
    fs::write(folder.path().join("a"), "older, old").unwrap();
    apply(&edit, folder.path()).unwrap();
    assert_eq!(
        fs::read_to_string(folder.path().join("a")).unwrap(),
        "newer, new"
    );
    let error = apply(&edit, folder.path()).unwrap_err().to_string();
    assert!(error.contains("a of Debian's source package"), "{error}");
}

#[test]
fn a_step_that_fails_shows_the_end_of_what_it_said() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join(LOG);
    let mut command = Command::new("sh");
    command.args(["-c", "seq 100; echo broken >&2; exit 3"]);
    let error = step(command, &log, |_| {}).unwrap_err().to_string();
    assert!(
        error.contains("broken") && error.contains("\n100"),
        "{error}"
    );
    assert!(!error.contains("\n50\n"), "{error}");
}
