use super::*;
use crate::measurement::{EventKind, replay};
use crate::utf16;

const BANK: Bank = Bank::Sha256;

/// An event of a log in the SHA-256 bank.
struct Entry {
    pcr: u32,
    event_type: u32,
    digest: Digest,
    data: Vec<u8>,
}

fn entry(pcr: u32, event_type: u32, hashed: &[u8], data: &[u8]) -> Entry {
    Entry {
        pcr,
        event_type,
        digest: BANK.hash(hashed),
        data: data.to_vec(),
    }
}

fn log(entries: &[Entry]) -> EventLog {
    let events = entries.iter().map(|entry| crate::eventlog::LoggedEvent {
        pcr: entry.pcr,
        event_type: entry.event_type,
        digests: vec![(BANK.algorithm(), entry.digest.as_bytes().to_vec())],
        data: entry.data.clone(),
    });
    EventLog {
        algorithms: vec![(BANK.algorithm(), 32)],
        events: events.collect(),
    }
}

fn measurement(pcr: u32, kind: EventKind, hashed: &[u8], why: &str) -> Measurement {
    Measurement {
        pcr,
        digest: BANK.hash(hashed),
        kind,
        why: why.to_owned(),
    }
}

fn leaf(path: &str, measurements: &[Measurement]) -> Leaf {
    let mut pcrs = Values::new();
    for (pcr, value) in replay(BANK, measurements) {
        pcrs.entry(pcr).or_default().insert(BANK, value);
    }
    Leaf {
        path: vec![path.to_owned()],
        pcrs,
        measurements: measurements.to_vec(),
    }
}

fn prediction(leaves: Vec<Leaf>) -> Vec<(String, Prediction)> {
    let prediction = Prediction {
        leaves,
        assumptions: Vec::new(),
    };
    vec![("p".to_owned(), prediction)]
}

fn compared(log: &EventLog, predictions: &[(String, Prediction)], known: &Known) -> Comparison {
    let machine = Values::new();
    let question = Question {
        log,
        userspace: None,
        predictions,
        known,
        machine: &machine,
    };
    compare(&question).unwrap()
}

/// The differences of the only outcome, as `kind: words`.
fn differences(
    log: &EventLog,
    measurements: &[Measurement],
    known: &Known,
) -> Vec<(DifferenceKind, String)> {
    let comparison = compared(log, &prediction(vec![leaf("a", measurements)]), known);
    assert!(!comparison.fits);
    let all = comparison.registers.into_values().flatten();
    all.map(|difference| (difference.kind, difference.says))
        .collect()
}

fn image(data: &str) -> Measurement {
    measurement(
        4,
        EventKind::Image,
        data.as_bytes(),
        &format!("the Authenticode digest of {data}"),
    )
}

fn started(data: &str) -> Entry {
    let load = [0_u64, 4096, 0, 0].map(u64::to_le_bytes).concat();
    entry(4, 0x8000_0003, data.as_bytes(), &load)
}

#[test]
fn names_the_outcome_that_fits() {
    let log = log(&[started("loader"), started("two")]);
    let leaves = vec![
        leaf("one", &[image("loader"), image("one")]),
        leaf("two", &[image("loader"), image("two")]),
    ];
    let comparison = compared(&log, &prediction(leaves), &Known::default());
    assert!(comparison.fits);
    assert_eq!(comparison.path, ["two"]);
    assert_eq!(comparison.registers, BTreeMap::from([(4, vec![])]));
}

#[test]
fn explains_the_nearest_outcome() {
    let log = log(&[started("loader"), started("b"), started("d")]);
    let leaves = vec![
        leaf("far", &[image("x"), image("y"), image("z")]),
        leaf("near", &[image("loader"), image("b"), image("c")]),
    ];
    let comparison = compared(&log, &prediction(leaves), &Known::default());
    assert_eq!(
        (comparison.fits, comparison.path),
        (false, vec!["near".to_owned()])
    );
    assert_eq!(comparison.registers[&4].len(), 1);
}

