//! PCR 11 of a UKI, by phase: asked of a file (`measure.uki`), or while a UKI is assembled (`uki.assemble`).

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use touchstone_measure::{Ask, Bank, Digest, MeasuredUki, PhasePath, ProfileMeasurement};

/// Which values of PCR 11 are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct AskPcr11 {
    /// Phase paths; the moment before the first and all of systemd's when there are none.
    #[serde(default)]
    pub phases: Vec<PhasePath>,
    /// Banks; `sha256` when there are none.
    #[serde(default)]
    pub banks: Vec<Bank>,
}

/// PCR values by phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UkiPcrs {
    /// PCR → bank → phase path → value.
    pub pcrs: BTreeMap<u32, BTreeMap<Bank, BTreeMap<String, Digest>>>,
}

impl AskPcr11 {
    /// The banks in which sections are to be hashed.
    pub fn banks(&self) -> Vec<Bank> {
        match self.banks.as_slice() {
            [] => Ask::default().banks,
            banks => banks.to_vec(),
        }
    }

    /// The values of a UKI that was measured in [`AskPcr11::banks`].
    pub fn values(&self, uki: &MeasuredUki) -> UkiPcrs {
        self.by_phase(|bank, phase| uki.pcr11(bank, phase))
    }

    /// The values of a UKI's profile that was measured in [`AskPcr11::banks`].
    pub(crate) fn values_of(&self, profile: &ProfileMeasurement) -> UkiPcrs {
        self.by_phase(|bank, phase| {
            let reached = |value: Digest, word: &str| value.extended(&bank.hash(word.as_bytes()));
            Some(phase.words().fold(profile.pcr11(bank)?, reached))
        })
    }

    fn by_phase(&self, value: impl Fn(Bank, &PhasePath) -> Option<Digest>) -> UkiPcrs {
        let phases = match self.phases.as_slice() {
            [] => std::iter::once(PhasePath::none())
                .chain(PhasePath::standard())
                .collect(),
            phases => phases.to_vec(),
        };
        let values = |bank: Bank| {
            let value = |phase: &PhasePath| Some((phase.to_string(), value(bank, phase)?));
            phases.iter().filter_map(value).collect()
        };
        let banks = self.banks().into_iter();
        let pcr11 = banks.map(|bank| (bank, values(bank))).collect();
        UkiPcrs {
            pcrs: BTreeMap::from([(11, pcr11)]),
        }
    }
}
