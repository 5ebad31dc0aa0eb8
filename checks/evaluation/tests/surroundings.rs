//! The same in every program of Nix, and in every way of asking.

use std::fs;
use std::process::Stdio;

use serde_json::json;

use crate::support::{Desk, Said, bootspec};

/// A call without files, whose value is the word `good`.
const GOOD: &str = r#"(builtins.touchstone.parse.storePath { path = "/nix/store/00000000000000000000000000000000-good"; }).name"#;

#[test]
fn every_program_of_nix_that_evaluates_has_the_functions() {
    let desk = Desk::new();
    desk.write("good.nix", GOOD);
    let build = format!(
        r#"derivation {{ name = {GOOD}; system = "x86_64-linux"; builder = "/nowhere"; }}"#
    );
    desk.write("build.nix", &build);
    let file = desk.path("good.nix").display().to_string();
    let built = desk.path("build.nix").display().to_string();
    let cases: [(&str, &[&str], &str); 8] = [
        ("nix-instantiate", &["--eval", &file], "\"good\""),
        (
            "nix-instantiate",
            &["--eval", "--read-write-mode", "--expr", GOOD],
            "\"good\"",
        ),
        ("nix-instantiate", &[&built], "-good.drv"),
        ("nix", &["eval", "--raw", "--expr", GOOD], "good"),
        (
            "nix",
            &["eval", "--raw", "--impure", "--expr", GOOD],
            "good",
        ),
        (
            "nix",
            &["eval", "--raw", "--read-only", "--expr", GOOD],
            "good",
        ),
        (
            "nix",
            &["build", "--dry-run", "--expr", &build],
            "-good.drv",
        ),
        ("nix-build", &["--dry-run", &built], "-good.drv"),
    ];
    for (program, arguments, expected) in cases {
        let said = desk.run_with(desk.command(program), arguments);
        assert_eq!(said.status, Some(0), "{program} {arguments:?}: {said:?}");
        let all = format!("{}{}", said.output, said.messages);
        assert!(all.contains(expected), "{program} {arguments:?}: {said:?}");
    }
}

#[test]
fn the_repl_documents_every_function() {
    let desk = Desk::new();
    for (function, words) in [
        ("bootspec", "kernelParams"),
        ("predictPcrs", "uki"),
        ("verify", "certificates"),
        ("run", "operation"),
        ("parse.bootspec", "file"),
        ("parse.pe", "banks"),
        ("parse.eventLog", "userspace"),
        ("parse.storePath", "path"),
        ("parse.pcrPolicy", "publicKey"),
    ] {
        let said = desk.repl(&format!(":doc builtins.touchstone.{function}\n"));
        assert_eq!(said.status, Some(0), "{function}: {said:?}");
        assert!(!said.messages.contains("error"), "{function}: {said:?}");
        assert!(said.output.contains(words), "{function}: {said:?}");
        assert!(said.output.lines().count() > 5, "{function}: {said:?}");
    }
}

#[test]
fn the_repl_shows_the_functions_as_the_evaluators_own() {
    let desk = Desk::new();
    let said =
        desk.repl("builtins.touchstone\nbuiltins.touchstone.parse\n:t builtins.touchstone.run\n");
    assert_eq!(said.status, Some(0), "{said:?}");
    assert!(said.output.contains("«primop"), "{said:?}");
}

/// A flake is evaluated purely, and its attributes are remembered between runs.
#[test]
fn a_flake_uses_the_functions_also_from_the_evaluation_cache() {
    let desk = Desk::new();
    desk.write("flake/boot.json", bootspec(""));
    desk.write(
        "flake/flake.nix",
        r#"{
          outputs = { self }:
            let shown = builtins.touchstone.parse.bootspec { file = ./boot.json; };
            in {
              label = shown.generation.label;
              self = builtins.touchstone.parse.bootspec { file = self; };
              pure = builtins ? currentSystem;
              packages.x86_64-linux.default = derivation {
                name = "made-of-an-answer";
                system = "x86_64-linux";
                builder = "/nowhere";
                inherit (shown.generation) label;
              };
              wrong = builtins.touchstone.parse.bootspec { file = ./flake.nix; };
            };
        }"#,
    );
    let flake = format!("path:{}", desk.path("flake").display());
    for _ in 0..2 {
        assert_eq!(desk.flake(&flake, "label").value(), json!("a label"));
        assert_eq!(desk.flake(&flake, "self.versions").value(), json!([1]));
        assert_eq!(desk.flake(&flake, "pure").value(), json!(false));
        let said = desk.flake(&flake, "wrong").refusal();
        assert!(said.contains("flake.nix"), "{said}");
    }
    let path = desk
        .flake(&flake, "packages.x86_64-linux.default.drvPath")
        .value();
    let mut show = desk.command("nix");
    show.args(["derivation", "show"])
        .arg(path.as_str().unwrap());
    let shown = desk.run(show).value();
    let sources = &shown[path.as_str().unwrap()]["inputSrcs"];
    assert_eq!(sources.as_array().map(Vec::len), Some(1), "{shown:#}");
}

