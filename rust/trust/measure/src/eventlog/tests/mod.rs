//! What logs add up to; what they say and how they lie has files of its own.

mod lies;
mod words;

use proptest::prelude::*;

use super::names::event::{HCRTM, NO_ACTION};
use super::*;

/// A log, written as firmware does.
struct Log(Vec<u8>);

impl Log {
    /// A header that announces these algorithms.
    fn agile(algorithms: &[(u16, u16)]) -> Log {
        Log::announcing(algorithms, algorithms.len() as u32, &[0])
    }

    /// A header with this number and list of algorithms, and these vendor data behind them.
    fn announcing(algorithms: &[(u16, u16)], count: u32, vendor: &[u8]) -> Log {
        let mut header = SPEC_ID_03.to_vec();
        header.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        header.extend(count.to_le_bytes());
        for (algorithm, length) in algorithms {
            header.extend(algorithm.to_le_bytes());
            header.extend(length.to_le_bytes());
        }
        header.extend(vendor);
        Log(Vec::new()).legacy(0, NO_ACTION, &[0; 20], &header)
    }

    fn legacy(mut self, pcr: u32, event_type: u32, digest: &[u8; 20], data: &[u8]) -> Log {
        self.0.extend(pcr.to_le_bytes());
        self.0.extend(event_type.to_le_bytes());
        self.0.extend(digest);
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend(data);
        self
    }

    fn event(mut self, pcr: u32, event_type: u32, banks: &[Bank], data: &[u8]) -> Log {
        self.0.extend(pcr.to_le_bytes());
        self.0.extend(event_type.to_le_bytes());
        self.0.extend((banks.len() as u32).to_le_bytes());
        for bank in banks {
            self.0.extend(bank.algorithm().to_le_bytes());
            self.0.extend(bank.hash(data).as_bytes());
        }
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend(data);
        self
    }
}

const BOTH: [Bank; 2] = [Bank::Sha1, Bank::Sha256];

fn both() -> Log {
    Log::agile(&[(4, 20), (0xb, 32)])
}

fn event(event_type: u32, data: &[u8]) -> LoggedEvent {
    LoggedEvent {
        pcr: 0,
        event_type,
        digests: Vec::new(),
        data: data.to_vec(),
    }
}

fn variable(name: &str, content: &[u8]) -> Vec<u8> {
    let name = crate::utf16::without_nul(name);
    let mut data = vec![0; 16];
    data.extend((name.len() as u64 / 2).to_le_bytes());
    data.extend((content.len() as u64).to_le_bytes());
    data.extend(name);
    data.extend(content);
    data
}

#[test]
fn replays_every_bank_of_a_crypto_agile_log() {
    let log = parse(
        &both()
            .event(4, 4, &BOTH, &[0; 4])
            .event(4, 5, &BOTH, b"x")
            .0,
    )
    .unwrap();
    for bank in BOTH {
        let expected = Digest::zero(bank)
            .extended(&bank.hash(&[0; 4]))
            .extended(&bank.hash(b"x"));
        assert_eq!(log.replay(bank).unwrap(), BTreeMap::from([(4, expected)]));
    }
    assert!(log.has(Bank::Sha1) && !log.has(Bank::Sha384));
    assert_eq!(
        log.replay(Bank::Sha384),
        Err(EventLogError::NoDigest {
            event: 1,
            bank: Bank::Sha384
        })
    );
}

#[test]
fn replays_a_log_in_the_format_of_tpm_1_2() {
    let digest = Bank::Sha1.hash(b"a");
    let bytes: [u8; 20] = digest.as_bytes().try_into().unwrap();
    let log = parse(
        &Log(Vec::new())
            .legacy(1, 1, &bytes, b"a")
            .legacy(1, 4, &bytes, b"")
            .0,
    )
    .unwrap();
    let expected = Digest::zero(Bank::Sha1).extended(&digest).extended(&digest);
    assert_eq!(
        log.replay(Bank::Sha1).unwrap(),
        BTreeMap::from([(1, expected)])
    );
}

