//! Every key here is the one of RFC 6979 section A.2.5, written by OpenSSL 3.0 (`openssl pkcs8 -topk8
//! … -passout pass:correct`): whatever is read signs as it.

use super::*;
use crate::test_keys;

/// `-v2 aes256`
const PBKDF2_AES_256: &str = "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiDuxvn0BOHwQICCAAwDAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEILXPuuKXFbc1k2Q2VrkevEEgZALgV/7qVMIeKFxJV2VdcH57wHn0OXkKOk5c55RalPTtiRfijByruQErFqRIuVYDAiuWj6aRnFuQc8TLxM/Tv659WsMIIQJR7I5zNjJL0Prl0qP5/X5ew2xdrIPtLAXUaQcdrm/1bSvHjUF4bKtCn7Zb0mEwfepQEQ8lZ/qU1Ln5v16I43UHp6pRK6V4x/hdsI=";
/// `-v2 aes192 -v2prf hmacWithSHA512`
const PBKDF2_SHA_512_AES_192: &str = "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAi4m7OEcTfMSAICCAAwDAYIKoZIhvcNAgsFADAdBglghkgBZQMEARYEEIfzqvfhDDzhPivWes4iuJwEgZC9eSU8vavJ28fry9hdTRGFWI0+AHkBGTA8Jwc7wIWSVTOcDqprd4VHY0eDbxycD7R8y+mpfwbC1XZa/pSplwMlW2lk+DzQqdJ00h8j1pd9EslydhmDw1WiweIN1VnucsCIwtVbWNR7supZ7vvMTznE91SYp22418nJKUJrD5aG6JXPGRReLGaIzqFCnSFhscU=";
/// `-scrypt -v2 aes128`
const SCRYPT_AES_128: &str = "MIHkME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAiEJYVz2jAfIAICQAACAQgCAQEwHQYJYIZIAWUDBAECBBB/vMPnyAO9UiVlYqGJ2xHJBIGQvR0uCQ8FXjoMRJvWxVuZrM06vtOSgA7urTFUXNFNREYVlkU52Dq4rwti9N0hwvrgy9kvh7J5oD8dQCXMosJWGfY6hAezgpnhwdgS5vwDnoOVBAZAav0mbFlZfMNkkBtnM1uCR62ug9Yky6rvyyPZoA5HnOkkjioct4HNPqYOC5+zqGIHscf0Kb4jH9+CLdKC";
/// `-v2 des3`
const PBKDF2_3DES: &str = "MIHjME4GCSqGSIb3DQEFDTBBMCkGCSqGSIb3DQEFDDAcBAgS9lJFg3xXXgICCAAwDAYIKoZIhvcNAgkFADAUBggqhkiG9w0DBwQIp76O+nIrbJ8EgZCDol7lwIDCUvW4g6i1PjhaICDRrVmE2inqIsBMpLKJIAAHiEQ5Ya0R7xw+ezJKQR61HaSMOg1PFQ6wpzTGkRcA0XxZH1IuG6P1aSGQVyU3YGnewOaLF3WvI2M8u3z38iWlhhy4YCFaWNljrrvInPgfwA29BgvBIOtIp9W1sLRXwHf4kcIMxFSWlA5W2nUTIxQ=";
/// `-v1 PBE-SHA1-3DES`
const PBES1: &str = "MIGxMBwGCiqGSIb3DQEMAQMwDgQI1b2ssa95gAECAggABIGQ4PYkXuT+UcAwt7lc/0u9AHhVTNDjtYI5W3ttiQ7hhsv75lNzAy5HhSo871kPHIHrCNOKOqElkaa4/PteAKWdZkuXV0eAVYozeX5RKmppS4Y7+Qev9MBh499Q9bFFkUW/1j8EDcFE15QPxNj0wTnmxfiVKZntl6LOtuZJTmosc3Cv0bwVqI8ZFEpyuVWLcEO8";
/// `-v2 aes256 -v2prf hmacWithSHA1`
const HMAC_SHA_1: &str = "MIHeMEkGCSqGSIb3DQEFDTA8MBsGCSqGSIb3DQEFDDAOBAh+hASLQqvo9QICCAAwHQYJYIZIAWUDBAEqBBDM7jMjGlB2DJ/ChoZpJHQWBIGQP24OwcKTw0yriIiw4Ap1YpOFjfo1nXS3eSgTwkOMdJdTEUGkpyru3egdAfZYn21+5mXIyV2iGiIJkk8F5zSxjS5997P6GWJlN+qkukpE8y1VuvMmPnltYcFNqTIQrZ/ITXFpCu92+db4LFs8yE7lsGok5f0bLbIF6DbwllR8nmuPm+Qqes7gYCFInOSEBHjk";
/// `-v2 camellia256`
const CAMELLIA: &str = "MIHuMFkGCSqGSIb3DQEFDTBMMCkGCSqGSIb3DQEFDDAcBAinWWymW0G06wICCAAwDAYIKoZIhvcNAgkFADAfBgsqgwiMmks9AQEBBAQQrZX6SYIH8KvMYlXxsWHMXQSBkHmU2y0u+Q64xwW0ROgSFUFV6jQY+psvwFu9A/tR3lZn/2Mu8iHmpMsQNh3pHKzUbA2NsG/CcGFc5M2jFSxi9yEnEWLaEw9M0noPRYc9oiXS3GA1WinOkSm+A715NLOHvmiM+pl8lXdF1LwyHaJMLd3PuzWFzx2xL9wpjCYfizJimJaTSLj156LpDdLTlCG+NA==";
/// `-v2 aes256 -iter 10000001`
const TOO_MANY_ITERATIONS: &str = "MIHuMFkGCSqGSIb3DQEFDTBMMCsGCSqGSIb3DQEFDDAeBAiRyBdT2tauAQIEAJiWgTAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQeafTnLMod5SqwXLVHWFUvwSBkL5SWlcBmzHabYX/48R1Qa9XqcrIk1lM+/LGDtVSNjaQ3sKJdO31MvB7MH0NZFA86B4/wDl/8ZQkwkRPoY7W6Utv3lqQso957locHN28eWEmuOCOKDDZlJ3AZmq2NuccfstmC0lq1ve1qNTxs+vnfJxamsRHr/Ejgt9XhM5YDaMHiItTtvW460DW2p8Qn1cGkw==";
/// `openssl ec`
const SEC1: &str = "MHcCAQEEIMmvqdhFunUWa1whV2ex1pNOUMPbNuibEnuKYisSD2choAoGCCqGSM49AwEHoUQDQgAEYP7UuiVanTHJYet0xjVtaMBJuJI7Yfps5mliLmDyn7Z5A/4QCLi8maQa6elWKLxk8vGyDC1+n1F3o8KU1EYimQ==";

