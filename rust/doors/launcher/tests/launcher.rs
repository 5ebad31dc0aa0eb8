//! The real program in a generation made for it, which has the program that shows what it was given.
#![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const LAUNCHER: &str = env!("CARGO_BIN_EXE_touchstone-launcher");

/// What every case starts: it prints its environment, or what `cat` is given by name.
const ENV: &str = "/usr/bin/env";

/// A sealed generation in all that concerns the launcher.
struct Sealed {
    folder: TempDir,
}

impl Sealed {
    fn with(document: Option<&str>) -> Sealed {
        let folder = tempfile::tempdir().unwrap();
        let sealed = folder.path().join("sealed");
        for inner in ["bin", "touchstone"] {
            fs::create_dir_all(sealed.join(inner)).unwrap();
        }
        fs::copy(LAUNCHER, sealed.join("bin/switch-to-configuration")).unwrap();
        if let Some(document) = document {
            fs::write(sealed.join("touchstone/switch.json"), document).unwrap();
        }
        Sealed { folder }
    }

    /// One whose program is `env`, with the sealed path in a variable.
    fn showing() -> Sealed {
        let sealed = Sealed::with(None);
        let text = format!(
            r#"{{"program":"{ENV}","environment":{{"TOPLEVEL":"{}"}}}}"#,
            sealed.path("sealed").display()
        );
        fs::write(sealed.path("sealed/touchstone/switch.json"), text).unwrap();
        sealed
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program(&self) -> PathBuf {
        self.path("sealed/bin/switch-to-configuration")
    }
}

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

/// The lines that it printed, when it succeeded.
fn printed(output: Output) -> Vec<String> {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn assert_told_of_itself(sealed: &Sealed, output: Output) {
    let told = format!("TOPLEVEL={}", sealed.path("sealed").display());
    assert!(printed(output).contains(&told), "{told}");
}

#[test]
fn the_program_is_started_with_the_variables_and_all_arguments() {
    let sealed = Sealed::showing();
    assert_told_of_itself(&sealed, run(&sealed.program(), &[]));
    let arguments = ["-u", "TOPLEVEL", "printf", "%s\n", "two words", "", "$HOME"];
    assert_eq!(
        printed(run(&sealed.program(), &arguments)),
        ["two words", "", "$HOME"]
    );
}

#[test]
fn a_variable_replaces_the_callers_and_all_others_stay() {
    let sealed = Sealed::showing();
    let mut command = Command::new(sealed.program());
    command.env("TOPLEVEL", "/the/inner/one").env("KEPT", "yes");
    let lines = printed(command.output().unwrap());
    let told = format!("TOPLEVEL={}", sealed.path("sealed").display());
    let of = |name: &str| -> Vec<&String> {
        lines.iter().filter(|line| line.starts_with(name)).collect()
    };
    assert_eq!(of("TOPLEVEL="), [&told]);
    assert_eq!(of("KEPT="), ["KEPT=yes"]);
}

#[test]
fn the_generation_is_found_through_any_links_and_names() {
    let sealed = Sealed::showing();
    // As a profile is: system → system-42-link → the generation.
    symlink(sealed.path("sealed"), sealed.path("system-42-link")).unwrap();
    symlink("system-42-link", sealed.path("system")).unwrap();
    let profile = sealed.path("system/bin/switch-to-configuration");
    assert_told_of_itself(&sealed, run(&profile, &[]));
    // A link to the program itself, of another name.
    symlink(sealed.program(), sealed.path("switch")).unwrap();
    assert_told_of_itself(&sealed, run(&sealed.path("switch"), &[]));
    // By a relative path.
    let mut relative = Command::new("bin/switch-to-configuration");
    relative.current_dir(sealed.path("system"));
    assert_told_of_itself(&sealed, relative.output().unwrap());
    // By PATH.
    let mut by_path = Command::new("/bin/sh");
    by_path.args(["-c", "switch-to-configuration"]);
    by_path.env("PATH", sealed.path("system/bin"));
    assert_told_of_itself(&sealed, by_path.output().unwrap());
    // With a first argument that says something else.
    let mut renamed = Command::new(sealed.program());
    renamed.arg0("/somewhere/else/bin/program");
    assert_told_of_itself(&sealed, renamed.output().unwrap());
}

#[test]
fn a_link_in_another_generation_still_means_its_own() {
    let (one, other) = (Sealed::showing(), Sealed::showing());
    fs::remove_file(one.program()).unwrap();
    symlink(other.program(), one.program()).unwrap();
    assert_told_of_itself(&other, run(&one.program(), &[]));
}

#[test]
fn the_programs_status_is_the_answer() {
    let sealed = Sealed::showing();
    let output = run(&sealed.program(), &["sh", "-c", "exit 100"]);
    assert_eq!(output.status.code(), Some(100));
}

#[test]
fn what_cannot_be_started_is_one_error_with_file_fact_and_way_out() {
    let cases = [
        (None, "what to start cannot be read"),
        (Some("{"), "what to start is not usable"),
        (
            Some(r#"{"program":"env","environment":{}}"#),
            "no absolute path",
        ),
        (
            Some(r#"{"program":"/missing/program","environment":{}}"#),
            "/missing/program does not start: No such file",
        ),
        (
            Some(r#"{"program":"/etc/passwd","environment":{}}"#),
            "/etc/passwd does not start: Permission denied",
        ),
    ];
    for (document, fact) in cases {
        let sealed = Sealed::with(document);
        let output = run(&sealed.program(), &["switch"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(output.stdout.is_empty());
        let lines: Vec<&str> = said.lines().collect();
        let file = sealed.path("sealed/touchstone/switch.json");
        let [error, at, help] = lines[..] else {
            panic!("{said}")
        };
        assert!(
            error.starts_with("switch-to-configuration: error: ") && error.contains(fact),
            "{said}"
        );
        assert_eq!(at, format!("  file: {}", file.display()));
        assert!(help.starts_with("  help: "), "{said}");
    }
}

#[test]
fn a_copy_outside_of_a_generation_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("launcher");
    fs::copy(LAUNCHER, &copy).unwrap();
    let said = String::from_utf8(run(&copy, &[]).stderr).unwrap();
    assert!(said.contains("what to start cannot be read"), "{said}");
    assert!(said.contains("a copy elsewhere"), "{said}");
}
