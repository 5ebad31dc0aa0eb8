//! What is a key, and what only looks like one. Keys of every form beside OpenSSL and others: `doors/cli/tests/secrets.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed step of a test fails the test"
)]

use touchstone_sign::keys::{KeyAlgorithm, KeyRequest, generate};
use zeroize::Zeroizing;

use super::*;

/// A P-256 key in PKCS#8, as PEM.
fn pem() -> String {
    let request = KeyRequest {
        common_name: "Touchstone test key, do not trust",
        algorithm: KeyAlgorithm::P256,
        not_before: 1_767_225_600,
        not_after: 2_082_758_400,
        test: true,
    };
    generate(&request).unwrap().key_pem.to_string()
}

fn nix() -> String {
    let seed = Zeroizing::new([7; 32]);
    let key = touchstone_store::SecretKey::from_seed("cache.example-1", &seed).unwrap();
    key.expose_text().to_string()
}

/// The identity whose 32 bytes are all 1, by BIP 173 as written down a second time, in Python.
const AGE: &str = "AGE-SECRET-KEY-1QYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZ9K4CN";

fn scan(bytes: &[u8]) -> Vec<(u64, Kind)> {
    scan_by(1 << 20, bytes)
}

fn scan_by(window: usize, mut bytes: &[u8]) -> Vec<(u64, Kind)> {
    let length = bytes.len() as u64;
    let (found, read) = Scanner::with_window(window).scan(&mut bytes).unwrap();
    assert_eq!(read, length);
    let kinds = found.iter();
    kinds
        .map(|found| (found.offset, found.secret.kind))
        .collect()
}

#[test]
fn a_key_is_found_wherever_it_stands_and_however_much_is_read_at_once() {
    let pem = pem();
    for (key, kind) in [(pem.as_str(), Kind::Pkcs8), (&nix(), Kind::Nix)] {
        for before in [
            0, 1, 511, 512, 513, 4095, 65_535, 65_536, 65_537, 66_049, 200_000,
        ] {
            let mut bytes = vec![b' '; before];
            bytes.extend(key.as_bytes());
            bytes.extend([b'\n'; 70_000]);
            for window in [1, 7, 4096, 1 << 20] {
                // A window of one byte takes a step a byte: only where there are few.
                if window < 4096 && before > 600 {
                    continue;
                }
                let found = scan_by(window, &bytes);
                assert_eq!(found, [(before as u64, kind)], "{window} at {before}");
            }
        }
    }
}

#[test]
fn two_keys_are_two_findings_and_one_key_is_one() {
    let (pem, nix) = (pem(), nix());
    let text = format!("{pem}{nix}\n{pem}");
    let found = scan(text.as_bytes());
    let kinds: Vec<Kind> = found.iter().map(|(_, kind)| *kind).collect();
    assert_eq!(kinds, [Kind::Pkcs8, Kind::Nix, Kind::Pkcs8]);
}

#[test]
fn a_key_in_a_program_s_text_is_a_key() {
    let pem = pem();
    let json = serde_json::json!({ "private_key": pem }).to_string();
    assert_eq!(scan(json.as_bytes()).len(), 1, "{json}");
    let lines: Vec<String> = pem.lines().map(|line| format!("  \"{line}\\n\"")).collect();
    assert_eq!(scan(lines.join("\n").as_bytes()).len(), 1);
    let list: Vec<String> = pem.lines().map(|line| format!("'{line}',")).collect();
    assert_eq!(scan(list.join("\r\n").as_bytes()).len(), 1);
}

#[test]
fn words_that_a_library_knows_are_no_key() {
    let pem = pem();
    let lines: Vec<&str> = pem.lines().collect();
    let cut = lines[..lines.len() - 1].join("\n");
    let changed = pem.replacen("MIG", "MIH", 1);
    for text in [
        "-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----\0",
        "-----BEGIN PRIVATE KEY----------END PRIVATE KEY-----",
        "-----BEGIN RSA PRIVATE KEY-----\n...\n-----END RSA PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----",
        &cut,
        &changed,
        "AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ",
    ] {
        assert_eq!(scan(text.as_bytes()), [], "{text}");
    }
}

#[test]
fn a_signature_of_nix_and_a_public_key_are_no_key() {
    let key = touchstone_store::SecretKey::parse(&nix()).unwrap();
    let texts = [
        key.sign("1;/nix/store/x").to_string(),
        key.public_key().to_string(),
    ];
    for text in texts {
        assert_eq!(scan(text.as_bytes()), [], "{text}");
    }
}

#[test]
fn an_identity_of_age_has_the_right_checksum_and_length() {
    assert_eq!(scan(AGE.as_bytes()), [(0, Kind::Age)]);
    let other = AGE.replacen("1QYQSZ", "1QYQSY", 1);
    assert_eq!(scan(other.as_bytes()), []);
    assert_eq!(scan(&AGE.as_bytes()[..AGE.len() - 1]), []);
}

#[test]
fn der_is_a_key_only_as_a_whole_file() {
    let pem = pem();
    let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = data_encoding::BASE64.decode(body.as_bytes()).unwrap();
    assert_eq!(scan(&der), [(0, Kind::Pkcs8)]);
    assert_eq!(scan(&[&der[..], &[0]].concat()), []);
    assert_eq!(scan(&der[..der.len() - 1]), []);
    assert_eq!(scan(&[&[0], &der[..]].concat()), []);
}

/// Neither a finding nor a refusal shows a byte of a key.
#[test]
fn nothing_that_is_said_shows_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let pem = pem();
    std::fs::write(folder.path().join("key"), format!("{pem}\n{}", nix())).unwrap();
    let request = FindSecrets {
        paths: vec![folder.path().to_owned()],
        ..FindSecrets::default()
    };
    let context = Context {
        files: &crate::HostFiles,
        progress: &crate::progress::Silent,
        keys: crate::signing_key::KeyPolicy::Any,
        agent: None,
        now: None,
    };
    let verdict = request.run(&context).unwrap();
    assert_eq!(verdict.found.len(), 2);
    let refused = FindSecrets {
        required: true,
        ..request
    }
    .run(&context);
    let said = format!("{}{verdict:?}", refused.unwrap_err());
    let nix = nix();
    for secret in pem.lines().filter(|line| !line.starts_with('-')) {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(!said.contains(&nix[20..40]), "{said}");
}
