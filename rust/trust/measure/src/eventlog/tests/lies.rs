//! Logs that contradict themselves: each lie has its own error, which names the event.

use super::*;

fn refusal(log: &Log) -> EventLogError {
    parse(&log.0).unwrap_err()
}

fn header(log: &Log) -> HeaderError {
    match refusal(log) {
        EventLogError::Header(error) => error,
        other => panic!("{other:?}"),
    }
}

/// An event with these digests, whatever they are.
fn raw(mut log: Log, pcr: u32, event_type: u32, digests: &[(u16, &[u8])], data: &[u8]) -> Log {
    log.0.extend(pcr.to_le_bytes());
    log.0.extend(event_type.to_le_bytes());
    log.0.extend((digests.len() as u32).to_le_bytes());
    for (algorithm, digest) in digests {
        log.0.extend(algorithm.to_le_bytes());
        log.0.extend(*digest);
    }
    log.0.extend((data.len() as u32).to_le_bytes());
    log.0.extend(data);
    log
}

fn locality(value: u8) -> Vec<u8> {
    [STARTUP_LOCALITY, &[value]].concat()
}

#[test]
fn a_truncated_log_is_refused_at_every_byte() {
    let whole = both().event(4, 4, &BOTH, b"data").0;
    let header = both().0.len();
    for end in 1..whole.len() {
        let parsed = parse(&whole[..end]);
        let cut = match end {
            // Less than this is nothing but zeros: register, and type without its last bytes.
            0..=4 => matches!(
                parsed,
                Err(EventLogError::Truncated { .. } | EventLogError::Zeros { .. })
            ),
            end if end == header => parsed.is_ok(),
            _ => matches!(parsed, Err(EventLogError::Truncated { .. })),
        };
        assert!(cut, "{end}: {parsed:?}");
    }
    assert_eq!(parse(&[]), Err(EventLogError::Empty));
}

#[test]
fn zeros_behind_the_last_event_are_named() {
    let mut log = both().event(4, 4, &BOTH, b"data").0;
    let offset = log.len();
    log.extend([0; 64]);
    assert_eq!(parse(&log), Err(EventLogError::Zeros { event: 2, offset }));
    assert_eq!(
        parse(&[0; 100]),
        Err(EventLogError::Zeros {
            event: 0,
            offset: 0
        })
    );
}