#[test]
fn calls_another_loader_by_its_name() {
    let mut known = Known::default();
    known.add(BANK.hash(b"old"), "systemd-boot 257.9-1");
    let predicted = measurement(
        4,
        EventKind::Image,
        b"new",
        "the Authenticode digest of systemd-boot 257.13-1",
    );
    let found = differences(
        &log(&[started("old")]),
        std::slice::from_ref(&predicted),
        &known,
    );
    let says =
        "the boot loader on the ESP is systemd-boot 257.9-1, predicted systemd-boot 257.13-1";
    assert_eq!(found, [(DifferenceKind::Changed, says.to_owned())]);
    let found = differences(&log(&[started("old")]), &[predicted], &Known::default());
    let says = "the boot loader on the ESP is an unknown image of 4096 bytes from memory, predicted systemd-boot 257.13-1";
    assert_eq!(found[0].1, says);
}

#[test]
fn tells_missing_additional_and_moved_measurements_apart() {
    let none = Known::default();
    let three = [image("a"), image("b"), image("c")];
    let found = differences(&log(&[started("a"), started("b")]), &three, &none);
    assert_eq!(
        found,
        [(
            DifferenceKind::Missing,
            "c was predicted, and is not in the log".to_owned()
        )]
    );
    let four = log(&[started("a"), started("b"), started("x"), started("c")]);
    let found = differences(&four, &three, &none);
    let says =
        "an unknown image of 4096 bytes from memory was measured (event 2), and not predicted";
    assert_eq!(found, [(DifferenceKind::Additional, says.to_owned())]);
    let turned = log(&[started("b"), started("c"), started("a")]);
    let found = differences(&turned, &three, &none);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, DifferenceKind::Moved);
}

#[test]
fn says_which_entries_of_a_variable_differ() {
    use touchstone_sign::esl;
    let owner = uuid::Uuid::nil();
    let list = |digests: &[[u8; 32]]| esl::of_sha256(owner, digests).unwrap();
    let variable = |content: &[u8]| {
        let name = utf16::without_nul("dbx");
        [
            &[7; 16][..],
            &3_u64.to_le_bytes(),
            &(content.len() as u64).to_le_bytes(),
            &name,
            content,
        ]
        .concat()
    };
    let (before, now) = (list(&[[1; 32], [2; 32]]), list(&[[2; 32], [3; 32]]));
    let predicted = measurement(
        7,
        EventKind::Variable,
        &variable(&before),
        "the variable dbx: 124 bytes of signature lists",
    );
    let data = variable(&now);
    let log = log(&[entry(7, 0x8000_0001, &data, &data)]);
    let unknown = differences(&log, std::slice::from_ref(&predicted), &Known::default());
    assert!(unknown[0].1.contains("not known here"), "{unknown:?}");
    let mut known = Known::default();
    known.add_list(before);
    let found = differences(&log, std::slice::from_ref(&predicted), &known);
    let (has, lacks) = ("03".repeat(32), "01".repeat(32));
    let says = format!(
        "the variable dbx has the image digest {has}, owner {owner} and lacks the image digest {lacks}, owner {owner}"
    );
    assert_eq!(found, [(DifferenceKind::Changed, says)]);
}

#[test]
fn an_absent_variable_needs_no_file_to_be_known() {
    use touchstone_sign::esl;
    let variable = |content: &[u8]| {
        let name = utf16::without_nul("dbx");
        [
            &[7; 16][..],
            &3_u64.to_le_bytes(),
            &(content.len() as u64).to_le_bytes(),
            &name,
            content,
        ]
        .concat()
    };
    let data = variable(&esl::of_sha256(uuid::Uuid::nil(), &[[3; 32]]).unwrap());
    let predicted = measurement(
        7,
        EventKind::Variable,
        &variable(&[]),
        "the variable dbx: absent",
    );
    let found = differences(
        &log(&[entry(7, 0x8000_0001, &data, &data)]),
        &[predicted],
        &Known::default(),
    );
    assert!(
        found[0]
            .1
            .starts_with("the variable dbx has in addition the image digest 03"),
        "{found:?}"
    );
}

#[test]
fn says_which_words_of_a_command_line_differ() {
    let (before, now) = ("quiet console=ttyS0", "console=ttyS0 debug");
    let data = utf16::with_nul(now);
    let why = format!(
        "the UKI's command line, measured by systemd-boot 252, in UTF-16 with a NUL: {before:?}"
    );
    let predicted = measurement(12, EventKind::LoadOptions, &utf16::with_nul(before), &why);
    let found = differences(
        &log(&[entry(12, 0xd, &data, &data)]),
        &[predicted],
        &Known::default(),
    );
    let says = "what boot loader or stub passed on has `debug` and lacks `quiet`: it is \"console=ttyS0 debug\", predicted \"quiet console=ttyS0\"";
    assert_eq!(found, [(DifferenceKind::Changed, says.to_owned())]);
}

