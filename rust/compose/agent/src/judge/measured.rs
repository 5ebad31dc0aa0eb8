//! The policies over the values that PCR 11 will have.

use std::collections::BTreeMap;

use touchstone_measure::policy::{PcrValues, PolicyDigest, PolicyError, check_reference};
use touchstone_measure::{
    Bank, Component, PhasePath, ProfileMeasurement, Version, VersionError, measure_profiles,
};

use super::PcrRequest;
use super::facts::Facts;
use super::refuse::refuse;
use crate::policy::PcrPolicy;
use crate::protocol::Refusal;

/// The register of UKIs.
const PCR: u32 = 11;

/// Whether an operation of the policy is for what is asked.
///
/// # Errors
/// [`Refusal`].
pub(super) fn allows(operation: &PcrPolicy, request: &PcrRequest<'_>) -> Result<(), Refusal> {
    let help = "ask for banks, phases and policy references that the rule lists, or add them to it";
    let refused = |what: String| Err(refuse("policy.moment", what, help));
    if request.banks.is_empty() || request.phases.is_empty() {
        return refused("no bank, or no phase, is asked for".to_owned());
    }
    if let Some(bank) = request
        .banks
        .iter()
        .find(|bank| !operation.banks.contains(bank))
    {
        return refused(format!("the rule does not sign values of the bank {bank}"));
    }
    if let Some(phase) = request
        .phases
        .iter()
        .find(|phase| !operation.phases.contains(phase))
    {
        return refused(format!(
            "the rule does not sign values of the phase `{phase}`"
        ));
    }
    match request.reference {
        Some(reference) if !operation.policy_refs.contains(reference) => refused(format!(
            "the rule does not sign with the policy reference {reference:?}"
        )),
        Some(reference) => check_reference(reference).map_err(|error| wrong(&error)),
        None => Ok(()),
    }
}

/// The policies of each profile, in the order of systemd-measure, each once.
///
/// # Errors
/// [`Refusal`] when the machine chooses what is measured, or the stub's measurements are not known.
pub(super) fn policies(
    facts: &Facts<'_>,
    request: &PcrRequest<'_>,
) -> Result<Vec<Vec<(Bank, PolicyDigest)>>, Refusal> {
    let mut banks = request.banks.to_vec();
    banks.sort_unstable();
    banks.dedup();
    let phases: BTreeMap<String, &PhasePath> = request
        .phases
        .iter()
        .map(|phase| (phase.to_string(), phase))
        .collect();
    let each = |profile: &ProfileMeasurement| {
        let mut policies = Vec::new();
        for bank in &banks {
            for phase in phases.values() {
                let policy = (*bank, of(profile, *bank, phase)?);
                if !policies.contains(&policy) {
                    policies.push(policy);
                }
            }
        }
        Ok(policies)
    };
    profiles(facts)?.iter().map(each).collect()
}

/// What each profile gives PCR 11.
///
/// # Errors
/// As [`policies`].
pub(super) fn profiles(facts: &Facts<'_>) -> Result<Vec<ProfileMeasurement>, Refusal> {
    let magic = facts.texts(".sdmagic").next();
    let magic = magic.ok_or_else(|| wrong(&VersionError::Missing(Component::Stub)))?;
    let stub = Version::of_sdmagic(Component::Stub, magic).map_err(|error| wrong(&error))?;
    measure_profiles(facts.sections(), facts.digests(), &stub).map_err(|error| wrong(&error))
}

/// The policy of one profile, bank and moment.
///
/// # Errors
/// As [`policies`].
pub(super) fn of(
    profile: &ProfileMeasurement,
    bank: Bank,
    phase: &PhasePath,
) -> Result<PolicyDigest, Refusal> {
    let missing = || wrong(&PolicyError::NoValue { bank, pcr: PCR });
    let start = profile.pcr11(bank).ok_or_else(missing)?;
    let words = phase.words().map(|word| bank.hash(word.as_bytes()));
    let value = words.fold(start, |value, word| value.extended(&word));
    let values = PcrValues::of_bank(bank, &[(PCR, value)].into()).map_err(|error| wrong(&error))?;
    let policy = PolicyDigest::start(Bank::Sha256).map_err(|error| wrong(&error))?;
    Ok(policy.pcr(&values))
}

fn wrong(error: &dyn std::fmt::Display) -> Refusal {
    let what = format!("the values of PCR 11 are not known: {error}");
    refuse(
        "image.measurement",
        what,
        "use a stub of systemd 252, 257 or 262, and no section among which the machine chooses",
    )
}
