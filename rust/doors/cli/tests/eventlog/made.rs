//! Logs that are made here: each beside tpm2_eventlog, and those that lie.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use touchstone_harness::nix::output;

use super::{Values, by_tpm2_tools, replayed, shown};
use crate::support::Work;

const SHA1: (u16, u16) = (0x4, 20);
const SHA256: (u16, u16) = (0xb, 32);
const SM3: (u16, u16) = (0x12, 32);
const NO_ACTION: u32 = 3;

/// A log, written as firmware does.
#[derive(Clone)]
struct Log(Vec<u8>);

impl Log {
    /// With a header that announces these algorithms, and these bytes behind the list.
    fn of(algorithms: &[(u16, u16)], vendor: &[u8]) -> Log {
        let mut header = b"Spec ID Event03\0\0\0\0\0\0\x02\0\x02".to_vec();
        header.extend((algorithms.len() as u32).to_le_bytes());
        for (algorithm, length) in algorithms {
            header.extend(algorithm.to_le_bytes());
            header.extend(length.to_le_bytes());
        }
        header.extend(vendor);
        Log(Vec::new()).old(0, NO_ACTION, [0; 20], &header)
    }

    fn both() -> Log {
        Log::of(&[SHA1, SHA256], &[0])
    }

    /// An event in the format of TPM 1.2.
    fn old(mut self, pcr: u32, kind: u32, digest: [u8; 20], data: &[u8]) -> Log {
        for number in [pcr, kind] {
            self.0.extend(number.to_le_bytes());
        }
        self.0.extend(digest);
        self.data(data)
    }

    /// An event with a digest of so many equal bytes for each algorithm.
    fn event(mut self, pcr: u32, kind: u32, algorithms: &[(u16, u16)], data: &[u8]) -> Log {
        for number in [pcr, kind, algorithms.len() as u32] {
            self.0.extend(number.to_le_bytes());
        }
        for (algorithm, length) in algorithms {
            self.0.extend(algorithm.to_le_bytes());
            let byte = if kind == NO_ACTION { 0 } else { 0x5a };
            self.0
                .extend(std::iter::repeat_n(byte, usize::from(*length)));
        }
        self.data(data)
    }

    fn data(mut self, data: &[u8]) -> Log {
        self.0.extend((data.len() as u32).to_le_bytes());
        self.0.extend(data);
        self
    }

    fn locality(self, locality: u8) -> Log {
        let note = [b"StartupLocality\0", &[locality][..]].concat();
        self.event(0, NO_ACTION, &[SHA1, SHA256], &note)
    }
}

fn with(log: &Log) -> Work {
    let work = Work::new();
    work.write("machine.log", &log.0);
    work
}

const BOTH: [(u16, u16); 2] = [SHA1, SHA256];

/// Events that every log gets, of types whose data tpm2_eventlog looks at too.
fn usual(log: Log) -> Log {
    let image = [0_u64, 4096, 0, 0].map(u64::to_le_bytes).concat();
    log.event(0, 8, &BOTH, b"1\0.\x000\0\0\0")
        .event(4, 0x8000_0003, &BOTH, &image)
        .event(4, 4, &BOTH, &[0; 4])
        .event(23, 0xd, &BOTH, b"text\0")
}

