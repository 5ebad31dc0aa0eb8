//! The agent's life: its sockets, its end, and what people are told.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use touchstone_artifacts::agent::AgentError;
use touchstone_artifacts::signing_key::SignatureDigest;
use touchstone_harness::nix::output;

use super::{Agent, Lab, db, entries, signed, whole};
use crate::support::TOUCHSTONE;

/// What is said by an agent that does not serve.
fn refused(lab: &Lab) -> String {
    let Output { status, stderr, .. } = Agent::command(lab.work.folder()).output().unwrap();
    assert_eq!(status.code(), Some(1));
    String::from_utf8(stderr).unwrap()
}

#[test]
fn an_agent_tells_who_it_is_and_says_in_its_log_when_it_began_and_ended() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    let (_, keys) = agent.client().hello().unwrap();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].name, db());
    let certificate = lab.work.read("db.pem");
    assert_eq!(agent.client().key(&db()).unwrap().1, certificate);
    let status = lab
        .work
        .json(["agent", "status", "--json", "--control", "control"]);
    assert_eq!(status["keys"], json!([{ "name": "db", "kind": "image" }]));
    let shown = lab.work.done(["agent", "status", "--control", "control"]);
    assert!(shown.contains("key          db (images)\n"), "{shown}");
    assert_eq!(status["log"]["failingExports"], json!([]));
    agent.stop();
    for gone in ["control", "direct"] {
        assert!(!lab.path(gone).exists());
    }
    let events: Vec<String> = entries(&lab.path("state/log"))
        .iter()
        .map(|entry| entry["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(events, ["created", "started", "stopped", "checkpoint"]);
}

#[test]
fn the_status_names_what_takes_no_checkpoints() {
    let mut lab = Lab::new();
    let exports = lab.path("exports");
    fs::create_dir(&exports).unwrap();
    lab.log = json!({ "checkpointSeconds": 1, "exports": [exports] });
    let agent = lab.serve(&lab.policy(1));
    fs::remove_dir_all(&exports).unwrap();
    fs::write(&exports, "").unwrap();
    // What is being made cannot be taken away.
    fs::create_dir(lab.path("state/log/checkpoint.new")).unwrap();
    signed(&mut agent.client(), &lab, 0);
    let shows = |line: &str| {
        for _ in 0..500 {
            let shown = lab.work.done(["agent", "status", "--control", "control"]);
            if shown.lines().any(|there| there.starts_with(line)) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{line}");
    };
    shows("log          checkpoints fail: ");
    fs::remove_dir(lab.path("state/log/checkpoint.new")).unwrap();
    shows(&format!(
        "export       {} takes no checkpoints",
        exports.display()
    ));
    agent.stop();
}

#[test]
fn an_image_that_no_rule_names_is_refused_and_the_log_says_so() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    let image = lab.image_file(1);
    let error = agent
        .client()
        .authenticode(&db(), SignatureDigest::Sha256, &whole(&image))
        .unwrap_err();
    let AgentError::Refused { code, entry, .. } = error else {
        panic!("{error}");
    };
    agent.stop();
    let entries = entries(&lab.path("state/log"));
    let entry = entries
        .iter()
        .find(|one| one["sequence"] == json!(entry))
        .unwrap();
    assert_eq!(entry["event"], "refused");
    assert_eq!(entry["code"], json!(code));
    assert_eq!(entry["client"]["uid"], 0);
}

#[test]
fn one_agent_serves_a_place() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    let said = refused(&lab);
    assert!(said.contains("[agent.socket]"), "{said}");
    agent.stop();
    // What a killed one left is in nobody's way.
    let mut killed = Agent::start(lab.work.folder());
    killed.child.kill().unwrap();
    drop(killed);
    Agent::start(lab.work.folder()).stop();
}

#[test]
fn a_key_that_cannot_be_opened_is_named_and_nothing_is_served() {
    let lab = Lab::new();
    let policy = lab.policy(1);
    lab.secret("policy.json", policy.to_string().as_bytes());
    lab.secret("db.key", b"no key");
    let said = refused(&lab);
    assert!(said.contains("[key.not-a-key]\n  file: "), "{said}");
    assert!(said.contains("db.key\n  help: "), "{said}");
    assert!(!lab.path("direct").exists());
}

