use serde_json::json;
use touchstone_store::Trust;

use super::*;
use crate::progress::Silent;

const TOPLEVEL: &str = "/nix/store/11111111111111111111111111111111-system";

fn context() -> Context<'static> {
    Context {
        files: &crate::HostFiles,
        progress: &Silent,
        keys: KeyPolicy::Any,
        agent: None,
        now: None,
    }
}

#[test]
fn a_manifest_for_a_class_is_signed_as_a_whole_with_its_paths() {
    let folder = tempfile::tempdir().unwrap();
    let (unsigned, signed) = (folder.path().join("unsigned"), folder.path().join("signed"));
    let key = SecretKey::from_seed("cache", &[7; 32].into()).unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, key.expose_text().as_bytes()).unwrap();
    let create = json!({ "toplevel": TOPLEVEL, "class": "lab", "output": unsigned, "closure": [{ "path": TOPLEVEL,
        "narHash": "sha256:1b8m03r63zqhnjf7l5wnldhh7c134ap5vpj0850ymkq1iyzicy5s", "narSize": 120, "references": [] }] });
    let create: CreateManifest = serde_json::from_value(create).unwrap();
    create.run(&context()).unwrap();
    let sign = SignManifest {
        manifest: unsigned,
        key: file,
        output: signed.clone(),
    };
    sign.run(&context()).unwrap();
    let manifest = read(&crate::HostFiles, &signed).unwrap();
    let trust = Trust::new(vec![key.public_key()], 1).unwrap();
    assert_eq!(
        manifest.verify_whole(&trust, &"lab".parse().unwrap()),
        Ok(())
    );
    assert_eq!(manifest.verify(trust.keys(), 1), Ok(()));
}
