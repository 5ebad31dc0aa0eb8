mod documentation;
mod files;

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// The whole example of the documentation.
pub(crate) fn example() -> Value {
    json!({
        "version": 1,
        "log": { "checkpointKey": "/var/lib/keys/log.key", "exports": ["/var/lib/touchstone-checkpoints"] },
        "keys": {
            "db": { "kind": "image", "key": "/var/lib/keys/db.key", "certificate": "/etc/keys/db.pem", "passphraseFile": "/var/lib/keys/db.pass" },
            "pcr": { "kind": "pcr", "key": "tpm2:handle=0x81000001", "publicKey": "/etc/keys/pcr.pub" },
            "nix": { "kind": "nix", "key": "/var/lib/keys/nix.secret" }
        },
        "images": {
            "system": { "uki": {
                "stub": { "files": ["/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-systemd/lib/systemd/boot/efi/linuxx64.efi.stub"] },
                "toplevel": { "builtHere": true },
                "kernel": { "ofToplevel": { "trustedPublicKeys": [KEY], "names": ["linux-*"] } },
                "initrd": { "ofToplevel": { "builtHere": true, "names": ["initrd-linux-*"] } },
                "cmdline": { "allowed": ["loglevel=*"] },
                "sections": { ".splash": { "any": true } },
                "pcrKeys": ["pcr"]
            } },
            "loader": { "loader": { "sha256": ["00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"] } }
        },
        "rules": [
            { "name": "web servers",
              "derivations": { "names": ["web-*-boot-artifacts"], "requesters": ["deploy"] },
              "operations": [
                { "authenticode": { "key": "db", "image": "system" } },
                { "authenticode": { "key": "db", "image": "loader" } },
                { "pcrPolicy": { "key": "pcr", "image": "system", "banks": ["sha256"], "phases": ["enter-initrd"] } },
                { "manifest": { "key": "nix", "origin": { "builtHere": true } } }
              ] },
            { "name": "by hand", "users": ["root"], "operations": [ { "authenticode": { "key": "db", "image": "loader" } } ] }
        ]
    })
}

const KEY: &str = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

fn read(document: &Value) -> Result<Policy, PolicyError> {
    Policy::read(Path::new("policy.json"), document.to_string().as_bytes())
}

/// The example with something else at a place (a JSON pointer; null takes it out).
fn with(changes: &[(&str, Value)]) -> Value {
    let mut document = example();
    for (place, value) in changes {
        let (parent, field) = place.rsplit_once('/').unwrap();
        match (document.pointer_mut(parent).unwrap(), value) {
            (Value::Object(object), Value::Null) => drop(object.remove(field)),
            (Value::Object(object), value) => drop(object.insert(field.to_owned(), value.clone())),
            (Value::Array(list), value) => list[field.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{place}"),
        }
    }
    document
}

fn refusal(changes: &[(&str, Value)]) -> String {
    read(&with(changes)).unwrap_err().to_string()
}

#[test]
fn reads_the_example_and_writes_what_reads_as_the_same() {
    let policy = read(&example()).unwrap();
    let written = serde_json::to_value(&policy).unwrap();
    assert_eq!(read(&written).unwrap(), policy);
    let names: Vec<&str> = policy.keys().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["db", "nix", "pcr"]);
}

#[test]
fn is_closed_and_says_where() {
    for (place, value, said) in [
        ("/unknown", json!(1), "unknown field `unknown`"),
        (
            "/keys/db/pasphraseFile",
            json!("/x"),
            "unknown field `pasphraseFile`",
        ),
        (
            "/images/system/uki/kernal",
            json!({}),
            "unknown field `kernal`",
        ),
        (
            "/rules/0/operations/0/authenticode/digest",
            json!("00"),
            "unknown field `digest`",
        ),
        (
            "/rules/0/operations/0",
            json!({ "sign": { "key": "db" } }),
            "unknown variant `sign`",
        ),
        ("/version", json!(2), "it has version 2"),
        ("/version", Value::Null, "missing field `version`"),
        (
            "/images/system/uki/stub/sha256",
            json!(["00"]),
            "64 hexadecimal digits",
        ),
    ] {
        let said_it = refusal(&[(place, value)]);
        assert!(
            said_it.contains(said) && said_it.starts_with("the policy policy.json: "),
            "{said_it}"
        );
    }
    let twice = example()
        .to_string()
        .replacen("\"version\":1", "\"version\":1,\"version\":1", 1);
    assert!(
        Policy::read(Path::new("p"), twice.as_bytes())
            .unwrap_err()
            .to_string()
            .contains("twice")
    );
    assert!(matches!(
        Policy::read(Path::new("p"), &vec![b' '; LIMIT + 1])
            .unwrap_err()
            .fault,
        Fault::TooLong(_)
    ));
}

