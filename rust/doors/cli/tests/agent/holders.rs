//! The processes that hold keys, when they are stopped where they are, as by a token that hangs.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use touchstone_agent::client::Connection;
use touchstone_artifacts::signing_key::SignatureDigest;

use super::{Agent, Lab, SOON, db, whole};

fn send(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(process as i32).unwrap(), signal).unwrap();
}

/// As many clients ask as fill whatever a holder sets aside for those who wait; then this is done.
fn with_waiting(agent: &mut Agent, lab: &Lab, act: impl FnOnce(&mut Agent)) {
    let clients = 8 * thread::available_parallelism().map_or(2, usize::from);
    let socket = agent.path("direct");
    thread::scope(|scope| {
        for _ in 0..clients {
            let mut client = Connection::open(&socket).unwrap();
            scope.spawn(move || {
                let image = lab.image_file(0);
                let _ = client.authenticode(&db(), SignatureDigest::Sha256, &whole(&image));
            });
        }
        // All have asked, and their questions lie in the holder's socket.
        thread::sleep(Duration::from_secs(1));
        assert_eq!(agent.connections(), clients);
        act(agent);
    });
}

fn wait_until_gone(process: u32) {
    let begun = Instant::now();
    // A process that nobody waits for has no program any more.
    while fs::read_link(format!("/proc/{process}/exe")).is_ok() {
        assert!(begun.elapsed() < SOON, "{process} is left behind");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn an_agent_that_is_killed_at_work_leaves_no_holder_behind() {
    let lab = Lab::new();
    let mut agent = lab.serve(&lab.policy(1));
    let holders = agent.children();
    for &holder in &holders {
        send(holder, Signal::STOP);
    }
    with_waiting(&mut agent, &lab, |agent| {
        agent.child.kill().unwrap();
        agent.child.wait().unwrap();
    });
    for &holder in &holders {
        send(holder, Signal::CONT);
    }
    for &holder in &holders {
        wait_until_gone(holder);
    }
}

#[test]
fn a_key_that_hangs_does_not_keep_the_agent_from_ending() {
    let mut lab = Lab::new();
    lab.limits = json!({ "drainSeconds": 1 });
    let mut agent = lab.serve(&lab.policy(1));
    let holder = agent.children()[1];
    send(holder, Signal::STOP);
    let begun = Instant::now();
    with_waiting(&mut agent, &lab, |agent| {
        agent.terminate();
        while agent.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < SOON, "the agent does not end");
            thread::sleep(Duration::from_millis(10));
        }
    });
    wait_until_gone(holder);
    // The log is closed in order all the same.
    let entries = super::entries(&lab.path("state/log"));
    assert_eq!(entries.last().unwrap()["event"], "checkpoint");
}
