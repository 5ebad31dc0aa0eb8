//! PCRs 5, 7 and 14, and what the machine's own log changes.

use touchstone_sign::firmware::DigestKind;

use super::*;
use crate::boot_path::{FirmwareLog, Medium, Presented, Registers};
use crate::eventlog::{EventLog, LoggedEvent};

const ZERO: &[u8] = &[0; 4];
const INVOCATION: &[u8] = b"Exit Boot Services Invocation";
const FAILURE: &[u8] = b"Exit Boot Services Returned with Failure";
const SUCCESS: &[u8] = b"Exit Boot Services Returned with Success";
const CALLING: &[u8] = b"Calling EFI Application from Boot Option";

const SEPARATOR: u32 = 4;
const ACTION: u32 = 0x8000_0007;
const CONFIGURATION: u32 = 0x8000_0001;
const DRIVER: u32 = 0x8000_0004;
const TABLE: u32 = 0x8000_0006;
const AUTHORITY: u32 = 0x8000_00e0;

fn disk(boot: BootPath) -> BootPath {
    BootPath {
        medium: Some(Medium::Disk {
            partition_table: b"table".to_vec(),
        }),
        ..boot
    }
}

#[test]
fn pcr_5_holds_the_table_the_settings_and_the_end_of_the_boot_services() {
    for (version, measured) in [("252.1", false), ("257.1", true), ("262.1", true)] {
        let mut boot = disk(boot(version, true));
        loader(&mut boot).configuration = Some(b"timeout 0\n".to_vec());
        boot.failed_exits = 1;
        let settings: &[&[u8]] = if measured { &[b"timeout 0\n"] } else { &[] };
        let exits = [INVOCATION, FAILURE, INVOCATION, SUCCESS];
        let all = [&[ZERO, b"table"], settings, &exits].concat();
        assert_eq!(value(&boot, 5), of_data(&all), "{version}");
    }
}

#[test]
fn pcr_5_holds_no_table_of_a_cd_and_is_refused_without_a_medium() {
    let mut boot = boot("257.1", true);
    assert_eq!(predict(&boot, &ask(5)), Err(PredictError::NoMedium));
    boot.medium = Some(Medium::Cd);
    assert_eq!(value(&boot, 5), of_data(&[ZERO, INVOCATION, SUCCESS]));
}

#[test]
fn pcr_14_stays_zero_without_shim() {
    assert_eq!(value(&boot("257.1", true), 14), Digest::zero(Bank::Sha256));
}

/// An image without signatures, with these digests.
fn unsigned(digests: &[(DigestKind, Vec<u8>)]) -> Vouching {
    Vouching::Stored(Presented {
        digests: digests.iter().cloned().collect(),
        table: None,
        padded: false,
    })
}

#[test]
fn pcr_7_holds_the_digest_in_db_that_lets_an_unsigned_image_start() {
    let digest = [7; 32];
    let listed = esl::of_sha256(Uuid::from_u128(1), &[[6; 32], digest]).unwrap();
    let mut boot = boot("257.1", true);
    boot.variables.db.extend(listed);
    uki(&mut boot).image.vouching = unsigned(&[(DigestKind::Sha256, digest.to_vec())]);
    let measurements = predict(&boot, &ask(7))
        .unwrap()
        .leaves
        .remove(0)
        .measurements;
    assert_eq!(measurements.len(), 8);
    let data = [Uuid::from_u128(1).to_bytes_le().to_vec(), digest.to_vec()].concat();
    let hashed = Bank::Sha256.hash(&variable("db", &data));
    assert_eq!(measurements[7].digest, hashed);
}

#[test]
fn pcr_7_is_refused_of_what_would_not_start() {
    let refusal = |change: fn(&mut BootPath)| {
        let mut boot = boot("257.1", true);
        change(&mut boot);
        predict(&boot, &ask(7)).unwrap_err().to_string()
    };
    let unknown = refusal(|boot| uki(boot).image.vouching = unsigned(&[]));
    assert!(unknown.contains("uki would not be let start"), "{unknown}");
    let absent = refusal(|boot| uki(boot).image.vouching = promised(3));
    assert!(absent.contains("not in db"), "{absent}");
    let revoked = refusal(|boot| boot.variables.dbx = db_of(9));
    assert!(revoked.contains("dbx revokes"), "{revoked}");
    let broken = refusal(|boot| boot.variables.db = vec![1, 2, 3]);
    assert!(broken.contains("malformed"), "{broken}");
}

/// `UEFI_VARIABLE_DATA` of one of the variables of image security.
fn variable(name: &str, content: &[u8]) -> Vec<u8> {
    let global = "8be4df61-93ca-11d2-aa0d-00e098032b8c";
    let security = "d719b2cb-3d3a-4596-a3bc-dad00e67656f";
    let vendor = if name.starts_with("db") {
        security
    } else {
        global
    };
    let name = utf16::without_nul(name);
    let lengths = [name.len() as u64 / 2, content.len() as u64].map(u64::to_le_bytes);
    let vendor = vendor.parse::<Uuid>().unwrap().to_bytes_le();
    [&vendor[..], lengths.as_flattened(), &name, content].concat()
}

