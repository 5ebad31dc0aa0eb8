//! Keys for the unit tests, generated once a run.

use std::sync::LazyLock;

use crate::FileSigner;
use crate::keys::{RsaSize, TestKey, TestKeyRequest, generate_test};

/// 2026-01-01 to 2036-01-01.
pub(crate) fn request(common_name: &str) -> TestKeyRequest<'_> {
    TestKeyRequest {
        common_name,
        size: RsaSize::Bits2048,
        not_before: 1_767_225_600,
        not_after: 2_082_758_400,
    }
}

pub(crate) fn rsa() -> &'static TestKey {
    static KEY: LazyLock<TestKey> = LazyLock::new(|| generate_test(&request("db")).unwrap());
    &KEY
}

pub(crate) fn other_rsa() -> &'static TestKey {
    static KEY: LazyLock<TestKey> = LazyLock::new(|| generate_test(&request("another")).unwrap());
    &KEY
}

pub(crate) fn signer(key: &TestKey) -> FileSigner {
    FileSigner::new(key.key_pem.as_bytes(), key.certificate_pem.as_bytes()).unwrap()
}
