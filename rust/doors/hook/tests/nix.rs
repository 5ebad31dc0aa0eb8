//! The real program, started by a real nix-daemon, where there is no agent.
#![allow(clippy::unwrap_used, reason = "a failed step of a test fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use touchstone_harness::nix_inputs::package;
use touchstone_harness::{NixDaemon, inputs};

const HOOK: &str = env!("CARGO_BIN_EXE_touchstone-pre-build-hook");

/// A build that writes down what it finds at the place of the socket. Its name speaks of the feature, and only `features` require it.
const LOOKS: &str = r#"{ probe, name, features ? [ ] }: derivation ({
  inherit name;
  system = "x86_64-linux";
  builder = "${probe}/bin/touchstone-probe";
  __structuredAttrs = true;
  mode = "ask";
  socket = "/run/touchstone-agent/socket";
  asks = [ { name = "nobody"; header = { }; } ];
  about = "touchstone-agent";
} // (if features == [ ] then { } else { requiredSystemFeatures = features; }))
"#;

struct Machine {
    folder: TempDir,
    daemon: NixDaemon,
}

impl Machine {
    /// A daemon that starts the hook, and has the feature.
    fn new() -> Machine {
        let (inputs, folder) = (inputs(), tempfile::tempdir().unwrap());
        package(folder.path(), inputs.probe.as_ref().unwrap()).unwrap();
        fs::write(folder.path().join("looks.nix"), LOOKS).unwrap();
        let settings =
            format!("pre-build-hook = {HOOK}\nextra-system-features = touchstone-agent\n");
        let daemon = NixDaemon::start(&inputs, folder.path(), &settings, |visit| {
            visit.bind(folder.path()).show(HOOK)
        });
        Machine {
            daemon: daemon.unwrap(),
            folder,
        }
    }

    /// Builds what the expression says of `looks`, the function above; the answer is the outputs, seen from the host.
    fn build(&self, expression: &str) -> Vec<PathBuf> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let probe = at("touchstone-probe");
        let text = format!(
            "let looks = arguments: import {} ({{ probe = {probe}; }} // arguments); in {expression}",
            at("looks.nix")
        );
        let built = self.daemon.build(["--expr", &text]).unwrap();
        built.iter().map(|path| self.daemon.on_host(path)).collect()
    }
}

fn sees(output: &Path) -> String {
    fs::read_to_string(output.join("sees")).unwrap()
}

#[test]
fn without_an_agent_no_build_has_a_socket_and_none_is_stopped() {
    let machine = Machine::new();
    let built = machine.build(r#"looks { name = "touchstone-agent-of-another"; }"#);
    assert!(
        sees(&built[0]).starts_with("nothing: "),
        "{}",
        sees(&built[0])
    );
    let said = machine.daemon.said().unwrap();
    assert!(!said.contains("pre-build-hook"), "{said}");

    // With one that asks in the same command.
    let both = r#"[ (looks { name = "asks"; features = [ "touchstone-agent" ]; }) (looks { name = "beside"; }) ]"#;
    let built = machine.build(both);
    assert_eq!(built.len(), 2);
    for output in &built {
        assert!(sees(output).starts_with("nothing: "), "{}", sees(output));
    }
    let said = machine.daemon.said().unwrap();
    assert_eq!(said.matches("gets no socket").count(), 1, "{said}");
    for part in [
        "-asks.drv gets no socket of the signing agent: ",
        "[agent.unreachable]",
        "socket: /run/touchstone-agent/control",
        "help: ",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

fn run(arguments: &[&str]) -> Output {
    Command::new(HOOK).args(arguments).output().unwrap()
}

#[test]
fn a_derivation_that_came_without_its_file_gets_no_socket_and_the_way_is_told() {
    let absent = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-web1.drv";
    let output = run(&[absent, "/nix/store/a.drv.chroot/root"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(0), &b""[..])
    );
    assert!(
        said.contains(absent) && said.contains("nix copy --derivation"),
        "{said}"
    );
}

#[test]
fn a_person_who_starts_it_is_told_who_does() {
    let output = run(&[]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        (output.status.code(), &output.stdout[..]),
        (Some(2), &b""[..])
    );
    assert!(said.contains("`pre-build-hook = …`"), "{said}");
}