#[test]
fn data_longer_than_the_file_are_refused() {
    let mut log = both().event(4, 4, &BOTH, b"").0;
    let length = log.len() - 4;
    log[length..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(matches!(
        parse(&log),
        Err(EventLogError::Truncated { event: 1, .. })
    ));
}

#[test]
fn an_algorithm_that_the_header_does_not_announce_is_refused() {
    let log = Log::agile(&[(0xb, 32)]).event(4, 4, &[Bank::Sha1], b"");
    assert_eq!(
        refusal(&log),
        EventLogError::Algorithm {
            event: 1,
            algorithm: 4
        }
    );
    let log = Log::agile(&[(0xb, 32)]).event(4, 4, &BOTH, b"");
    let expected = EventLogError::TooManyDigests {
        event: 1,
        count: 2,
        announced: 1,
    };
    assert_eq!(refusal(&log), expected);
}

#[test]
fn two_digests_of_one_algorithm_in_an_event_are_refused() {
    let twice = both().event(4, 4, &[Bank::Sha256, Bank::Sha256], b"");
    let expected = EventLogError::DuplicateDigest {
        event: 1,
        algorithm: 0xb,
    };
    assert_eq!(refusal(&twice), expected);
}

#[test]
fn an_event_without_a_digest_that_others_have_is_refused() {
    let log = both()
        .event(4, 4, &BOTH, b"")
        .event(5, 4, &[Bank::Sha256], b"");
    assert_eq!(
        refusal(&log),
        EventLogError::MissingDigest {
            event: 2,
            algorithm: 4
        }
    );
    // What extends nothing needs none.
    let log = both()
        .event(4, 4, &BOTH, b"")
        .event(0, NO_ACTION, &[], b"x");
    assert!(parse(&log.0).is_ok());
}

#[test]
fn registers_that_firmware_does_not_have_are_refused() {
    for pcr in [24, 31, 32, u32::MAX] {
        let log = both().event(pcr, 4, &BOTH, b"");
        assert_eq!(refusal(&log), EventLogError::Register { event: 1, pcr });
    }
    for pcr in [17, 22] {
        let log = both().event(pcr, 4, &BOTH, b"");
        assert_eq!(
            refusal(&log),
            EventLogError::DynamicRegister { event: 1, pcr }
        );
    }
    let old = Log(Vec::new()).legacy(24, 4, &[1; 20], b"x");
    assert_eq!(refusal(&old), EventLogError::Register { event: 0, pcr: 24 });
}

#[test]
fn a_header_that_lies_about_its_algorithms_is_refused() {
    assert_eq!(header(&Log::agile(&[])), HeaderError::NoAlgorithm);
    assert_eq!(
        header(&Log::announcing(&[], u32::MAX, &[0])),
        HeaderError::TooManyAlgorithms(u32::MAX)
    );
    assert_eq!(
        header(&Log::announcing(&[(0xb, 32)], 2, &[])),
        HeaderError::Short
    );
    assert_eq!(
        header(&Log::agile(&[(0xb, 32), (4, 20), (0xb, 32)])),
        HeaderError::DuplicateAlgorithm(0xb)
    );
    for (algorithm, length) in [(0xb, 20), (4, 32), (0x12, 20), (0x28, 32), (0x999, 0)] {
        let lie = Log::agile(&[(algorithm, length)]);
        assert_eq!(
            header(&lie),
            HeaderError::DigestLength { algorithm, length }
        );
    }
    let cut = Log(Vec::new()).legacy(0, NO_ACTION, &[0; 20], SPEC_ID_03);
    assert_eq!(header(&cut), HeaderError::Short);
}

#[test]
fn a_header_that_lies_about_itself_is_refused() {
    let one = [(0xb, 32)];
    assert_eq!(header(&Log::announcing(&one, 1, &[])), HeaderError::Short);
    assert_eq!(
        header(&Log::announcing(&one, 1, &[4])),
        HeaderError::VendorData {
            claimed: 4,
            found: 0
        }
    );
    assert_eq!(
        header(&Log::announcing(&one, 1, &[0, 9])),
        HeaderError::VendorData {
            claimed: 0,
            found: 1
        }
    );
    let mut moved = Log::agile(&one);
    moved.0[0] = 7;
    assert_eq!(header(&moved), HeaderError::Register(7));
    let mut hashed = Log::agile(&one);
    hashed.0[8] = 1;
    assert_eq!(header(&hashed), HeaderError::Digest);
}

#[test]
fn a_second_header_is_refused() {
    let log = both()
        .event(4, 4, &BOTH, b"")
        .event(0, NO_ACTION, &BOTH, SPEC_ID_03);
    assert_eq!(refusal(&log), EventLogError::SecondHeader { event: 2 });
    let old = Log(Vec::new())
        .legacy(0, 8, &[1; 20], b"v")
        .legacy(0, NO_ACTION, &[0; 20], SPEC_ID_03);
    assert_eq!(refusal(&old), EventLogError::SecondHeader { event: 1 });
}

#[test]
fn a_startup_locality_that_contradicts_itself_is_refused() {
    let note = |log: Log, pcr, data: &[u8]| log.event(pcr, NO_ACTION, &[], data);
    let twice = note(note(both(), 0, &locality(3)), 0, &locality(3));
    assert_eq!(refusal(&twice), EventLogError::LocalityTwice { event: 2 });
    let late = note(both().event(0, 8, &BOTH, b"v"), 0, &locality(3));
    assert_eq!(refusal(&late), EventLogError::LocalityLate { event: 2 });
    let unknown = note(both(), 0, &locality(2));
    assert_eq!(
        refusal(&unknown),
        EventLogError::Locality {
            event: 1,
            locality: 2
        }
    );
    for (pcr, data) in [
        (1, locality(3)),
        (0, STARTUP_LOCALITY.to_vec()),
        (0, [locality(3), vec![0]].concat()),
    ] {
        assert_eq!(
            refusal(&note(both(), pcr, &data)),
            EventLogError::LocalityForm { event: 1 }
        );
    }
    let bare = note(both(), 0, &locality(4));
    assert_eq!(
        refusal(&bare),
        EventLogError::LocalityWithoutHcrtm { event: 1 }
    );
}

#[test]
fn an_hcrtm_elsewhere_than_at_the_beginning_is_refused() {
    let late = both()
        .event(0, 8, &BOTH, b"v")
        .event(0, HCRTM, &BOTH, b"HCRTM");
    assert_eq!(refusal(&late), EventLogError::Hcrtm { event: 2 });
    let elsewhere = both().event(1, HCRTM, &BOTH, b"HCRTM");
    assert_eq!(refusal(&elsewhere), EventLogError::Hcrtm { event: 1 });
    let note = both()
        .event(0, NO_ACTION, &[], &locality(3))
        .event(0, HCRTM, &BOTH, b"HCRTM");
    assert_eq!(
        refusal(&note),
        EventLogError::HcrtmLocality {
            event: 2,
            locality: 3
        }
    );
    let right = both()
        .event(0, NO_ACTION, &[], &locality(4))
        .event(0, HCRTM, &BOTH, b"HCRTM");
    assert!(parse(&right.0).is_ok());
}

fn findings(log: Log) -> Vec<(usize, Finding)> {
    let found = parse(&log.0).unwrap().contradictions();
    found
        .into_iter()
        .map(|found| (found.event, found.finding))
        .collect()
}

/// An event whose SHA-256 digest is of other bytes.
fn of(pcr: u32, event_type: u32, hashed: &[u8], data: &[u8]) -> Log {
    let digest = Bank::Sha256.hash(hashed);
    raw(
        Log::agile(&[(0xb, 32)]),
        pcr,
        event_type,
        &[(0xb, digest.as_bytes())],
        data,
    )
}

#[test]
fn a_digest_of_other_data_is_found_where_the_type_forbids_it() {
    let content = variable("SecureBoot", &[1]);
    let types = [
        4,
        5,
        8,
        0x12,
        0x8000_0001,
        0x8000_0002,
        0x8000_0006,
        0x8000_0007,
        0x8000_00e0,
    ];
    for event_type in types {
        let data = match event_type {
            0x8000_0001 | 0x8000_0002 | 0x8000_00e0 => content.clone(),
            0x8000_0006 => [
                vec![0; 80],
                vec![0, 0, 0, 0, 128, 0, 0, 0, 0, 0, 0, 0],
                vec![0; 8],
            ]
            .concat(),
            _ => vec![0; 4],
        };
        let found = findings(of(7, event_type, b"else", &data));
        assert_eq!(
            found,
            [(1, Finding::OtherData(Bank::Sha256))],
            "{event_type:#x}"
        );
        assert_eq!(
            findings(of(7, event_type, &data, &data)),
            [],
            "{event_type:#x}"
        );
    }
    // Code, images and what GRUB read are not in the log.
    for (pcr, event_type) in [(0, 1), (11, 0xd), (9, 0xd), (1, 0xa)] {
        assert_eq!(findings(of(pcr, event_type, b"code", b"text")), []);
    }
}

#[test]
fn what_real_firmware_hashes_is_no_contradiction() {
    // EDK II: the content of a boot variable. Strings with and without their NUL. GRUB: what follows its word.
    let boot = variable("BootOrder", &[1, 0]);
    for (pcr, event_type, hashed, data) in [
        (1, 0x8000_0002, &[1, 0][..], boot.as_slice()),
        (4, 0x8000_0007, b"Calling", b"Calling\0"),
        (8, 0xd, b"set x=1", b"grub_cmd: set x=1\0"),
        (
            8,
            0xd,
            b"/vmlinuz quiet\0",
            b"kernel_cmdline: /vmlinuz quiet\0",
        ),
        (4, 4, &[1, 0, 0, 0], b"an error"),
    ] {
        assert_eq!(findings(of(pcr, event_type, hashed, data)), [], "{data:?}");
    }
    let lie = of(8, 0xd, b"set x=2", b"grub_cmd: set x=1\0");
    assert_eq!(findings(lie), [(1, Finding::OtherData(Bank::Sha256))]);
}

#[test]
fn data_without_the_form_of_their_type_are_found() {
    for event_type in [
        0x8000_0008,
        0x8000_0009,
        0x8000_0003,
        0x8000_000a,
        0x8000_000b,
        6,
    ] {
        let data = [0xff; 12];
        assert_eq!(
            findings(of(2, event_type, &data, &data)),
            [(1, Finding::Malformed)],
            "{event_type:#x}"
        );
    }
    assert_eq!(
        findings(of(0, HCRTM, b"x", b"other")),
        [(1, Finding::Malformed)]
    );
}

#[test]
fn a_digest_of_an_event_that_extends_nothing_is_found() {
    let log = both()
        .event(0, NO_ACTION, &BOTH, b"x")
        .event(0, NO_ACTION, &[], b"x");
    assert_eq!(findings(log), [(1, Finding::NeedlessDigest)]);
}
