//! `touchstone closure secrets`: keys that others made are found, each under the fingerprint that openssl gives its public half.

use serde_json::Value;

use crate::support::Work;

/// How OpenSSL makes and converts keys: a shell script each, which writes `key` and, where the public half follows, `public` in DER.
const KEYS: [(&str, &str, bool); 16] = [
    (
        "pkcs8",
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:512 | openssl pkcs8 -topk8 -nocrypt -outform DER -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:1024 -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 | openssl pkcs8 -topk8 -nocrypt -outform DER -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm ED25519 -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genpkey -algorithm X25519 | openssl pkcs8 -topk8 -nocrypt -outform DER -out key",
        false,
    ),
    ("pkcs1", "openssl genrsa -traditional -out key 2048", false),
    (
        "pkcs1",
        "openssl genrsa -traditional -out pem 4096; openssl rsa -in pem -traditional -outform DER -out key",
        false,
    ),
    (
        "pkcs1",
        "openssl genrsa -traditional -primes 3 -out key 4096",
        false,
    ),
    (
        "sec1",
        "openssl ecparam -name secp384r1 -genkey -noout -out key",
        false,
    ),
    (
        "sec1",
        "openssl ecparam -name prime256v1 -genkey -out key",
        false,
    ),
    (
        "pkcs8",
        "openssl genrsa -aes256 -passout pass:x -out key 2048",
        true,
    ),
    (
        "pkcs1",
        "openssl genrsa -traditional -aes256 -passout pass:x -out key 2048",
        true,
    ),
    (
        "sec1",
        "openssl ecparam -name prime256v1 -genkey -noout | openssl ec -aes128 -passout pass:x -out key",
        true,
    ),
];

