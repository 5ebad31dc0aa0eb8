//! A signature that was made elsewhere is attached in a build: no private key is there, so the certificate may be a real one.

use serde_json::json;

use crate::real_nix::RealNix;
use crate::sign_files::openssl;
use crate::support::{Work, assert_same_bytes};

#[test]
fn a_build_attaches_what_a_real_key_signed_outside() {
    let nix = RealNix::new();
    openssl(
        &nix.work,
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=real -days 9 -keyout keys/real.key -out keys/real.pem",
    );

    let prepared = nix.build("store", &["detached.prepared"]).remove(0);
    let data = std::fs::read(nix.store("store").on_host(&prepared)).unwrap();
    nix.work.write("signed-data", data);
    openssl(
        &nix.work,
        "dgst -sha256 -sign keys/real.key -out detached-signature signed-data",
    );
    let signed = nix.build("store", &["detached.signed"]).remove(0);

    let signed = std::fs::read(nix.store("store").on_host(&signed)).unwrap();
    let by_key = "pe sign --key keys/real.key --certificate keys/real.pem --output by-key.efi stub";
    nix.work.done(by_key.split_whitespace());
    assert_same_bytes("by build, by key", &signed, &nix.work.read("by-key.efi"));
}

/// No key is in any build, nor in the folder that comes back.
#[test]
fn a_whole_generation_is_built_signed_outside_and_built_again() {
    let nix = RealNix::new();
    openssl(
        &nix.work,
        "req -x509 -newkey rsa:2048 -nodes -subj /CN=real -days 9 -keyout keys/real.key -out keys/real.pem",
    );
    let on_host = |attribute: &str| {
        let built = nix.build("store", &[attribute]).remove(0);
        nix.store("store").on_host(&built)
    };
    let requests = on_host("signedElsewhere.requests");
    let sign = "boot sign --key keys/real.key --certificate keys/real.pem --output signatures";
    let requests = requests.to_str().unwrap();
    nix.work.done(sign.split(' ').chain([requests]));
    let signed = on_host("signedElsewhere.signed");

    let unsigned = on_host("signedElsewhere.unsigned");
    for image in ["uki.efi", "specialisation/rescue/uki.efi", "loader.efi"] {
        let by_key = "pe sign --key keys/real.key --certificate keys/real.pem --output by-key.efi";
        let image_file = unsigned.join(image);
        let image_file = image_file.to_str().unwrap();
        nix.work.done(by_key.split(' ').chain([image_file]));
        let built = std::fs::read(signed.join(image)).unwrap();
        assert_same_bytes(image, &built, &nix.work.read("by-key.efi"));
    }
}

/// One of `sign` and `detached`, by the word of the schema and in fact.
#[test]
fn a_request_names_a_key_or_a_detached_signature() {
    let work = Work::new();
    work.stub("trixie", "x64", "stub");
    let schemas = work.json(["schema", "pe.sign"]);
    let schema = jsonschema::validator_for(&schemas["request"]).unwrap();
    let sign = json!({ "key": "k", "certificate": "c" });
    let detached = json!({ "certificate": "c", "signedData": "d", "signature": "s" });
    let request = |fields: serde_json::Value| {
        let mut request = json!({ "operation": "pe.sign", "file": "stub", "output": "out" });
        for (name, value) in fields.as_object().unwrap() {
            request[name] = value.clone();
        }
        request
    };
    for right in [json!({ "sign": sign }), json!({ "detached": detached })] {
        assert!(schema.is_valid(&request(right)));
    }
    for wrong in [json!({}), json!({ "sign": sign, "detached": detached })] {
        let wrong = request(wrong);
        assert!(!schema.is_valid(&wrong), "{wrong}");
        work.write("request.json", wrong.to_string());
        let output = work.touchstone(["run", "request.json"]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("[request.refused]") && said.contains("one of `sign` and `detached`"),
            "{said}"
        );
    }
}