#[test]
fn honest_logs_of_every_kind_are_read_as_tpm2_tools_read_them() {
    let short = |log: Log, of: &[(u16, u16)]| log.event(7, 4, of, &[0; 4]);
    for (what, log) in [
        ("usual", usual(Log::both())),
        ("vendor data", usual(Log::of(&BOTH, b"\x06vendor"))),
        ("from locality 0", usual(Log::both().locality(0))),
        ("from locality 3", usual(Log::both().locality(3))),
        (
            "an H-CRTM",
            usual(Log::both().event(0, 0x8000_0010, &BOTH, b"HCRTM")),
        ),
        (
            "an H-CRTM and locality 4",
            usual(
                Log::both()
                    .locality(4)
                    .event(0, 0x8000_0010, &BOTH, b"HCRTM"),
            ),
        ),
        ("SM3", short(Log::of(&[SHA256, SM3], &[0]), &[SHA256, SM3])),
        (
            "a bank that is announced alone",
            short(Log::both(), &[SHA256]),
        ),
        (
            "other order of digests",
            short(Log::both(), &[SHA256, SHA1]),
        ),
    ] {
        let work = with(&log);
        let (events, mut values) = by_tpm2_tools(&work);
        for banks in values.values_mut() {
            banks.remove("sm3_256");
        }
        let ours: Values = serde_json::from_value(replayed(&work, &[])["pcrs"].take()).unwrap();
        assert_eq!(ours, values, "{what}");
        let of = |event: &Value| {
            let mut digests: BTreeMap<String, String> =
                serde_json::from_value(event["digests"].clone()).unwrap();
            if let Some(sm3) = digests.remove("0x0012") {
                digests.insert("sm3_256".to_owned(), sm3);
            }
            let kind = event["type"].as_str().unwrap().to_owned();
            (event["pcr"].as_u64().unwrap(), kind, digests)
        };
        let ours: Vec<_> = shown(&work).iter().map(of).collect();
        assert_eq!(ours, events, "{what}");
    }
}

/// What tpm2_eventlog says of a log: whether it reads it.
fn tpm2_tools_read(work: &Work) -> bool {
    let visit = work.inside(work.inputs.trixie().visit());
    let mut command = visit.command("tpm2_eventlog").unwrap();
    command.arg("machine.log");
    output(command).is_ok()
}

/// A header whose number of algorithms or vendor data are others than its list's.
fn header(change: impl FnOnce(&mut Vec<u8>)) -> Log {
    let mut log = Log::both();
    change(&mut log.0);
    log.event(4, 4, &BOTH, &[0; 4])
}

/// Each lie, what is said of it, and whether tpm2_eventlog reads it all the same: the table of `docs/event-log.md`.
fn lies() -> Vec<(&'static str, Log, &'static str, bool)> {
    let event = |log: Log| log.event(4, 4, &BOTH, &[0; 4]);
    let twice = Log::of(&[SHA1, SHA256, SHA256], &[0]);
    let wrong = Log::of(&[(4, 20), (0xb, 20)], &[0]);
    let none = event(Log::both()).event(5, 4, &[SHA256], &[0; 4]);
    let cut = |log: Log, by: usize| Log(log.0[..log.0.len() - by].to_vec());
    let padded = |mut log: Log| {
        log.0.extend([0; 64]);
        log
    };
    let header_again = Log::both().0[32..].to_vec();
    vec![
        ("truncated", cut(event(Log::both()), 1), "truncated", false),
        ("zeros", padded(event(Log::both())), "zeros alone", true),
        (
            "algorithm",
            event(Log::of(&[SHA256], &[0])),
            "announces only 1",
            true,
        ),
        (
            "twice",
            Log::both().event(4, 4, &[SHA256, SHA256], b""),
            "two digests of algorithm 0x000b",
            true,
        ),
        (
            "missing",
            none,
            "event 2 has no digest of algorithm 0x0004",
            true,
        ),
        (
            "register 24",
            Log::both().event(24, 4, &BOTH, &[0; 4]),
            "event 1 extends PCR 24",
            true,
        ),
        (
            "register 32",
            Log::both().event(32, 4, &BOTH, &[0; 4]),
            "event 1 extends PCR 32",
            false,
        ),
        (
            "register 17",
            Log::both().event(17, 4, &BOTH, &[0; 4]),
            "dynamic launch",
            true,
        ),
        (
            "no algorithm",
            Log::of(&[], &[0]),
            "announces no algorithm",
            false,
        ),
        (
            "announced twice",
            event(twice),
            "announces algorithm 0x000b twice",
            true,
        ),
        (
            "lengths",
            wrong.event(4, 4, &BOTH, b""),
            "digests of 20 bytes",
            true,
        ),
        ("vendor data", header(|bytes| bytes.extend(b"")), "", true),
        (
            "header's register",
            header(|bytes| bytes[0] = 1),
            "it names PCR 1",
            false,
        ),
        (
            "header's digest",
            header(|bytes| bytes[8] = 1),
            "it has a digest",
            false,
        ),
        (
            "second header",
            event(Log::both()).event(0, NO_ACTION, &BOTH, &header_again),
            "second header",
            true,
        ),
        (
            "locality twice",
            usual(Log::both().locality(3).locality(3)),
            "a second time",
            true,
        ),
        (
            "locality late",
            usual(Log::both()).locality(3),
            "extended already",
            true,
        ),
        (
            "locality 2",
            usual(Log::both().locality(2)),
            "startup locality 2",
            true,
        ),
        (
            "locality 4 alone",
            usual(Log::both().locality(4)),
            "no event measures the H-CRTM",
            true,
        ),
        (
            "H-CRTM late",
            usual(Log::both()).event(0, 0x8000_0010, &BOTH, b"HCRTM"),
            "measures the H-CRTM",
            true,
        ),
        (
            "H-CRTM and locality 3",
            usual(
                Log::both()
                    .locality(3)
                    .event(0, 0x8000_0010, &BOTH, b"HCRTM"),
            ),
            "but startup locality 3",
            true,
        ),
    ]
    .into_iter()
    .filter(|(what, ..)| *what != "vendor data")
    .chain([(
        "vendor data",
        event(Log::of(&BOTH, &[4])),
        "4 bytes of vendor data follow, where 0 do",
        false,
    )])
    .collect()
}