#[test]
fn starts_pcr_0_at_the_noted_locality() {
    let mut note = STARTUP_LOCALITY.to_vec();
    note.push(3);
    let log = parse(
        &both()
            .event(0, NO_ACTION, &BOTH, &note)
            .event(0, 8, &BOTH, b"v")
            .0,
    )
    .unwrap();
    assert_eq!(log.startup_locality(), Some(3));
    let mut start = [0; 32];
    start[31] = 3;
    let expected = Digest::from_bytes(&start)
        .unwrap()
        .extended(&Bank::Sha256.hash(b"v"));
    assert_eq!(
        log.replay(Bank::Sha256).unwrap(),
        BTreeMap::from([(0, expected)])
    );
    assert_eq!(log.events[1].describe(), "started from locality 3");
}

#[test]
fn keeps_the_digests_of_a_bank_that_it_cannot_compute() {
    // SM3: announced with its length, so that entries can be passed over.
    let mut log = Log::agile(&[(0x12, 32)]);
    log.0.extend([7, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0x12, 0]);
    log.0.extend([9; 32]);
    log.0.extend([0; 4]);
    let log = parse(&log.0).unwrap();
    assert_eq!(log.events[1].digests, [(0x12, vec![9; 32])]);
    assert!(log.replay(Bank::Sha256).is_err());
}

#[test]
fn starts_pcr_0_at_4_when_the_hcrtm_is_measured() {
    let log = both()
        .event(0, HCRTM, &BOTH, b"HCRTM")
        .event(0, 8, &BOTH, b"v");
    let mut start = [0; 20];
    start[19] = 4;
    let expected = Digest::from_bytes(&start)
        .unwrap()
        .extended(&Bank::Sha1.hash(b"HCRTM"))
        .extended(&Bank::Sha1.hash(b"v"));
    let replayed = parse(&log.0).unwrap().replay(Bank::Sha1).unwrap();
    assert_eq!(replayed, BTreeMap::from([(0, expected)]));
}

#[test]
fn knows_that_a_bank_is_announced_but_not_measured() {
    let log = parse(&both().event(4, 4, &[Bank::Sha256], &[0; 4]).0).unwrap();
    assert!(log.has(Bank::Sha256) && !log.has(Bank::Sha1));
    assert_eq!(log.algorithms.len(), 2);
    assert!(log.replay(Bank::Sha256).is_ok() && log.replay(Bank::Sha1).is_err());
}

#[test]
fn takes_any_register_from_an_event_that_extends_nothing() {
    let log = both()
        .event(u32::MAX, NO_ACTION, &[], b"NvIndexInstance\0")
        .event(23, 4, &BOTH, &[0; 4]);
    let log = parse(&log.0).unwrap();
    assert_eq!(log.events[1].pcr, u32::MAX);
    assert!(log.replay(Bank::Sha256).unwrap().keys().eq(&[23]));
}

#[test]
fn reads_vendor_data_in_the_header() {
    let log = Log::announcing(&[(0xb, 32)], 1, b"\x04vend").event(4, 4, &[Bank::Sha256], &[0; 4]);
    assert_eq!(parse(&log.0).unwrap().events.len(), 2);
}

fn look_at_everything(bytes: &[u8]) {
    let Ok(log) = parse(bytes) else { return };
    for contradiction in log.contradictions() {
        assert!(contradiction.event < log.events.len());
    }
    for event in &log.events {
        assert!(!event.describe().chars().any(char::is_control));
        event.type_name();
    }
    for bank in Bank::ALL {
        let _ = log.replay(bank);
    }
}

proptest! {
    #[test]
    fn never_panics_on_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        look_at_everything(&bytes);
    }

    #[test]
    fn never_panics_on_any_event(pcr: u32, kind in 0_u32..0x20, efi: bool, data in proptest::collection::vec(any::<u8>(), 0..400)) {
        let event_type = if efi { 0x8000_0000 | kind } else { kind };
        look_at_everything(&both().event(pcr, event_type, &BOTH, &data).event(0, 0x8000_00e0, &BOTH, &data).0);
    }

    #[test]
    fn never_panics_on_a_changed_log(at in 0_usize..300, to: u8) {
        let mut log = both()
            .event(7, 0x8000_0001, &BOTH, &variable("SecureBoot", &[1]))
            .event(7, 0x8000_00e0, &BOTH, &variable("db", &[1; 40]))
            .0;
        if let Some(byte) = log.get_mut(at) {
            *byte = to;
        }
        look_at_everything(&log);
    }
}