fn shell(work: &Work, script: &str) {
    let output = work.debian("bash", &["-euc", script]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

fn found(work: &Work, arguments: &[&str]) -> (Option<i32>, Value) {
    let output = work.touchstone([&["closure", "secrets", "--json"], arguments].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    let answer = serde_json::from_slice(&output.stdout);
    (
        output.status.code(),
        answer.unwrap_or_else(|error| panic!("{error}: {said}")),
    )
}

#[test]
fn keys_of_openssl_are_found_under_the_digest_of_their_public_half() {
    let work = Work::new();
    for (kind, script, encrypted) in KEYS {
        shell(&work, &format!("rm -f key; {script} 2>/dev/null"));
        let (status, verdict) = found(&work, &["key"]);
        assert_eq!(status, Some(3), "{script}");
        assert_eq!(verdict["found"].as_array().unwrap().len(), 1, "{script}");
        let one = &verdict["found"][0];
        assert_eq!(one["kind"], kind, "{script}");
        assert_eq!(one["encrypted"], encrypted, "{script}");
        if encrypted || script.contains("RSA-PSS") || script.contains("primes 3") {
            continue;
        }
        shell(
            &work,
            "openssl pkey -in key -pubout -outform DER -out public",
        );
        assert_eq!(one["fingerprint"], sha256(&work, "public"), "{script}");
    }
}

fn sha256(work: &Work, name: &str) -> Value {
    let output = work.debian("sha256sum", &[name]);
    let line = String::from_utf8(output.stdout).unwrap();
    line.split_whitespace().next().unwrap().into()
}

/// Writes keys in OpenSSH's form and an identity of age, with the DER of their public halves beside them.
const PEERS: &str = include_str!("secrets/keys.py");

#[test]
fn keys_of_openssh_age_and_nix_are_found_under_the_digest_of_their_public_half() {
    let work = Work::new();
    work.write("keys.py", PEERS);
    shell(&work, "python3 keys.py");
    shell(
        &work,
        "nix-store --generate-binary-cache-key cache.example-1 nix nix.text",
    );
    shell(
        &work,
        "(printf '\\x30\\x2a\\x30\\x05\\x06\\x03\\x2b\\x65\\x70\\x03\\x21\\x00'; cut -d: -f2 nix.text | base64 -d) > nix.public",
    );
    for (name, kind, encrypted) in [
        ("openssh", "open-ssh", false),
        ("openssh-rsa", "open-ssh", false),
        ("openssh-encrypted", "open-ssh", true),
        ("age", "age", false),
        ("nix", "nix", false),
    ] {
        let (status, verdict) = found(&work, &[name]);
        assert_eq!(status, Some(3), "{name}");
        let one = &verdict["found"][0];
        assert_eq!(
            (one["kind"].as_str(), &one["encrypted"]),
            (Some(kind), &encrypted.into()),
            "{name}"
        );
        assert_eq!(
            one["fingerprint"],
            sha256(&work, &format!("{name}.public")),
            "{name}"
        );
    }
}

#[test]
fn a_key_of_a_tpm_counts_only_when_asked() {
    let work = Work::new();
    work.write(
        "key",
        include_bytes!("../../../../../checks/fuzz/corpus/tss2_key/pem"),
    );
    let (status, verdict) = found(&work, &["key"]);
    assert_eq!((status, verdict["clean"].as_bool()), (Some(0), Some(true)));
    let (status, verdict) = found(&work, &["key", "--tpm-bound"]);
    assert_eq!(status, Some(3));
    assert_eq!(verdict["found"][0]["kind"], "tss2");
}

#[test]
fn a_known_key_is_allowed_by_fingerprint_or_place_and_nothing_else_is() {
    let work = Work::new();
    work.keys("keys");
    let (status, verdict) = found(&work, &["keys"]);
    assert_eq!(status, Some(3));
    let all = verdict["found"].as_array().unwrap();
    assert_eq!(all.len(), 3, "PK, KEK and db: {verdict}");
    let fingerprint = all[0]["fingerprint"].as_str().unwrap();
    let (status, verdict) = found(&work, &["keys", "--allow", fingerprint]);
    assert_eq!(status, Some(3));
    assert_eq!(verdict["found"].as_array().unwrap().len(), 2);
    let pattern = format!("{}/*.key", work.path("keys").display());
    let keys = work.path("keys").display().to_string();
    let (status, verdict) = found(&work, &[&keys, "--allow", &pattern, "--allow", "/nowhere"]);
    assert_eq!(status, Some(0));
    assert_eq!(verdict["allowed"].as_array().unwrap().len(), 3);
    assert_eq!(verdict["unused"], serde_json::json!(["/nowhere"]));
    let output = work.touchstone(["closure", "secrets", "keys", "--allow", "keys/db.key"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("neither a fingerprint nor a pattern"),
        "{said}"
    );
}

#[test]
fn a_link_is_not_followed_and_what_cannot_be_read_is_an_error() {
    let work = Work::new();
    work.keys("keys");
    std::fs::create_dir(work.path("folder")).unwrap();
    std::os::unix::fs::symlink(work.path("keys/db.key"), work.path("folder/link")).unwrap();
    let (status, verdict) = found(&work, &["folder"]);
    assert_eq!((status, verdict["files"].as_u64()), (Some(0), Some(0)));
    let output = work.touchstone(["closure", "secrets", "folder", "missing"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("[input.unreadable]") && said.contains("missing"),
        "{said}"
    );
}

/// A whole system of Debian, whose libraries know every word of every format of keys.
#[test]
fn in_debian_s_files_nothing_is_taken_for_a_key_that_is_none() {
    let work = Work::new();
    let root = work.inputs.trixie().path().join("usr");
    let (_, verdict) = found(&work, &[root.to_str().unwrap()]);
    assert!(verdict["bytes"].as_u64().unwrap() > 200 << 20, "{verdict}");
    // Keys that everybody has, one by one: the tests that GnuTLS makes of itself, Nix' example, and the snake oil of OVMF.
    for one in verdict["found"].as_array().unwrap() {
        assert!(
            one["path"]
                .as_str()
                .unwrap()
                .ends_with("PkKek-1-snakeoil.key"),
            "{one}"
        );
    }
    let allowed = verdict["allowed"].as_array().unwrap();
    assert!(
        allowed.iter().all(|one| one["published"].is_string()),
        "{verdict}"
    );
    assert!(allowed.len() >= 12, "{verdict}");
}
