//! systemd's logs of what it measures: any bytes are read or refused, and what was read can be explained and replayed.
//!
//! Seeds: `phases` is what systemd-pcrextend 257 wrote of four phases, a file system and a word in one bank; `other` has an NV
//! index, an algorithm that is not computed, and a record of another writer.
#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use touchstone_measure::{Bank, eventlog::userspace};

fuzz_target!(|bytes: &[u8]| {
    let Ok(log) = userspace::parse(bytes) else {
        return;
    };
    assert!(log.records.len() <= bytes.len());
    for record in &log.records {
        assert!(!record.describe().contains(char::is_control));
        assert!(!record.digests.is_empty() || !record.others.is_empty());
        assert!(
            record
                .digests
                .iter()
                .all(|(bank, digest)| digest.bank() == *bank)
        );
        assert!(record.contradictions().len() <= record.digests.len());
    }
    for bank in Bank::ALL {
        let mut pcrs = BTreeMap::new();
        log.replay(bank, &mut pcrs);
        assert!(log.has(bank) || pcrs.is_empty());
        assert!(pcrs.keys().all(|pcr| matches!(pcr, 0..=16 | 23)));
    }
});