#[test]
fn when_what_holds_its_keys_is_gone_the_agent_ends_and_says_why() {
    for number in 0..2 {
        let lab = Lab::new();
        lab.secret("policy.json", lab.policy(1).to_string().as_bytes());
        let mut command = Agent::command(lab.work.folder());
        command.stderr(File::create(lab.path("said")).unwrap());
        let agent = Agent::start_by(command, lab.work.folder());
        let holder = Pid::from_raw(agent.children()[number] as i32).unwrap();
        kill_process(holder, Signal::KILL).unwrap();
        assert_eq!(agent.ended().code(), Some(1));
        let said = String::from_utf8(lab.work.read("said")).unwrap();
        assert!(said.contains("[agent.holder]"), "{said}");
    }
}

/// The limit of open files that a process goes by.
fn open_files(process: &str) -> String {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    line.unwrap().split_whitespace().nth(3).unwrap().to_owned()
}

#[test]
fn what_holds_keys_may_open_as_many_files_as_whoever_started_the_agent() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    for holder in agent.children() {
        assert_eq!(open_files(&holder.to_string()), open_files("self"));
    }
    agent.stop();
}

#[test]
fn sockets_have_a_folder_that_everybody_can_reach() {
    let lab = Lab::new();
    lab.secret("policy.json", lab.policy(1).to_string().as_bytes());
    let place = lab.path("run");
    let agent = Agent::command_at(lab.work.folder(), ["run/control", "run/direct"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]);
    command.arg(agent.get_program()).args(agent.get_args());
    let mut child = command.spawn().unwrap();
    while !place.join("direct").exists() {
        assert_eq!(child.try_wait().unwrap(), None);
        thread::sleep(Duration::from_millis(5));
    }
    let mode = fs::metadata(&place).unwrap().permissions().mode();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(mode & 0o777, 0o755);
}

#[test]
fn a_second_agent_of_one_state_leaves_the_sockets_of_builds_alone() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    fs::create_dir(lab.path("builds/one")).unwrap();
    let elsewhere = ["other-control", "other-direct"];
    let mut second = Agent::command_at(lab.work.folder(), elsewhere);
    let output = second.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("[agent.log]"), "{said}");
    assert!(lab.path("builds/one").exists());
    agent.stop();
}

/// SIGTERM goes to every process of a service.
#[test]
fn the_signals_that_end_a_service_do_not_end_what_holds_its_keys_before_it() {
    let lab = Lab::new();
    let agent = lab.serve(&lab.policy(1));
    for holder in agent.children() {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
            kill_process(Pid::from_raw(holder as i32).unwrap(), signal).unwrap();
        }
    }
    thread::sleep(Duration::from_millis(50));
    assert_eq!(signed(&mut agent.client(), &lab, 0), lab.signature(0));
    agent.stop();
}

#[test]
fn systemd_hands_the_sockets_over() {
    let lab = Lab::new();
    lab.secret("policy.json", lab.policy(1).to_string().as_bytes());
    lab.work.write("image", lab.image(0));
    let visit = lab.work.inside(lab.work.inputs.trixie().visit());
    let mut command = visit.show(TOUCHSTONE).command("bash").unwrap();
    let script = "
        systemd-socket-activate --fdname=control:direct -l $PWD/control -l $PWD/direct \
            $TOUCHSTONE agent serve --policy policy.json --state state --builds builds \
            --control /none/control --direct /none/direct &
        for _ in {1..500}; do test -S direct && break; sleep 0.02; done
        $TOUCHSTONE agent status --control $PWD/control
        $TOUCHSTONE pe sign image --key \"agent:db?socket=$PWD/direct\" --certificate db.pem --output signed
        kill $!
        wait $!";
    command.env("TOUCHSTONE", TOUCHSTONE).args(["-euc", script]);
    let shown = output(command).unwrap();
    assert!(shown.contains("key          db (images)\n"), "{shown}");
    // Behind the image, in its certificate table.
    let signed = lab.work.read("signed");
    let signature = lab.signature(0);
    assert!(
        signed
            .windows(signature.len())
            .any(|part| part == signature)
    );
}

#[test]
fn a_policy_is_looked_at_without_an_agent() {
    let lab = Lab::new();
    let mut policy = lab.policy(1);
    lab.work.write("policy.json", policy.to_string());
    lab.work.done([
        "agent",
        "check-policy",
        "policy.json",
        "--output",
        "copy.json",
    ]);
    assert_eq!(lab.work.read("copy.json"), lab.work.read("policy.json"));
    policy["rule"] = json!([]);
    lab.work.write("policy.json", policy.to_string());
    let output = lab
        .work
        .touchstone(["agent", "check-policy", "policy.json"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.contains("[policy.refused]\n  file: policy.json"),
        "{said}"
    );
    let schema = lab.work.json(["agent", "schema"]);
    assert!(schema["properties"]["rules"].is_object());
    fs::remove_file(lab.path("copy.json")).unwrap();
}
