//! The signing agent with a key that a token holds: whoever asks it needs neither the token nor its PIN.

use serde_json::json;
use touchstone_agent::log::CheckpointKey;

use crate::agent::loader_policy;
use crate::support::TOUCHSTONE;

use super::Hsm;

#[test]
fn the_agent_signs_with_a_key_of_a_token_what_the_key_file_signs() {
    let hsm = Hsm::with_key("rsa:2048");
    let key = CheckpointKey::generate("lab").unwrap();
    hsm.work.write("log.key", key.expose_text().as_bytes());
    let policy = loader_policy(
        hsm.work.folder(),
        &hsm.work.read("addon"),
        json!(hsm.key("token=check;object=db")),
    );
    hsm.work.write("policy.json", policy.to_string());
    let script = format!(
        "TOUCHSTONE={TOUCHSTONE}\n{}",
        include_str!("../agent/serve.sh")
    );
    hsm.done(&script);
    let by_file = hsm.sign("db.key", "db.pem");
    assert_eq!(hsm.work.read("by-agent.efi"), by_file);
    // Neither the log nor anything else of the agent's shows the PIN.
    let log = hsm.work.read("state/log/00000001.log");
    assert!(!String::from_utf8(log).unwrap().contains(super::PIN));
}
