//! Builds in Nix's sandbox that sign through the agent.

use std::fs;

use serde_json::{Value, json};

use super::world::World;
use crate::sign::sbverify;
use crate::support::{TOUCHSTONE, assert_same_bytes};

/// No shell is there, and no key: the builder is `touchstone`, and the sandbox shows it a socket.
#[test]
fn a_sandboxed_build_signs_through_the_agent_as_the_key_itself_would() {
    let world = World::new();
    let mut policy = world.policy(world.file_keys());
    // Less than a kernel has: builds name it, and do not send it.
    policy["limits"] = json!({ "waitingBytesPerClient": 4 << 20 });
    let agent = world.serve(&policy);
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
    agent.stop().unwrap();
    world.verify_log();
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
