//! Whatever goes wrong ends as an error of Nix: never a crash, never a lost interruption.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::{Desk, Plugin};

#[test]
fn a_panic_is_an_error_that_says_whom_to_tell() {
    let desk = Desk::with(Plugin::Faulty);
    let said = desk.refusal(r#"touchstone.fault "panic""#);
    assert!(
        said.contains("internal error") && said.contains("report"),
        "{said}"
    );
    assert!(said.contains("$FOLDER/expression.nix:2:"), "{said}");
    assert!(
        !said.contains("thread '") && !said.contains("RUST_BACKTRACE"),
        "{said}"
    );
}

#[test]
fn a_foreign_exception_is_an_error_that_says_whom_to_tell() {
    let desk = Desk::with(Plugin::Faulty);
    let said = desk.refusal(r#"touchstone.fault "exception""#);
    assert!(
        said.contains("internal error") && said.contains("report"),
        "{said}"
    );
    assert!(said.contains("$FOLDER/expression.nix:2:"), "{said}");
}

/// Neither spoils what comes after it: the evaluator goes on, as after `tryEval` of a throw.
#[test]
fn after_a_fault_the_next_call_is_as_good_as_the_first() {
    let desk = Desk::with(Plugin::Faulty);
    let session = [
        r#"builtins.touchstone.fault "panic""#,
        r#"builtins.touchstone.fault "exception""#,
        r#"builtins.touchstone.fault "panic""#,
        r#"(builtins.touchstone.parse.storePath { path = "/nix/store/00000000000000000000000000000000-good"; }).name"#,
        "",
    ];
    let said = desk.repl(&session.join("\n"));
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.output.contains("\"good\""), "{said:?}");
    assert_eq!(
        said.messages.matches("internal error").count(),
        3,
        "{said:?}"
    );
}

#[test]
fn the_shipped_plugin_has_no_faults() {
    let desk = Desk::new();
    assert_eq!(desk.value("touchstone ? fault"), json!(false));
}

#[test]
fn an_interruption_ends_a_call() {
    let desk = Desk::with(Plugin::Faulty);
    desk.write(
        "wait.nix",
        r#"builtins.seq (builtins.trace "begun" null) (builtins.touchstone.fault "wait")"#,
    );
    let mut command = desk.command("nix-instantiate");
    command.arg("--eval").arg(desk.path("wait.nix"));
    interrupted(command);
}

#[test]
fn an_interruption_ends_a_build_that_a_call_waits_for() {
    let desk = Desk::new();
    desk.write(
        "wait.nix",
        r#"
        let
          endless = derivation {
            name = "endless";
            system = "x86_64-linux";
            builder = "/bin/sh";
            args = [ "-c" "echo begun; while :; do sleep 1; done" ];
            PATH = "/usr/bin:/bin";
          };
        in builtins.touchstone.parse.pe { file = endless; }"#,
    );
    let mut command = desk.command("nix-instantiate");
    command.args(["--eval", "--strict", "--read-write-mode"]);
    command.args(["--option", "sandbox", "false"]);
    command.arg(desk.path("wait.nix"));
    interrupted(command);
}

/// Interrupts the command once it has said `begun`: it must end soon, as Nix ends.
fn interrupted(mut command: Command) {
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut messages = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("begun") {
        line.clear();
        assert!(
            messages.read_line(&mut line).unwrap() > 0,
            "it ended by itself"
        );
    }
    // So that what is interrupted is the call, and not what comes before it.
    std::thread::sleep(Duration::from_millis(300));
    let sent = Instant::now();
    kill_process(innermost(child.id()), Signal::INT).unwrap();
    let mut rest = String::new();
    messages.read_to_string(&mut rest).unwrap();
    let status = child.wait().unwrap();
    assert!(
        sent.elapsed() < Duration::from_secs(10),
        "{:?}",
        sent.elapsed()
    );
    assert!(rest.contains("error: interrupted by the user"), "{rest}");
    assert_eq!((status.code(), status.signal()), (Some(1), None), "{rest}");
}

/// Nix itself: the first process of the chain that runs a program of Nix.
fn innermost(id: u32) -> Pid {
    let mut id = id;
    loop {
        let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap();
        if name.starts_with("nix") {
            return Pid::from_raw(i32::try_from(id).unwrap()).unwrap();
        }
        let children = format!("/proc/{id}/task/{id}/children");
        let children = std::fs::read_to_string(children).unwrap();
        id = children.split_whitespace().next().unwrap().parse().unwrap();
    }
}