const CORRECT: &[u8] = b"correct";

fn pem(label: &str, base64: &str) -> String {
    let lines: Vec<&str> = (0..base64.len())
        .step_by(64)
        .map(|at| &base64[at..base64.len().min(at + 64)])
        .collect();
    let text = lines.join("\n");
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

fn encrypted(base64: &str) -> String {
    pem("ENCRYPTED PRIVATE KEY", base64)
}

fn der(base64: &str) -> Vec<u8> {
    let (_, document) = SecretDocument::from_pem(&encrypted(base64)).unwrap();
    document.as_bytes().to_vec()
}

fn open(key: &[u8], passphrase: &[u8], limit: Work) -> Result<PrivateKey, SignError> {
    PrivateKey::read(key, Some(Secret { passphrase, limit }))
}

fn is_the_key(read: Result<PrivateKey, SignError>) -> bool {
    let expected = PrivateKey::read(test_keys::p256().key_pem.as_bytes(), None);
    let sample = |key: PrivateKey| key.sign(Hash::Sha256, b"sample").unwrap();
    read.map(sample).unwrap() == expected.map(sample).unwrap()
}

#[test]
fn reads_what_openssl_encrypts_in_pem_and_der() {
    for base64 in [
        PBKDF2_AES_256,
        PBKDF2_SHA_512_AES_192,
        SCRYPT_AES_128,
        PBKDF2_3DES,
    ] {
        for form in [encrypted(base64).into_bytes(), der(base64)] {
            assert!(is_the_key(open(&form, CORRECT, Work::LIMIT)));
            assert!(matches!(
                PrivateKey::read(&form, None),
                Err(SignError::EncryptedKey)
            ));
            for wrong in [b"incorrect".as_slice(), b"correct\n", b""] {
                assert!(matches!(
                    open(&form, wrong, Work::LIMIT),
                    Err(SignError::WrongPassphrase)
                ));
            }
        }
    }
}

#[test]
fn a_passphrase_does_no_harm_to_a_key_without_one() {
    let pem = &test_keys::p256().key_pem;
    assert!(is_the_key(open(pem.as_bytes(), CORRECT, Work::LIMIT)));
}

#[test]
fn says_which_encryption_it_does_not_read() {
    let traditional = pem(
        "RSA PRIVATE KEY",
        "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA",
    );
    for (key, fact) in [
        (encrypted(PBES1), "none of PBES2"),
        (encrypted(HMAC_SHA_1), "1.2.840.113549.2.7"),
        (encrypted(CAMELLIA), "none of PBES2"),
        (traditional, "MD5"),
    ] {
        let Err(error) = open(key.as_bytes(), CORRECT, Work::LIMIT) else {
            panic!("{fact}: was read");
        };
        let said = error.to_string();
        assert!(
            said.contains(fact) && said.contains("openssl pkcs8"),
            "{said}"
        );
    }
}

#[test]
fn refuses_to_work_more_than_the_limit() {
    let key = encrypted(TOO_MANY_ITERATIONS);
    let refused = |key: &str, limit| {
        matches!(
            open(key.as_bytes(), CORRECT, limit),
            Err(SignError::Encryption { .. })
        )
    };
    assert!(refused(&key, Work::LIMIT));
    let limit = |iterations, memory| Work { iterations, memory };
    // As written: 2048 iterations; 16 MiB and one block of 1 KiB.
    let (pbkdf2, scrypt) = (encrypted(PBKDF2_AES_256), encrypted(SCRYPT_AES_128));
    assert!(refused(&pbkdf2, limit(2047, u64::MAX)));
    assert!(!refused(&pbkdf2, limit(2048, 0)));
    assert!(refused(&scrypt, limit(u32::MAX, 16 << 20)));
    assert!(!refused(&scrypt, limit(0, (16 << 20) + 1024)));
}

/// N, r and p of the file, each at its largest and at its smallest: nothing computed of them wraps around.
#[test]
fn no_parameters_of_scrypt_overflow() {
    let original = der(SCRYPT_AES_128);
    let costs = [0x02, 0x02, 0x40, 0x00, 0x02, 0x01, 0x08, 0x02, 0x01, 0x01];
    let at = original
        .windows(costs.len())
        .position(|window| window == costs)
        .unwrap();
    for (change, value) in [
        (2, 0x7f),
        (2, 0x00),
        (6, 0x7f),
        (6, 0x00),
        (9, 0x7f),
        (9, 0x00),
        (3, 0x01),
    ] {
        let mut key = original.clone();
        key[at + change] = value;
        let limit = Work {
            iterations: 0,
            memory: 17 << 20,
        };
        assert!(open(&key, CORRECT, limit).is_err());
    }
}

#[test]
fn reads_sec1_with_and_without_its_curve() {
    let text = pem("EC PRIVATE KEY", SEC1);
    // As `openssl ecparam -genkey` writes it.
    let behind_parameters = pem("EC PARAMETERS", "BggqhkjOPQMBBw==") + &text;
    let (_, document) = SecretDocument::from_pem(&text).unwrap();
    for form in [
        text.as_bytes(),
        behind_parameters.as_bytes(),
        document.as_bytes(),
    ] {
        assert!(is_the_key(PrivateKey::read(form, None)));
    }
    let unnamed = [
        &[0x30, 0x25, 2, 1, 1, 4, 0x20],
        test_keys::RFC_6979_P256.as_slice(),
    ]
    .concat();
    assert!(is_the_key(PrivateKey::read(&unnamed, None)));
    // secp256k1, whose numbers are as long as those of P-256.
    let other = [
        &[0x30, 0x2e, 2, 1, 1, 4, 0x20],
        test_keys::RFC_6979_P256.as_slice(),
        &[0xa0, 7, 6, 5, 0x2b, 0x81, 4, 0, 0x0a],
    ]
    .concat();
    assert!(matches!(
        PrivateKey::read(&other, None),
        Err(SignError::UnsupportedKey(_))
    ));
}

#[test]
fn no_error_shows_what_was_secret() {
    let keys = [
        PBKDF2_AES_256,
        SCRYPT_AES_128,
        PBES1,
        HMAC_SHA_1,
        CAMELLIA,
        TOO_MANY_ITERATIONS,
    ];
    for base64 in keys {
        let key = encrypted(base64);
        let Err(error) = open(key.as_bytes(), b"hunter2", Work::LIMIT) else {
            panic!("{base64}: was read");
        };
        for text in [error.to_string(), format!("{error:?}")] {
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
