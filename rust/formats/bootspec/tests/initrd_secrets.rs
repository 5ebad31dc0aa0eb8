//! `org.nixos.initrd-secrets.v1`: what is one, and what is refused.
#![allow(clippy::unwrap_used)] // tests end loudly

use serde_json::{Value, json};
use touchstone_bootspec::{Extension, INITRD_SECRETS, InitrdSecrets, InitrdSecretsError};

fn read(value: &Value) -> Result<InitrdSecrets, InitrdSecretsError> {
    let extension = Extension::read(&value.to_string()).unwrap();
    InitrdSecrets::read(INITRD_SECRETS, &extension)
}

#[test]
fn reads_names_and_paths() {
    let secrets = read(&json!({
        "wireguard": "/etc/secrets/wireguard",
        "host key": "/etc/secrets/ssh/ed25519",
        "b": "/etc/secrets-more"
    }));
    let secrets = secrets.unwrap();
    let all: Vec<_> = secrets.iter().collect();
    assert_eq!(
        all,
        [
            ("b", "/etc/secrets-more"),
            ("host key", "/etc/secrets/ssh/ed25519"),
            ("wireguard", "/etc/secrets/wireguard"),
        ]
    );
    assert!(read(&json!({})).unwrap().is_empty());
}

#[test]
fn refuses_what_is_no_map_of_strings() {
    for value in [json!(null), json!(1), json!(["/etc/key"]), json!({})] {
        let error = read(&json!({ "key": value })).unwrap_err();
        assert!(error.to_string().contains("a string"), "{error}");
    }
}

#[test]
fn refuses_names_that_no_file_can_have() {
    let long = "n".repeat(256);
    for name in ["", ".", "..", "a/b", "a\nb", long.as_str()] {
        let error = read(&json!({ name: "/etc/key" })).unwrap_err();
        assert_eq!(error, InitrdSecretsError::Name(name.to_owned()));
    }
}

#[test]
fn refuses_paths_that_are_not_absolute_and_canonical() {
    let (deep, wide) = ("/a".repeat(2048), format!("/{}", "a".repeat(256)));
    let paths = [
        "",
        "/",
        "etc/key",
        "./key",
        "/etc//key",
        "/etc/./key",
        "/etc/../key",
        "/etc/key/",
        "/etc/k\0y",
        &deep,
        &wide,
    ];
    for path in paths {
        let error = read(&json!({ "key": path })).unwrap_err();
        assert!(matches!(error, InitrdSecretsError::Path { .. }), "{path}");
    }
}

#[test]
fn refuses_secrets_that_everybody_can_read() {
    let error = read(&json!({ "key": "/nix/store/x/key" })).unwrap_err();
    assert!(matches!(error, InitrdSecretsError::InStore { .. }));
    assert!(read(&json!({ "key": "/nix/store-keys/key" })).is_ok());
}

#[test]
fn refuses_secrets_that_stage_1_would_not_see() {
    for (path, mount) in [
        ("/run/secrets/key", "/run"),
        ("/dev/shm/key", "/dev"),
        ("/proc", "/proc"),
        ("/sys/key", "/sys"),
    ] {
        let name = "key".to_owned();
        let error = read(&json!({ "key": path })).unwrap_err();
        assert_eq!(error, InitrdSecretsError::Covered { name, mount });
    }
    assert!(read(&json!({ "key": "/runtime/key" })).is_ok());
}

#[test]
fn refuses_two_secrets_in_one_place() {
    for (first, second) in [("/etc/key", "/etc/key"), ("/etc/key", "/etc/key/inner")] {
        let error = read(&json!({ "a": first, "z": "/etc/key-more", "b": second })).unwrap_err();
        let (first, second) = ("a".to_owned(), "b".to_owned());
        assert_eq!(error, InitrdSecretsError::Overlap { first, second });
    }
}
