//! Programs inside an unpacked root.
#![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use touchstone_harness::{inputs, nix::output};

#[test]
fn a_program_sees_the_root_and_what_it_is_shown_and_nothing_else_of_the_host() {
    let host = tempfile::tempdir().unwrap();
    fs::write(host.path().join("shown"), "from the host").unwrap();
    let script = "cat shown; echo; test -e /etc/apt/sources.list.d && echo host; touch new 2>/dev/null || echo closed";
    let mut command = inputs()
        .trixie()
        .visit()
        .show(host.path())
        .folder(host.path())
        .command("sh")
        .unwrap();
    command.args(["-c", script]);
    assert_eq!(output(command).unwrap(), "from the host\nclosed\n");
}

#[test]
fn the_root_itself_cannot_be_changed_and_a_bound_folder_can() {
    let host = tempfile::tempdir().unwrap();
    let script = "touch /usr/new /etc/new 2>/dev/null; echo from inside >new";
    let mut command = inputs()
        .trixie()
        .visit()
        .bind(host.path())
        .folder(host.path())
        .command("sh")
        .unwrap();
    output({
        command.args(["-c", script]);
        command
    })
    .unwrap();
    let written = fs::read_to_string(host.path().join("new")).unwrap();
    assert_eq!(written, "from inside\n");
    let root = inputs().trixie();
    assert!(!root.path().join("usr/new").exists() && !root.path().join("etc/new").exists());
}

#[test]
fn the_exit_status_of_the_program_comes_out_and_a_signal_as_128_and_its_number() {
    let status = |script: &str| {
        let mut command: Command = inputs().trixie().command("sh").unwrap();
        command.args(["-c", script]).status().unwrap().code()
    };
    assert_eq!(status("exit 7"), Some(7));
    assert_eq!(status("kill -9 $$"), Some(137));
}

#[test]
fn a_missing_program_and_a_missing_folder_are_named() {
    let visit = inputs().trixie().visit();
    let said = output(visit.command("no-such-program").unwrap()).unwrap_err();
    assert!(said.to_string().contains("no-such-program"), "{said}");
    let said = output(visit.show("/no/such/folder").command("true").unwrap()).unwrap_err();
    assert!(said.to_string().contains("/no/such/folder"), "{said}");
}

#[test]
fn killing_the_visit_ends_everything_inside() {
    let host = tempfile::tempdir().unwrap();
    let script = "(while :; do echo >>beat; sleep 0.05; done) & wait";
    let mut child = inputs()
        .trixie()
        .visit()
        .bind(host.path())
        .folder(host.path())
        .command("sh")
        .unwrap()
        .args(["-c", script])
        .spawn()
        .unwrap();
    let beat = host.path().join("beat");
    let length = || fs::metadata(&beat).map_or(0, |file| file.len());
    let begun = Instant::now();
    while length() == 0 && begun.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(length() > 0, "the program inside never ran");
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let last = length();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(length(), last, "a program inside outlived its visit");
}