#[test]
fn refuses_what_is_loose() {
    let uki = |field: &str| format!("/images/system/uki/{field}");
    for (place, value, said) in [
        (
            "/rules/0/derivations/names",
            json!(["*"]),
            "begins with `*`",
        ),
        ("/rules/0/derivations/names", json!(["web-*"]), ""),
        (
            "/rules/0/derivations/names",
            json!(["we*"]),
            "fewer than 4 characters",
        ),
        (
            "/rules/0/derivations/names",
            json!([]),
            "names no derivation",
        ),
        ("/rules/0/operations", json!([]), "no operation"),
        ("/rules", json!([]), "no rule"),
        ("/keys", json!({}), "no key"),
        (&uki("stub"), json!({}), "any stub would be signed"),
        (&uki("kernel"), json!({}), "any kernel would be signed"),
        (&uki("initrd"), json!({}), "any initrd would be signed"),
        (&uki("toplevel"), json!({}), "nothing has such an origin"),
        (
            &uki("kernel/ofToplevel/names"),
            json!([]),
            "more than kernels",
        ),
        (
            &uki("kernel/ofToplevel/trustedPublicKeys"),
            json!([]),
            "nothing has such an origin",
        ),
        (
            &uki("stub"),
            json!({ "sha256": ["00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"] }),
            "hide from a revocation",
        ),
        (
            &uki("cmdline/allowed"),
            json!(["init=/nix/store/*"]),
            "any program",
        ),
        (
            &uki("cmdline/allowed"),
            json!(["rdinit=/bin/sh"]),
            "any program",
        ),
        (&uki("cmdline/allowed"), json!(["rdin*"]), "any program"),
        (&uki("cmdline/allowed"), json!(["init*"]), "any program"),
        (&uki("cmdline/allowed"), json!(["initcall_debug"]), ""),
        (
            &uki("sections/.splash"),
            json!({}),
            "any content would be signed",
        ),
        (
            &uki("sections/.cmdline"),
            json!({ "any": true }),
            "decided by the other constraints",
        ),
        (
            &uki("sections/.linux"),
            json!({ "any": true }),
            "decided by the other constraints",
        ),
        (
            &uki("sections/.linux2"),
            json!({ "any": true }),
            "an old stub takes it",
        ),
        (
            &uki("sections/.ucode"),
            json!({ "any": true }),
            "lets whoever asks choose it",
        ),
        (
            &uki("sections/.longername"),
            json!({ "any": true }),
            "longer than 8 bytes",
        ),
        (&uki("sbat"), json!({ "systemd-stub": 0 }), "generation 0"),
        (&uki("pcrKeys"), json!(["db"]), "another kind"),
        (
            "/images/loader/loader",
            json!({}),
            "any boot loader would be signed",
        ),
        (
            "/rules/0/operations/0/authenticode/image",
            json!("nothing"),
            "no image `nothing`",
        ),
        (
            "/rules/0/operations/0/authenticode/key",
            json!("pcr"),
            "another kind",
        ),
        (
            "/rules/0/operations/0/authenticode/key",
            json!("nobody"),
            "no key `nobody`",
        ),
        (
            "/rules/0/operations/2/pcrPolicy/image",
            json!("loader"),
            "is no UKI",
        ),
        (
            "/rules/0/operations/2/pcrPolicy/banks",
            json!([]),
            "it is empty",
        ),
        (
            "/rules/0/operations/3/manifest/origin",
            json!({}),
            "nothing has such an origin",
        ),
        (
            "/rules/0/users",
            json!(["root"]),
            "one of `derivations` and `users`",
        ),
        (
            "/rules/1/users",
            json!([]),
            "one of `derivations` and `users`",
        ),
        ("/rules/1/users", json!(["*"]), "no user's name"),
        (
            "/rules/1/name",
            json!("web servers"),
            "another rule is called",
        ),
        ("/rules/1/name", json!(""), "1 to 64 bytes"),
    ] {
        let read = read(&with(&[(place, value.clone())]));
        match said {
            "" => assert!(read.is_ok(), "{place} {value}: {read:?}"),
            said => {
                let error = read.unwrap_err().to_string();
                assert!(error.contains(said), "{place} {value}: {error}");
            }
        }
    }
}

