use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn others_may_neither_write_what_decides_nor_read_what_is_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let mode = |name: &str, mode| {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap()
    };
    fs::create_dir(path("keys")).unwrap();
    for name in [
        "policy",
        "keys/db",
        "keys/log",
        "keys/nix",
        "keys/pcr.pub",
        "db.pem",
        "stub",
    ] {
        fs::write(path(name), "").unwrap();
        mode(name, 0o600);
    }
    let text = |name: &str| json!(path(name).to_str().unwrap());
    let document = with(&[
        (
            "/keys/db",
            json!({ "kind": "image", "key": text("keys/db"), "certificate": text("db.pem") }),
        ),
        ("/log/checkpointKey", text("keys/log")),
        ("/keys/nix/key", text("keys/nix")),
        ("/keys/pcr/publicKey", text("keys/pcr.pub")),
        ("/images/system/uki/stub/files/0", text("stub")),
    ]);
    let policy = Policy::read(&path("policy"), document.to_string().as_bytes()).unwrap();
    policy.check_files().unwrap();
    let refused = |name: &str, bits, said: &str| {
        let before = fs::metadata(path(name)).unwrap().permissions();
        mode(name, bits);
        let error = policy.check_files().unwrap_err().to_string();
        assert!(
            error.contains(said) && error.contains(path(name).to_str().unwrap()),
            "{error}"
        );
        fs::set_permissions(path(name), before).unwrap();
    };
    refused("policy", 0o620, "others may write");
    refused("keys", 0o777, "others may write");
    refused("keys/db", 0o640, "can be read by others");
    refused("keys/nix", 0o604, "can be read by others");
    refused("keys/log", 0o604, "can be read by others");
    refused("db.pem", 0o606, "others may write");
    refused("stub", 0o666, "others may write");
    // A sticky folder such as /tmp keeps what is ours.
    mode("keys", 0o1777);
    policy.check_files().unwrap();
    mode("keys", 0o700);
    // A link is followed, and what it leads to is looked at.
    fs::rename(path("stub"), path("elsewhere")).unwrap();
    symlink("elsewhere", path("stub")).unwrap();
    policy.check_files().unwrap();
    mode("elsewhere", 0o666);
    assert!(
        policy
            .check_files()
            .unwrap_err()
            .to_string()
            .contains("elsewhere")
    );
    mode("elsewhere", 0o600);
    fs::remove_file(path("keys/db")).unwrap();
    assert!(
        policy
            .check_files()
            .unwrap_err()
            .to_string()
            .contains("cannot be read")
    );
    symlink(path("keys/db"), path("keys/db")).unwrap();
    assert!(
        policy
            .check_files()
            .unwrap_err()
            .to_string()
            .contains("too many links")
    );
}