/// As on a machine with users: the evaluator asks a daemon for everything of the store.
#[test]
fn through_a_daemon_files_are_read_and_built_as_well() {
    let desk = Desk::new();
    desk.copy(desk.inputs.touchstone.as_ref().unwrap(), "touchstone");
    desk.write("boot.json", bootspec(""));
    desk.write(
        "expression.nix",
        r#"
        with import ./prelude.nix;
        let built = derivation {
          name = "built";
          system = "x86_64-linux";
          builder = "${./touchstone}";
          args = [ "builder" ];
          __structuredAttrs = true;
          request = generation { } // { operation = "bootspec.emit"; output."$output" = "out"; };
        };
        in map (file: (touchstone.parse.bootspec { inherit file; }).generation.label) [ ./boot.json built ]"#,
    );
    let said = desk.by_daemon(&desk.path("expression.nix").display().to_string());
    assert_eq!(said.status, Some(0), "{said:?}");
    assert_eq!(said.output.trim(), r#"["a label","a label"]"#, "{said:?}");
}

/// Without leave to write, nothing is copied to the store: sources are read where they lie.
#[test]
fn a_read_only_evaluation_reads_sources_where_they_lie() {
    let desk = Desk::new();
    desk.write("boot.json", bootspec(""));
    desk.write(
        "expression.nix",
        r#"[
          (builtins.touchstone.parse.storePath { path = ./boot.json; }).name
          (builtins.touchstone.parse.bootspec { file = ./boot.json; }).generation.label
        ]"#,
    );
    let mut command = desk.command("nix-instantiate");
    command.args(["--eval", "--strict", "--json", "--readonly-mode"]);
    command.arg(desk.path("expression.nix"));
    assert_eq!(desk.run(command).value(), json!(["boot.json", "a label"]));
}

/// The plugin cannot be loaded and nobody can be told so, for standard error is full: Nix goes on, as it does by itself.
#[test]
fn a_warning_that_nobody_can_read_ends_no_evaluation() {
    let desk = Desk::new();
    let alone = desk.path("libtouchstone-nix.so");
    fs::copy(desk.object(), &alone).unwrap();
    let mut command = desk.bare_command("nix-instantiate");
    command.args(["--option", "plugin-files"]).arg(&alone);
    command.args(["--eval", "--expr", "builtins ? touchstone"]);
    command.stderr(fs::File::create("/dev/full").unwrap());
    let output = command.stdout(Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(0), &b"false\n"[..])
    );
}

impl Desk {
    fn flake(&self, flake: &str, attribute: &str) -> Said {
        let mut command = self.command("nix");
        command.args(["eval", "--json", "--no-write-lock-file"]);
        command.arg(format!("{flake}#{attribute}"));
        self.run(command)
    }

    /// Evaluates a file with a store that a daemon has, which is started beside it.
    fn by_daemon(&self, file: &str) -> Said {
        let socket = self.path("socket").display().to_string();
        // The daemon is told its store, for it would ask itself otherwise.
        let script = r#"
            export NIX_DAEMON_SOCKET_PATH="$1"
            NIX_REMOTE=local nix-daemon 2> "$1.messages" &
            for _ in 1 2 3 4 5 6 7 8 9 10; do [ -S "$1" ] || sleep 0.5; done
            nix-instantiate --store "unix://$1" --option plugin-files "$3" --eval --strict --json --read-write-mode "$2""#;
        let mut command = self.bare_command("sh");
        command.args(["-c", script, "sh", &socket, file]);
        command.arg(self.object());
        self.run(command)
    }
}