#[test]
fn refuses_keys_that_are_no_secret_or_sign_two_things() {
    for (place, value, said) in [
        (
            "/keys/db/key",
            json!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-key"),
            "in the Nix store",
        ),
        (
            "/keys/db/passphraseFile",
            json!("/nix/store/00bgd045z0d4icpbc2yyz4gx48ak44la-pass"),
            "in the Nix store",
        ),
        ("/keys/db/key", json!("/a/../nix/store/k"), "without `..`"),
        ("/keys/db/key", json!("db.key"), "no absolute path"),
        ("/keys/db/key", json!("agent:other"), "no absolute path"),
        (
            "/keys/db/key",
            json!("pkcs11:token=t"),
            "a passphrase opens key files only",
        ),
        (
            "/keys/db/key",
            json!("/var/lib/keys/nix.secret"),
            "signs one thing alone",
        ),
        (
            "/keys/nix/key",
            json!("pkcs11:token=t"),
            "a Nix key is a file",
        ),
        (
            "/keys/nix/passphraseFile",
            json!("/p"),
            "have no passphrase",
        ),
        ("/keys/db/certificate", Value::Null, "has `certificate`"),
        ("/keys/pcr/publicKey", Value::Null, "has `publicKey`"),
        ("/keys/nix/certificate", json!("/c"), "neither"),
        ("/keys/db/kind", json!("pcr"), "has `publicKey`"),
    ] {
        let error = refusal(&[(place, value)]);
        assert!(error.contains(said), "{place}: {error}");
    }
}

/// Names of derivations are chosen by whoever writes them: without requesters everything has to be known by keys or digests.
#[test]
fn a_rule_for_anybody_signs_nothing_that_anybody_can_build() {
    let open = ("/rules/0/derivations", json!({ "names": ["web-*"] }));
    let trusted = json!({ "trustedPublicKeys": [KEY], "names": ["initrd-*"] });
    let closing = [
        (
            "/images/system/uki/toplevel",
            json!({ "trustedPublicKeys": [KEY] }),
        ),
        (
            "/images/system/uki/initrd",
            json!({ "ofToplevel": trusted }),
        ),
        ("/images/system/uki/sections", Value::Null),
        (
            "/rules/0/operations/3/manifest/origin",
            json!({ "trustedPublicKeys": [KEY] }),
        ),
    ];
    let whole: Vec<_> = std::iter::once(open).chain(closing).collect();
    read(&with(&whole)).unwrap();
    for missing in 1..whole.len() {
        let mut changes = whole.clone();
        let (place, _) = changes.remove(missing);
        let error = refusal(&changes);
        assert!(
            error.contains("anybody ask who may use Nix"),
            "{place}: {error}"
        );
    }
}

#[test]
fn its_schema_knows_every_field_of_the_example() {
    let schema = serde_json::to_string(&Policy::schema()).unwrap();
    for field in [
        "passphraseFile",
        "publicKey",
        "ofToplevel",
        "trustedPublicKeys",
        "builtHere",
        "policyRefs",
        "requesters",
        "pcrKeys",
        "store",
    ] {
        assert!(schema.contains(&format!("\"{field}\"")), "{field}");
    }
}

proptest! {
    #[test]
    fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Policy::read(Path::new("p"), &bytes);
    }
}
