//! What is done all the same, but may surprise on the machine.

use schemars::JsonSchema;
use serde::Serialize;

/// A warning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// A stable name, for programs.
    pub code: &'static str,
    /// What may happen.
    pub what: String,
    /// What to do about it.
    pub help: &'static str,
}

impl Warning {
    /// Keys that are for tests.
    pub(super) fn test_keys() -> Self {
        Self {
            code: "test-keys",
            what: "these are test keys: everybody who builds with them can sign with them"
                .to_owned(),
            help: "never enrol them on a machine that matters; `touchstone keys generate` without `--test` makes real ones",
        }
    }

    /// Keys that not every firmware verifies.
    pub(super) fn elliptic_curve(whose: &str) -> Self {
        Self {
            code: "elliptic-curve",
            what: format!(
                "{whose}: some firmware verifies RSA only and then accepts nothing that this key signed"
            ),
            help: "try it on this model of machine first, or use rsa2048",
        }
    }
}