#[test]
fn a_command_line_is_known_by_another_prediction() {
    let line = |text: &str| {
        let why = format!("the kernel's command line, in UTF-16 with a NUL: {text:?}");
        measurement(9, EventKind::CommandLine, &utf16::with_nul(text), &why)
    };
    // Linux writes the name of a field where the command line would stand.
    let tag = [
        &0x8f3b_22ed_u32.to_le_bytes()[..],
        &4_u32.to_le_bytes(),
        b"Load",
    ]
    .concat();
    let log = log(&[entry(9, 6, &utf16::with_nul("a c"), &tag)]);
    let mut known = Known::default();
    let unknown = differences(&log, &[line("a b")], &known);
    assert!(unknown[0].1.contains("the digest alone"), "{unknown:?}");
    for (_, other) in prediction(vec![leaf("other", &[line("a c")])]) {
        known.add_prediction(&other);
    }
    let found = differences(&log, &[line("a b")], &known);
    assert!(found[0].1.contains("has `c` and lacks `b`"), "{found:?}");
}

#[test]
fn says_where_the_log_is_not_the_machines() {
    let log = log(&[started("a")]);
    let machine = Values::from([(4, BTreeMap::from([(BANK, BANK.hash(b"else"))]))]);
    let predictions = prediction(vec![leaf("a", &[image("a")])]);
    let known = Known::default();
    let mut question = Question {
        log: &log,
        userspace: None,
        predictions: &predictions,
        known: &known,
        machine: &machine,
    };
    let comparison = compare(&question).unwrap();
    assert!(!comparison.fits);
    assert!(comparison.registers[&4].is_empty());
    assert!(comparison.not_replayed.keys().eq(&[4]));
    assert!(comparison.not_replayed[&4].contains("not of this boot"));
    let logged = log.replay(BANK).unwrap()[&4];
    let lined = logged.extended(&BANK.hash(b"os-separator"));
    let lined = Values::from([(4, BTreeMap::from([(BANK, lined)]))]);
    question.machine = &lined;
    let comparison = compare(&question).unwrap();
    assert!(comparison.not_replayed[&4].contains("systemd extends it later"));
    let right = Values::from([(4, BTreeMap::from([(BANK, logged)]))]);
    question.machine = &right;
    assert!(compare(&question).unwrap().fits);
}

#[test]
fn a_value_may_differ_although_no_measurement_does() {
    let mut lying = leaf("a", &[image("a")]);
    lying
        .pcrs
        .get_mut(&4)
        .unwrap()
        .insert(BANK, BANK.hash(b"else"));
    let log = log(&[started("a")]);
    let comparison = compared(&log, &prediction(vec![lying]), &Known::default());
    assert!(!comparison.fits);
    assert_eq!(comparison.registers[&4][0].kind, DifferenceKind::Value);
}

#[test]
fn tells_a_hundred_differences_of_a_register_and_counts_the_others() {
    let many: Vec<Entry> = (0..150)
        .map(|number| started(&number.to_string()))
        .collect();
    let found = differences(&log(&many), &[image("a")], &Known::default());
    assert_eq!(found.len(), 101);
    let last = (
        DifferenceKind::More,
        "50 more differences are not listed".to_owned(),
    );
    assert_eq!(found[100], last);
}

#[test]
fn refuses_where_nothing_can_be_compared() {
    let log = log(&[started("a")]);
    let known = Known::default();
    let machine = Values::new();
    let ask = |predictions: &[(String, Prediction)]| {
        compare(&Question {
            log: &log,
            userspace: None,
            predictions,
            known: &known,
            machine: &machine,
        })
    };
    assert_eq!(ask(&[]), Err(CompareError::NoLeaf));
    let mut other = leaf("a", &[image("a")]);
    let value = Bank::Sha1.hash(b"x");
    other.pcrs = Values::from([(4, BTreeMap::from([(Bank::Sha1, value)]))]);
    assert_eq!(ask(&prediction(vec![other])), Err(CompareError::NoBank));
}
