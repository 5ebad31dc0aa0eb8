//! The signing agent with a key that a TPM holds.

use serde_json::json;
use touchstone_agent::log::CheckpointKey;

use crate::agent::loader_policy;

use super::{Tpm, hex};

#[test]
fn the_agent_signs_with_a_key_of_a_tpm() {
    let tpm = Tpm::new();
    let key = CheckpointKey::generate("lab").unwrap();
    tpm.work.write("log.key", key.expose_text().as_bytes());
    let named = json!("tpm2:handle=0x81010001;auth-source=auth;tcti=TCTI");
    let policy = loader_policy(tpm.work.folder(), &tpm.work.read("addon"), named);
    tpm.work.write("policy.json", policy.to_string());
    tpm.done(&format!(
        "(umask 077; echo tomato-7 >auth)
        primary
        create key ecc256 'sign|userwithauth' --key-auth=tomato-7
        persist key 0x81010001
        certificate 'handle:0x81010001?pass' db.pem -passin pass:tomato-7
        policy=$(<policy.json)
        printf %s \"${{policy/TCTI/$TCTI}}\" >policy.json
        {}",
        include_str!("../agent/serve.sh")
    ));
    assert!(tpm.is_accepted("db.pem", "by-agent.efi"));
    let log = String::from_utf8(tpm.work.read("state/log/00000001.log")).unwrap();
    for secret in ["tomato-7", &hex("tomato-7")] {
        assert!(!log.contains(secret));
    }
}
