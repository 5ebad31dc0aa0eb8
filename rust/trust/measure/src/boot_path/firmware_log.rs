//! What the firmware of one machine measures before it starts anything, by the log of a boot of that machine.

use std::collections::BTreeMap;

use crate::bank::{Bank, Digest};
use crate::eventlog::{EventLog, EventLogError, LoggedEvent};

/// The events of a log that replays to the machine's registers: what the firmware will measure again.
#[derive(Clone, Debug)]
pub struct FirmwareLog {
    events: Vec<LoggedEvent>,
    banks: Vec<Bank>,
    locality: u8,
}

/// The values of a machine's registers: by number and bank.
pub type Registers = BTreeMap<u32, BTreeMap<Bank, Digest>>;

/// Why a log is no ground for a prediction.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FirmwareLogError {
    /// A value is missing beside which the log could be checked.
    #[error(
        "the machine's value of PCR {0} is not given in a bank in which all of PCRs 0 to 7 are: read them from the machine on which the log was read, in the same boot"
    )]
    NoValue(u32),
    /// The log does not lead to the machine's registers.
    #[error(
        "the log does not lead to the machine's value of PCR {pcr} in the bank {bank}: it is of another boot or another machine, it is not whole, or something extended the register without a log"
    )]
    Differs {
        /// The register.
        pcr: u32,
        /// The bank.
        bank: Bank,
    },
    /// The log cannot be replayed.
    #[error("the log cannot be replayed: {0}")]
    Replay(#[from] EventLogError),
}

/// The registers of the firmware, which a log must explain.
const FIRMWARE: std::ops::RangeInclusive<u32> = 0..=7;
/// What systemd 262 extends them with in the initrd, when the firmware's part is over.
const OS_SEPARATOR: &[u8] = b"os-separator";

impl FirmwareLog {
    /// The log of a boot after which the machine's registers had these values.
    ///
    /// # Errors
    /// [`FirmwareLogError`], when the log does not lead to the values of PCRs 0 to 7 in every bank in which all of them
    /// are given. systemd's separator of firmware and system, which is in no log of the firmware, may follow.
    pub fn new(log: &EventLog, values: &Registers) -> Result<FirmwareLog, FirmwareLogError> {
        let banks: Vec<Bank> = Bank::ALL
            .into_iter()
            .filter(|bank| {
                FIRMWARE
                    .clone()
                    .all(|pcr| value(values, pcr, *bank).is_some())
            })
            .collect();
        if banks.is_empty() {
            let missing = FIRMWARE.into_iter().find(|pcr| !values.contains_key(pcr));
            return Err(FirmwareLogError::NoValue(missing.unwrap_or(0)));
        }
        for bank in &banks {
            let replayed = log.replay(*bank)?;
            for pcr in FIRMWARE {
                let logged = replayed.get(&pcr).copied().unwrap_or(Digest::zero(*bank));
                let after = logged.extended(&bank.hash(OS_SEPARATOR));
                if !value(values, pcr, *bank).is_some_and(|value| [logged, after].contains(&value))
                {
                    return Err(FirmwareLogError::Differs { pcr, bank: *bank });
                }
            }
        }
        Ok(FirmwareLog {
            events: log
                .events
                .iter()
                .filter(|event| event.extends())
                .cloned()
                .collect(),
            banks,
            locality: log.startup_locality().unwrap_or(0),
        })
    }

    /// Everything that extended a register, in its order.
    pub(crate) fn events(&self) -> &[LoggedEvent] {
        &self.events
    }

    /// The banks in which the log leads to the machine's values.
    pub(crate) fn banks(&self) -> &[Bank] {
        &self.banks
    }

    /// The locality from which PCR 0 started.
    pub(crate) fn locality(&self) -> u8 {
        self.locality
    }
}

fn value(values: &Registers, pcr: u32, bank: Bank) -> Option<Digest> {
    values.get(&pcr)?.get(&bank).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(pcr: u32, data: &[u8]) -> LoggedEvent {
        let digest = |bank: Bank| (bank.algorithm(), bank.hash(data).as_bytes().to_vec());
        LoggedEvent {
            pcr,
            event_type: 4,
            digests: vec![digest(Bank::Sha1), digest(Bank::Sha256)],
            data: data.to_vec(),
        }
    }

    fn log() -> EventLog {
        EventLog {
            algorithms: vec![(Bank::Sha1.algorithm(), 20), (Bank::Sha256.algorithm(), 32)],
            events: FIRMWARE.map(|pcr| event(pcr, &[0; 4])).collect(),
        }
    }

    fn values(after: impl Fn(Digest) -> Digest) -> Registers {
        let of = |bank: Bank| after(Digest::zero(bank).extended(&bank.hash(&[0; 4])));
        FIRMWARE
            .map(|pcr| {
                let banks = [Bank::Sha1, Bank::Sha256];
                (
                    pcr,
                    banks.into_iter().map(|bank| (bank, of(bank))).collect(),
                )
            })
            .collect()
    }

    #[test]
    fn takes_a_log_that_leads_to_the_machines_values() {
        let taken = FirmwareLog::new(&log(), &values(|value| value)).unwrap();
        assert_eq!(taken.banks(), [Bank::Sha1, Bank::Sha256]);
        let after = |value: Digest| value.extended(&value.bank().hash(b"os-separator"));
        assert!(FirmwareLog::new(&log(), &values(after)).is_ok());
    }

    #[test]
    fn refuses_a_log_that_leads_elsewhere() {
        let mut other = values(|value| value);
        let zero = Digest::zero(Bank::Sha256);
        other.get_mut(&2).unwrap().insert(Bank::Sha256, zero);
        assert_eq!(
            FirmwareLog::new(&log(), &other).unwrap_err(),
            FirmwareLogError::Differs {
                pcr: 2,
                bank: Bank::Sha256
            }
        );
        let mut longer = log();
        longer.events.push(event(5, b"more"));
        assert!(FirmwareLog::new(&longer, &values(|value| value)).is_err());
    }

    #[test]
    fn refuses_a_log_without_values_to_check_it_by() {
        let mut few = values(|value| value);
        few.remove(&3);
        assert_eq!(
            FirmwareLog::new(&log(), &few).unwrap_err(),
            FirmwareLogError::NoValue(3)
        );
        assert_eq!(
            FirmwareLog::new(&log(), &Registers::new()).unwrap_err(),
            FirmwareLogError::NoValue(0)
        );
    }
}
