//! What is done all the same, but may surprise on the machine.

use schemars::JsonSchema;
use serde::Serialize;
use touchstone_sign::auth::Variable;
use touchstone_sign::esl::SignatureList;
use touchstone_sign::keys::is_test_key;
use touchstone_sign::{Certificate, KeyKind, PublicKey, certificate};

use super::content::certificates;
use super::option_roms::OptionRom;

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
            what: "there are test keys here, which protect nothing".to_owned(),
            help: "never enrol them on a machine that matters: `touchstone keys generate` without `--test` makes real ones",
        }
    }

    /// Keys that not every firmware verifies.
    pub(super) fn elliptic_curve(what: &str) -> Self {
        Self {
            code: "elliptic-curve",
            what: format!("{what}: some firmware verifies RSA only"),
            help: "try it on this model of machine first, or use RSA of 2048 bits",
        }
    }

    /// A certificate outside of its dates.
    fn expired(reason: &str) -> Self {
        Self {
            code: "expired",
            what: reason.to_owned(),
            help: "firmware ignores dates; still, look whether its owner has issued a newer one",
        }
    }

    /// A db in which nobody else's key is.
    pub(super) fn own_keys_only() -> Self {
        Self {
            code: "own-keys-only",
            what: "db holds your own key alone: what others signed, such as the option ROM of a graphics or network card, will not run, and a machine that needs it stays dark or does not start".to_owned(),
            help: "add `--microsoft`, `--firmware-builtin` or the machine's own `--tpm-eventlog`, unless you know that the machine needs none of it",
        }
    }

    /// A KEK in which Microsoft's key is not.
    pub(super) fn no_microsoft_kek() -> Self {
        Self {
            code: "kek-without-microsoft",
            what: "KEK does not hold Microsoft's key: updates of dbx that Microsoft signs, such as fwupd's, will not be accepted".to_owned(),
            help: "add Microsoft's KEK certificate with `--microsoft`, or sign updates of dbx yourself",
        }
    }

    /// Option ROMs that db does not allow, where that was asked for.
    pub(super) fn unverified_option_roms(roms: &[OptionRom]) -> Self {
        Self {
            code: "option-roms-refused",
            what: format!("nothing in db allows {}", listed(roms)),
            help: "add them with `--tpm-eventlog`; keep a way to clear the keys in the firmware's setup that needs no graphics",
        }
    }

    /// Option ROMs that somebody's certificate in db may or may not allow.
    pub(super) fn option_roms_by_certificate(roms: &[OptionRom]) -> Self {
        Self {
            code: "option-roms-unproven",
            what: format!(
                "db allows {} only if one of its certificates signed it, which an event log does not tell",
                listed(roms)
            ),
            help: "add them with `--tpm-eventlog` to be sure",
        }
    }

    /// Lists without an entry.
    pub(super) fn no_entries() -> Self {
        Self {
            code: "no-entries",
            what: "there is nothing in what was named: the lists are empty".to_owned(),
            help: "an update of an empty list removes the variable, unless it appends",
        }
    }

    /// An update that takes a variable away.
    pub(super) fn removal(variable: Variable) -> Self {
        Self {
            code: "removes-variable",
            what: format!("the update has no entries: it removes {variable}"),
            help: match variable {
                Variable::Pk => {
                    "without a platform key Secure Boot is off, and anybody can enrol keys"
                }
                _ => "to keep entries, sign a list that has them",
            },
        }
    }
}

/// Option ROMs in words.
pub(super) fn listed(roms: &[OptionRom]) -> String {
    let each: Vec<_> = roms
        .iter()
        .map(|rom| format!("{} ({})", rom.sha256, rom.what))
        .collect();
    format!("the option ROM {}", each.join(", nor the option ROM "))
}

/// Warnings about the certificates of lists.
pub(super) fn of_lists(lists: &[SignatureList], now: Option<u64>) -> Vec<Warning> {
    each_once(
        certificates(lists)
            .flat_map(|certificate| of_certificate(&certificate, now))
            .collect(),
    )
}

fn of_certificate(certificate: &Certificate, now: Option<u64>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    if is_test_key(certificate) {
        warnings.push(Warning::test_keys());
    }
    if PublicKey::of(certificate).is_ok_and(|key| key.kind() != KeyKind::Rsa) {
        let subject = certificate::subject(certificate);
        warnings.push(Warning::elliptic_curve(&format!(
            "{subject} is of an elliptic curve key"
        )));
    }
    let expired = now.and_then(|now| certificate::check_validity(certificate, now).err());
    warnings.extend(expired.map(|reason| Warning::expired(&reason.to_string())));
    warnings
}

/// The warnings in their order, none twice.
pub(super) fn each_once(warnings: Vec<Warning>) -> Vec<Warning> {
    let mut kept: Vec<Warning> = Vec::new();
    for warning in warnings {
        if !kept.contains(&warning) {
            kept.push(warning);
        }
    }
    kept
}
