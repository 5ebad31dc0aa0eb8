//! The commands of `docs/policies.md` work as they are printed there.

use serde_json::json;

use super::{RSA_2048, bytes, extended, key_pair, sha256, with_tpm};
use crate::support::{documented, noise};
use crate::ukify::amd64;

#[test]
fn the_commands_of_the_documentation_do_what_it_says() {
    let work = amd64();
    key_pair(&work, "pcr", RSA_2048);
    std::fs::rename(work.path("stub"), work.path("linuxx64.efi.stub")).unwrap();
    work.write("secret", "opened by systemd");
    let mut running = String::new();
    for generation in 40..43 {
        let mut pcrs = serde_json::Map::new();
        let mut values = serde_json::Map::new();
        for pcr in [7, 11, 12, 13] {
            let event = sha256(&work, &noise(generation * 100 + pcr, 32));
            let value = extended(&work, &"00".repeat(32), &event);
            pcrs.insert(pcr.to_string(), json!({ "sha256": value }));
            values.insert(pcr.to_string(), value.into());
            if generation == 41 {
                running += &format!(" {pcr}:sha256={event}");
            }
        }
        let leaf = json!({ "path": [], "pcrs": pcrs, "measurements": [] });
        let prediction = json!({ "leaves": [leaf], "assumptions": [] });
        work.write(
            &format!("generation-{generation}.json"),
            prediction.to_string(),
        );
        if generation == 41 {
            work.write("values.json", serde_json::to_vec(&values).unwrap());
        }
    }
    let page = documented(include_str!("../../../../../docs/policies.md"));
    // There is no resource manager that would make room in the TPM.
    let words = r#"
        touchstone() { "$TOUCHSTONE" "$@"; }
        tpm2_createprimary() { command tpm2_createprimary "$@"; flush; }
        tpm2_create() { command tpm2_create "$@"; flush; }
    "#;
    let script = format!("{words}\ntpm2_pcrextend{running}\n{page}");
    let said = with_tpm(&work, "tpm", &script);
    assert!(said.contains("admits 3 different state(s)"), "{said}");
    assert!(said.contains("opened by systemd"), "{said}");
    let policy: serde_json::Value = serde_json::from_slice(&work.read("policy.json")).unwrap();
    assert_eq!(
        work.read("policy"),
        bytes(policy["policy"].as_str().unwrap())
    );
    assert!(work.path("sealed.priv").exists() && work.path("uki.efi").exists());
    let unsigned: serde_json::Value =
        serde_json::from_slice(&work.read("to-be-signed.json")).unwrap();
    assert!(unsigned["sha256"][0]["tbs"].is_string());
}