#[test]
fn a_log_that_lies_is_refused_whatever_tpm2_tools_make_of_it() {
    for (what, log, says, read_by_tpm2_tools) in lies() {
        let work = with(&log);
        super::assert_refused(&work, &[], &["[input.event-log]", says]);
        assert_eq!(tpm2_tools_read(&work), read_by_tpm2_tools, "{what}");
    }
}

#[test]
fn an_event_that_extends_nothing_may_name_any_register() {
    let note = Log::both().event(u32::MAX, NO_ACTION, &BOTH, b"NvIndexInstance\0x");
    let work = with(&usual(note));
    assert_eq!(shown(&work)[1]["pcr"], u32::MAX);
    assert!(replayed(&work, &[])["pcrs"]["4"].is_object());
    // Firmware writes such events for NV indices; tpm2_eventlog does not read them.
    assert!(!tpm2_tools_read(&work));
}

#[test]
fn a_log_of_tpm_1_2_may_begin_with_its_own_header() {
    let header = b"Spec ID Event02\0\0\0\0\0\0\x02\x01\x02\0";
    let log = Log(Vec::new())
        .old(0, NO_ACTION, [0; 20], header)
        .old(4, 0xd, [7; 20], b"text");
    let work = with(&log);
    let events = shown(&work);
    assert_eq!(
        events[0]["says"],
        "header of a log in the format of TPM 1.2"
    );
    assert!(replayed(&work, &[])["pcrs"]["4"]["sha1"].is_string());
    // tpm2_eventlog takes any first event of this type for the header of a log with several banks.
    assert!(!tpm2_tools_read(&work));
}

#[test]
fn a_digest_that_is_not_that_of_the_data_is_shown_and_not_refused() {
    let work = with(&usual(Log::both()));
    let answer = work.json(["eventlog", "show", "--json", "machine.log"]);
    let expected = json!([
        "its sha1 digest is not that of its data",
        "its sha256 digest is not that of its data"
    ]);
    for (event, found) in [
        (1, Some(&expected)),
        (2, None),
        (3, Some(&expected)),
        (4, None),
    ] {
        assert_eq!(
            answer["events"][event].get("contradictions"),
            found,
            "{event}"
        );
    }
    let replayed = replayed(&work, &[]);
    let found = replayed["contradictions"].as_array().unwrap();
    assert_eq!(found.len(), 4);
    assert_eq!(found[0], "event 1: its sha1 digest is not that of its data");
    let printed = work.done(["eventlog", "replay", "machine.log"]);
    assert_eq!(printed.matches("contradiction: event ").count(), 4);
}
