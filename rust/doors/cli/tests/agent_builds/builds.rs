//! Builds in Nix's sandbox that sign through the agent.

use std::fs;

use serde_json::Value;
use touchstone_harness::agent::ServingAgent;
use touchstone_harness::inputs;

use super::world::World;
use crate::sign::sbverify;
use crate::support::{TOUCHSTONE, assert_same_bytes};

/// No shell is there, and no key: the builder is `touchstone`, and the sandbox shows it a socket.
#[test]
fn a_sandboxed_build_signs_through_the_agent_as_the_key_itself_would() {
    let world = World::new();
    let agent = world.serve(&world.policy(world.file_keys()));
    for (attribute, signed) in [
        ("granted", &["authenticode"][..]),
        ("grantedPcr", &["pcrPolicy", "authenticode"]),
        ("signedManifest", &["manifest"]),
    ] {
        let derivation = world.instantiate(attribute);
        world.grant(&derivation);
        let built = fs::read(world.build(attribute)).unwrap();
        assert_same_bytes(attribute, &built, &by_keys(&world, attribute));
        if signed.contains(&"authenticode") {
            is_accepted(&world, &built);
        }
        assert_eq!(signed_for(&world.log(), &derivation), signed, "{attribute}");
    }
    // Kernels were named, and not sent: three of them would have been written to the folder in which images wait.
    let kernel = fs::metadata(&inputs().kernel["amd64"].vmlinuz).unwrap();
    let written = written(&agent);
    assert!(written < kernel.len(), "{written} bytes");
    agent.stop().unwrap();
    world.verify_log();
}

/// How many bytes the agent has written to files and sockets.
fn written(agent: &ServingAgent) -> u64 {
    let counts = agent.processes().into_iter().map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
        let count = text.lines().find_map(|line| line.strip_prefix("wchar: "));
        count.unwrap().parse::<u64>().unwrap()
    });
    counts.sum()
}

/// What the same request makes outside of any build, with the keys' files in it.
fn by_keys(world: &World, attribute: &str) -> Vec<u8> {
    let mut request = world.evaluate(&format!("{attribute}.request"));
    request["output"] = "by-keys".into();
    let mut text = request.to_string();
    for (name, file) in [("db", "db.key"), ("pcr", "pcr.key"), ("nix", "nix.secret")] {
        let file = world.work.path("keys").join(file);
        text = text.replace(&format!("agent:{name}"), &file.display().to_string());
    }
    assert!(!text.contains("agent:"), "{text}");
    world.work.write("request.json", text);
    let mut run = world.daemon().beside(TOUCHSTONE).unwrap();
    let ran = run.args(["run", "request.json"]).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    world.work.read("by-keys")
}

fn is_accepted(world: &World, image: &[u8]) {
    world.work.write("built.efi", image);
    let verify = ["pe", "verify", "--certificate", "keys/db.pem", "built.efi"];
    world.work.done(verify);
    assert!(sbverify(&world.work, "keys/db.pem", "built.efi"));
}

/// The operations by which something was signed for a derivation.
fn signed_for<'a>(log: &'a [Value], derivation: &str) -> Vec<&'a str> {
    let theirs = |entry: &&Value| {
        entry["event"] == "signed" && entry["client"].to_string().contains(derivation)
    };
    let signed = log.iter().filter(theirs);
    signed
        .map(|entry| entry["operation"].as_str().unwrap())
        .collect()
}