type Logged<'a> = (u32, u32, &'a [u8]);

/// A log of these events, each of which is hashed as it is, and the values to which it leads.
fn log(events: &[Logged<'_>]) -> FirmwareLog {
    let events = events.iter().map(|(pcr, event_type, data)| LoggedEvent {
        pcr: *pcr,
        event_type: *event_type,
        digests: vec![(
            Bank::Sha256.algorithm(),
            Bank::Sha256.hash(data).as_bytes().to_vec(),
        )],
        data: data.to_vec(),
    });
    let log = EventLog {
        algorithms: vec![(Bank::Sha256.algorithm(), 32)],
        events: events.collect(),
    };
    let replayed = log.replay(Bank::Sha256).unwrap();
    let value = |pcr| {
        replayed
            .get(&pcr)
            .copied()
            .unwrap_or(Digest::zero(Bank::Sha256))
    };
    let values: Registers = (0..8)
        .map(|pcr| (pcr, BTreeMap::from([(Bank::Sha256, value(pcr))])))
        .collect();
    FirmwareLog::new(&log, &values).unwrap()
}

/// A machine with a variable of its own, whose firmware starts a driver by the first entry of db.
fn machine(change: impl FnOnce(&mut Vec<Logged<'_>>)) -> BootPath {
    let variables = [
        ("SecureBoot", vec![1]),
        ("PK", vec![9]),
        ("KEK", vec![9]),
        ("db", vec![9]),
        ("dbx", vec![]),
        ("Own", vec![5]),
    ];
    let variables = variables.map(|(name, content)| variable(name, &content));
    let driver = variable("db", &entry(1).to_bytes());
    let mut events: Vec<Logged<'_>> = vec![(0, 8, b"version")];
    events.extend(variables.iter().map(|data| (7, CONFIGURATION, &data[..])));
    events.extend([
        (7, SEPARATOR, ZERO),
        (7, AUTHORITY, &driver),
        (2, DRIVER, b"driver"),
        (5, TABLE, b"old table"),
        (4, ACTION, CALLING),
        (4, SEPARATOR, ZERO),
        (5, SEPARATOR, ZERO),
        (4, 0x8000_0003, b"old loader"),
        (5, ACTION, INVOCATION),
        (5, ACTION, FAILURE),
        (5, ACTION, INVOCATION),
        (5, ACTION, SUCCESS),
    ]);
    change(&mut events);
    BootPath {
        firmware: Some(log(&events)),
        ..disk(boot("257.1", true))
    }
}

#[test]
fn a_log_gives_the_firmwares_own_events_and_the_given_variables_take_the_place_of_the_logged() {
    let boot = machine(|_| {});
    assert_eq!(value(&boot, 0), of_data(&[b"version"]));
    assert_eq!(value(&boot, 2), of_data(&[b"driver"]));
    assert_eq!(
        value(&boot, 4),
        of_data(&[CALLING, ZERO, b"loader", b"uki"])
    );
    let exits = [INVOCATION, FAILURE, INVOCATION, SUCCESS];
    let table = [&[&b"table"[..], ZERO][..], &exits].concat();
    assert_eq!(value(&boot, 5), of_data(&table));
    let db = [db_of(1), db_of(2)].concat();
    let data = [
        variable("SecureBoot", &[1]),
        variable("PK", &[1]),
        variable("KEK", &[2]),
        variable("db", &db),
        variable("dbx", &[]),
        variable("Own", &[5]),
        ZERO.to_vec(),
        // The driver's; loader and UKI, by the same entry, add nothing.
        variable("db", &entry(1).to_bytes()),
    ];
    let data: Vec<&[u8]> = data.iter().map(Vec::as_slice).collect();
    assert_eq!(value(&boot, 7), of_data(&data));
}

#[test]
fn a_log_that_does_not_show_what_comes_before_the_boot_option_is_refused() {
    let returning = b"Returning from EFI Application from Boot Option";
    let refused = |pcr: u32, boot: BootPath| {
        let error = predict(&boot, &ask(pcr)).unwrap_err();
        assert!(
            matches!(error, PredictError::FirmwareLog { pcr: of, .. } if of == pcr),
            "{error}"
        );
    };
    refused(
        4,
        machine(|events| events.insert(13, (4, ACTION, returning))),
    );
    refused(
        4,
        machine(|events| events.retain(|(_, _, data)| *data != CALLING)),
    );
    refused(5, machine(|events| events.truncate(events.len() - 1)));
    refused(
        7,
        machine(|events| events.retain(|(_, kind, _)| *kind != CONFIGURATION)),
    );
    let mut other = machine(|_| {});
    other.variables.db = db_of(2);
    refused(7, other);
    let mut with_dbt = machine(|_| {});
    with_dbt.variables.dbt = vec![1];
    refused(7, with_dbt);
}
