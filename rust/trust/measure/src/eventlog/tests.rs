use proptest::prelude::*;

use super::*;

/// A log, written as firmware does.
struct Log(Vec<u8>);

impl Log {
    /// A header that announces these algorithms.
    fn agile(algorithms: &[(u16, u16)]) -> Log {
        let mut header = SPEC_ID_03.to_vec();
        header.extend([0, 0, 0, 0, 0, 2, 0, 2]);
        header.extend((algorithms.len() as u32).to_le_bytes());
        for (algorithm, length) in algorithms {
            header.extend(algorithm.to_le_bytes());
            header.extend(length.to_le_bytes());
        }
        header.push(0);
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
fn refuses_a_truncated_log_at_every_byte() {
    let whole = both().event(4, 4, &BOTH, &[0; 4]).0;
    let header = both().0.len();
    for end in 1..whole.len() {
        let parsed = parse(&whole[..end]);
        if end == header {
            assert!(parsed.is_ok());
        } else {
            assert!(
                matches!(parsed, Err(EventLogError::Truncated { .. })),
                "{end}: {parsed:?}"
            );
        }
    }
    assert_eq!(parse(&[]), Err(EventLogError::Empty));
}

#[test]
fn refuses_an_algorithm_that_the_header_does_not_announce() {
    let log = Log::agile(&[(0xb, 32)]).event(4, 4, &[Bank::Sha1], b"").0;
    assert_eq!(
        parse(&log),
        Err(EventLogError::Algorithm {
            event: 1,
            algorithm: 4
        })
    );
    let log = Log::agile(&[(0xb, 32)]).event(4, 4, &BOTH, b"").0;
    assert!(matches!(
        parse(&log),
        Err(EventLogError::TooManyDigests {
            event: 1,
            count: 2,
            announced: 1
        })
    ));
}

#[test]
fn refuses_a_header_that_lies_about_its_algorithms() {
    assert!(matches!(
        parse(&Log::agile(&[(0xb, 20)]).0),
        Err(EventLogError::Header(_))
    ));
    assert!(matches!(
        parse(&Log::agile(&[]).0),
        Err(EventLogError::Header(_))
    ));
    assert!(matches!(
        parse(&Log::agile(&[(0x12, 32); 17]).0),
        Err(EventLogError::Header(_))
    ));
    let cut = Log(Vec::new()).legacy(0, NO_ACTION, &[0; 20], SPEC_ID_03).0;
    assert!(matches!(parse(&cut), Err(EventLogError::Header(_))));
}

#[test]
fn explains_the_events_of_systemd_and_linux() {
    let utf16 = |text: &str| crate::utf16::with_nul(text);
    assert_eq!(event(0xd, &utf16(".linux")).describe(), ".linux");
    assert_eq!(event(0xd, b"grub_cmd: boot\0").describe(), "grub_cmd: boot");
    let line = utf16("console=ttyS0");
    let mut tagged = 0x8f3b_22ed_u32.to_le_bytes().to_vec();
    tagged.extend((line.len() as u32).to_le_bytes());
    tagged.extend(line);
    assert_eq!(
        event(6, &tagged).describe(),
        "the kernel's command line: console=ttyS0"
    );
    assert_eq!(
        event(0x8000_0007, b"Exit Boot Services Invocation").describe(),
        "Exit Boot Services Invocation"
    );
    assert_eq!(event(4, &[0; 4]).describe(), "separator");
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
fn explains_variables() {
    let config = |name, content: &[u8]| event(0x8000_0001, &variable(name, content)).describe();
    assert_eq!(config("SecureBoot", &[1]), "variable SecureBoot: on");
    assert_eq!(config("dbx", &[]), "variable dbx: absent or empty");
    assert_eq!(config("PK", &[0; 800]), "variable PK: 800 bytes");
    let entry = event(0x8000_00e0, &variable("db", &[0; 20])).describe();
    assert_eq!(
        entry,
        "authority: an entry of db, owner 00000000-0000-0000-0000-000000000000, 4 bytes"
    );
}

#[test]
fn explains_where_an_image_came_from() {
    let name = crate::utf16::with_nul(r"\EFI\BOOT\BOOTX64.EFI");
    let mut path = vec![4, 4];
    path.extend((name.len() as u16 + 4).to_le_bytes());
    path.extend(name);
    path.extend([0x7f, 0xff, 4, 0]);
    let mut data = [0_u64, 4096, 0, path.len() as u64]
        .map(u64::to_le_bytes)
        .concat();
    data.extend(path);
    assert_eq!(
        event(0x8000_0003, &data).describe(),
        r"image of 4096 bytes from \EFI\BOOT\BOOTX64.EFI"
    );
}

#[test]
fn shows_no_control_characters_and_no_endless_text() {
    let text = event(5, "a\nb\tc".as_bytes()).describe();
    assert_eq!(text, "a b c");
    assert!(event(5, &[b'x'; 5000]).describe().chars().count() <= 301);
    assert_eq!(
        event(0xd, &crate::utf16::with_nul("a\u{1b}[31m")).describe(),
        "a [31m"
    );
}

fn look_at_everything(bytes: &[u8]) {
    let Ok(log) = parse(bytes) else { return };
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
