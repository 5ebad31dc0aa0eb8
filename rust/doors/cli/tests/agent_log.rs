//! `touchstone agent log`, on logs that an agent wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use touchstone_agent::Derivation;
use touchstone_agent::log::{CheckpointKey, Event, Log, Settings};

use crate::support::TOUCHSTONE;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(TOUCHSTONE);
    command.current_dir(folder).args(["agent", "log"]);
    command.args(arguments).output().unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn done(folder: &Path, arguments: &[&str]) -> String {
    let (code, out, error) = said(&run(folder, arguments));
    assert_eq!(code, Some(0), "{out}{error}");
    out
}

/// A folder with a key that `keygen` made, its public half in `key.pub`, a log in `log` that declined something, and checkpoints in `exports`.
fn closed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let public = done(at, &["keygen", "--name", "builder.example-1", "key"]);
    fs::write(at.join("key.pub"), public).unwrap();
    fs::create_dir(at.join("exports")).unwrap();
    let key = CheckpointKey::read(&fs::read(at.join("key")).unwrap()).unwrap();
    let settings = Settings {
        exports: vec![at.join("exports")],
        ..Settings::new(at.join("key"))
    };
    let log = Log::open(&at.join("log"), settings, Box::new(key)).unwrap();
    let path = "/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-web.drv";
    let declined = Event::Declined {
        derivation: Derivation::parse(path).unwrap(),
        code: "policy.none".to_owned(),
        what: "no rule\n\u{1b}[2Jfor\u{9b}\u{7f} it".to_owned(),
    };
    log.append(declined).unwrap();
    log.close().unwrap();
    folder
}

#[test]
fn a_key_is_made_for_its_owner_alone_and_never_over_another() {
    let folder = closed();
    let at = folder.path();
    let secret = fs::read_to_string(at.join("key")).unwrap();
    let public = fs::read_to_string(at.join("key.pub")).unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+builder.example-1+"));
    assert!(public.starts_with("builder.example-1+") && public.lines().count() == 1);
    let mode = fs::metadata(at.join("key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (code, out, error) = said(&run(at, &["keygen", "--name", "other", "key"]));
    assert_eq!((code, out.as_str()), (Some(1), ""), "{error}");
    assert_eq!(fs::read_to_string(at.join("key")).unwrap(), secret);
    let (code, _, error) = said(&run(at, &["keygen", "--name", "a", "/nix/store/key"]));
    assert!(
        code == Some(1) && error.contains("[key.refused]"),
        "{error}"
    );
    let (code, _, error) = said(&run(at, &["keygen", "--name", "a b", "b"]));
    assert!(
        code == Some(1) && error.contains("printable ASCII"),
        "{error}"
    );
}

#[test]
fn shows_entries_a_line_each_and_gives_a_terminal_no_orders() {
    let folder = closed();
    let at = folder.path();
    let all = done(at, &["show", "log"]);
    assert_eq!(all.lines().count(), 4, "{all}");
    assert!(
        all.lines()
            .nth(1)
            .unwrap()
            .contains(r"no rule\n\u{1b}[2Jfor\u{9b}\u{7f} it [policy.none]"),
        "{all}"
    );
    assert!(all.lines().all(|line| !line.contains(char::is_control)));
    let since = done(at, &["show", "--since", "3", "log"]);
    assert_eq!(since.lines().count(), 2);
    assert_eq!(done(at, &["show", "--since", "2999-01-01", "log"]), "");
    assert_eq!(
        done(at, &["show", "--since", "2020-01-01T00:00:00Z", "log"]),
        all
    );
    let json = done(at, &["show", "--json", "--event", "declined", "log"]);
    assert!(!json.trim_end().contains(char::is_control), "{json}");
    let entry: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&entry["sequence"], &entry["event"]),
        (&2.into(), &"declined".into())
    );
    assert_eq!(entry["what"], "no rule\n\u{1b}[2Jfor\u{9b}\u{7f} it");
}

#[test]
fn verifies_and_says_where_a_log_was_cut() {
    let folder = closed();
    let at = folder.path();
    let public = fs::read_to_string(at.join("key.pub")).unwrap();
    let verify = [
        "verify",
        "log",
        "--public-key",
        public.trim(),
        "--checkpoint",
        "exports",
    ];
    let out = done(at, &verify);
    assert!(
        out.contains("up to entry 4") && out.contains("0 entries behind it"),
        "{out}"
    );
    assert_eq!(
        done(
            at,
            &[
                "verify",
                "log",
                "--public-key-file",
                "key.pub",
                "--checkpoint",
                "exports"
            ]
        ),
        out
    );
    let note = done(at, &["checkpoint", "log"]);
    fs::write(at.join("last"), &note).unwrap();
    done(
        at,
        &[
            "verify",
            "log",
            "--public-key-file",
            "key.pub",
            "--checkpoint",
            "last",
        ],
    );
    // The agent's own checkpoint lies beside the log; whoever cuts it takes that away, too.
    let segment = at.join("log/00000001.log");
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(
        &segment,
        text.split_inclusive('\n').take(2).collect::<String>(),
    )
    .unwrap();
    fs::remove_file(at.join("log/checkpoint")).unwrap();
    let (code, out, error) = said(&run(at, &verify));
    assert_eq!((code, error.as_str()), (Some(3), ""));
    assert!(
        out.contains("the log was cut: it ends with entry 2, and entry 4 was signed"),
        "{out}"
    );
    let (code, json, _) = said(&run(at, &[&verify[..], &["--json"]].concat()));
    let report: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (code, &report["findings"][0]["fault"]),
        (Some(3), &"truncated".into())
    );
    // The chain alone shows nothing, and says so.
    let chain = done(at, &["verify", "--chain-only", "log"]);
    assert!(
        chain.contains("cutting and rewriting are not seen"),
        "{chain}"
    );
    // Without a key and without that word there is no verdict.
    assert_eq!(run(at, &["verify", "log"]).status.code(), Some(2));
    let (code, out, _) = said(&run(at, &["verify", "log", "--public-key", public.trim()]));
    assert!(code == Some(3) && out.contains("no checkpoint"), "{out}");
}

#[test]
fn what_is_no_log_is_refused_or_found_empty() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (code, _, error) = said(&run(at, &["show", "nothing"]));
    assert!(code == Some(1) && error.contains("[log.system]"), "{error}");
    let (code, _, error) = said(&run(at, &["checkpoint", "."]));
    assert!(
        code == Some(1) && error.contains("[input.unreadable]"),
        "{error}"
    );
    let (code, out, _) = said(&run(at, &["verify", "--chain-only", "."]));
    assert!(
        code == Some(3) && out.contains("there is no segment"),
        "{out}"
    );
}
