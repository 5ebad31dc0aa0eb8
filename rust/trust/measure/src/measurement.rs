//! Measurements: what extends which register, and why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bank::{Bank, Digest};
use crate::hash::Digests;

/// What kind of event a measurement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// PCR 4: the firmware says that it starts a boot option.
    BootOption,
    /// PCRs 0–7: the line between firmware and what it starts.
    Separator,
    /// PCR 4: a PE image that the firmware loaded; its Authenticode digest.
    Image,
    /// PCR 7: a Secure Boot variable, with its name and content.
    Variable,
    /// PCR 7: the entry of `db` that let an image start.
    Authority,
    /// PCRs 0–7: an event of the firmware, by the machine's own log of an earlier boot.
    Firmware,
    /// PCR 5: the partition table of the disk that is booted.
    PartitionTable,
    /// PCR 5: the boot loader's own settings.
    LoaderConfiguration,
    /// PCR 5: an attempt to end the boot services.
    ExitBootServices,
    /// PCR 14: a list of the machine owner's keys, by shim.
    OwnerKeys,
    /// PCR 15: the machine's identity, by systemd.
    Identity,
    /// PCR 11: the name of a UKI's section.
    SectionName,
    /// PCR 11: the content of a UKI's section.
    SectionContent,
    /// PCR 11: a boot phase was reached.
    Phase,
    /// PCRs 0 to 7, 9, 12, 13, 14: the line that systemd 262 draws in the initrd.
    OsSeparator,
    /// PCR 9: the command line that the kernel was given.
    CommandLine,
    /// PCR 9: the initial RAM disk that the kernel was given.
    Initrd,
    /// PCR 12: options that boot loader or stub received or passed on.
    LoadOptions,
    /// PCR 12: the number of the UKI's profile that was chosen.
    Profile,
    /// PCR 12: a section that an addon brings.
    Addon,
    /// PCR 12: credentials from the ESP, as a cpio archive.
    Credentials,
    /// PCR 12: configuration extensions from the ESP, as a cpio archive.
    ConfigurationExtensions,
    /// PCR 13: system extensions from the ESP, as a cpio archive.
    SystemExtensions,
}

/// One extension of one register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The register's number.
    pub pcr: u32,
    /// What it is extended with; the length says in which bank.
    pub digest: Digest,
    /// What kind of event this is.
    pub kind: EventKind,
    /// What was hashed, in words.
    pub why: String,
}

/// The values of the registers that these measurements touch, in one bank, when every register starts at zero.
///
/// Measurements of other banks are passed over. Registers that no measurement touches are not in the answer:
/// they hold [`Digest::zero`].
pub fn replay(bank: Bank, measurements: &[Measurement]) -> BTreeMap<u32, Digest> {
    let mut pcrs = BTreeMap::new();
    for measurement in measurements
        .iter()
        .filter(|measurement| measurement.digest.bank() == bank)
    {
        let value = pcrs.entry(measurement.pcr).or_insert(Digest::zero(bank));
        *value = value.extended(&measurement.digest);
    }
    pcrs
}

/// One event, with its digest in each asked bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) pcr: u32,
    pub(crate) kind: EventKind,
    pub(crate) why: String,
    pub(crate) digests: Digests,
}

impl Event {
    /// The event of these bytes.
    pub(crate) fn of(
        banks: &[Bank],
        pcr: u32,
        kind: EventKind,
        why: impl Into<String>,
        data: &[u8],
    ) -> Event {
        Event {
            pcr,
            kind,
            why: why.into(),
            digests: Digests::of(banks, data),
        }
    }

    /// The measurements of this event: one for each of these banks. A bank whose digest is unknown gives none.
    pub(crate) fn measurements<'a>(
        &'a self,
        banks: &'a [Bank],
    ) -> impl Iterator<Item = Measurement> + 'a {
        banks
            .iter()
            .filter_map(|bank| self.digests.get(*bank))
            .map(|digest| Measurement {
                pcr: self.pcr,
                digest,
                kind: self.kind,
                why: self.why.clone(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(pcr: u32, digest: Digest) -> Measurement {
        Measurement {
            pcr,
            digest,
            kind: EventKind::Separator,
            why: "separator".into(),
        }
    }

    #[test]
    fn replays_each_register_and_bank_on_its_own() {
        let (short, long) = (Bank::Sha1.hash(&[0; 4]), Bank::Sha256.hash(&[0; 4]));
        let measurements = [
            measurement(4, short),
            measurement(4, long),
            measurement(7, long),
            measurement(7, long),
        ];
        let pcrs = replay(Bank::Sha256, &measurements);
        let once = Digest::zero(Bank::Sha256).extended(&long);
        assert_eq!(pcrs, BTreeMap::from([(4, once), (7, once.extended(&long))]));
        assert_eq!(replay(Bank::Sha512, &measurements), BTreeMap::new());
    }

    #[test]
    fn writes_the_fields_that_the_command_line_promises() {
        let json = serde_json::to_value(measurement(4, Bank::Sha1.hash(b""))).unwrap();
        assert_eq!(json["pcr"], 4);
        assert_eq!(json["digest"], "da39a3ee5e6b4b0d3255bfef95601890afd80709");
        assert_eq!(json["why"], "separator");
        assert_eq!(serde_json::from_value::<Measurement>(json).unwrap().pcr, 4);
    }
}
