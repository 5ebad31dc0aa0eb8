//! Event logs: any bytes are read or refused, and what was read can be explained and replayed.
//!
//! Seeds: `crypto-agile` has two banks and one event of each type that is explained, `tpm-1.2` is in the old format,
//! `locality` notes the startup locality and announces an algorithm that cannot be replayed, `hcrtm` measures an H-CRTM, has
//! vendor data, tables, partitions, a load option and an event in no register; made by hand after the TCG PC Client Platform
//! Firmware Profile. `ovmf-2025.02` is the log of a machine that the boot checks booted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_measure::{Bank, eventlog};

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = eventlog::parse(bytes) else {
        return;
    };
    // Every event has at least 16 bytes, and its content comes out of the log: memory stays bounded by the input.
    let content: usize = log.events.iter().map(|event| event.data.len() + 16).sum();
    assert!(content <= bytes.len());
    for event in &log.events {
        let says = event.describe();
        assert!(!says.contains(char::is_control) && says.chars().count() <= 1001);
        assert!(!event.type_name().is_empty());
        // No register outside of a PC's is ever extended, nor one that firmware may not extend.
        assert!(!event.extends() || matches!(event.pcr, 0..=16 | 23));
    }
    for found in log.contradictions() {
        assert!(found.event < log.events.len());
        assert!(!found.finding.describe().is_empty());
    }
    for bank in Bank::ALL {
        // A bank is there in every event that extends, or in none.
        match log.replay(bank) {
            Ok(pcrs) => assert!(pcrs.values().all(|value| value.bank() == bank)),
            Err(error) => assert!(!log.has(bank) && !error.to_string().is_empty()),
        }
    }
});
