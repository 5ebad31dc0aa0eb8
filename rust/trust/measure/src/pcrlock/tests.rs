//! Component files of predictions that were made for these tests.

use super::*;
use crate::bank::Bank;
use crate::measurement::replay;
use crate::predict::{Leaf, Prediction};

const BANK: Bank = Bank::Sha256;

fn measured(pcr: u32, kind: EventKind, what: &str) -> Measurement {
    Measurement {
        pcr,
        digest: BANK.hash(what.as_bytes()),
        kind,
        why: what.to_owned(),
    }
}

/// A leaf with these measurements, and the values that they make.
fn leaf(measurements: Vec<Measurement>) -> Leaf {
    let values = replay(BANK, &measurements).into_iter();
    Leaf {
        path: Vec::new(),
        pcrs: values
            .map(|(pcr, value)| (pcr, BTreeMap::from([(BANK, value)])))
            .collect(),
        measurements,
    }
}

fn named(name: &str, leaves: Vec<Leaf>) -> Named {
    Named {
        name: name.to_owned(),
        prediction: Prediction {
            leaves,
            assumptions: Vec::new(),
        },
    }
}

/// A boot under Secure Boot of the UKI of this name.
fn boot(uki: &str) -> Vec<Measurement> {
    vec![
        measured(4, EventKind::BootOption, "boot option"),
        measured(4, EventKind::Separator, "separator"),
        measured(4, EventKind::Image, "loader"),
        measured(4, EventKind::Image, uki),
        measured(7, EventKind::Variable, "db"),
        measured(7, EventKind::Separator, "separator"),
        measured(7, EventKind::Authority, "certificate"),
        measured(11, EventKind::SectionContent, uki),
    ]
}

fn names(pcrlock: &Pcrlock) -> Vec<&str> {
    let files = pcrlock.files.iter();
    files.map(|file| file.name.as_str()).collect()
}

#[test]
fn each_register_has_files_of_its_own_and_what_is_shared_is_written_once() {
    let generations = ["41", "42"].map(|name| named(name, vec![leaf(boot(name))]));
    let pcrlock = files(&generations).unwrap();
    assert_eq!(
        names(&pcrlock),
        [
            "240-secureboot-policy.pcrlock.d/generated.pcrlock",
            "400-secureboot-separator.pcrlock.d/600-0xffffffff.pcrlock",
            "500-separator.pcrlock.d/600-0xffffffff.pcrlock",
            "620-secureboot-authority.pcrlock.d/generated.pcrlock",
            "650-uki-pcr04.pcrlock.d/41.pcrlock",
            "650-uki-pcr04.pcrlock.d/42.pcrlock",
            "650-uki-pcr11.pcrlock.d/41.pcrlock",
            "650-uki-pcr11.pcrlock.d/42.pcrlock",
        ]
    );
    assert_eq!(pcrlock.values, BTreeMap::from([(4, 2), (7, 1), (11, 2)]));
    let records = |name: &str| {
        let file = pcrlock.files.iter().find(|file| file.name.contains(name));
        file.unwrap().records.clone()
    };
    let digests: Vec<Digest> = records("pcr04.pcrlock.d/42")
        .iter()
        .map(|record| record.digests[0].digest)
        .collect();
    assert_eq!(digests, [BANK.hash(b"loader"), BANK.hash(b"42")]);
}

#[test]
fn phases_are_systemds_own_so_that_they_make_no_variants() {
    let phase = |word| {
        let mut measurements = boot("42");
        measurements.push(measured(11, EventKind::Phase, word));
        leaf(measurements)
    };
    let pcrlock = files(&[named("42", vec![phase("enter-initrd"), phase("ready")])]).unwrap();
    assert_eq!(pcrlock.values[&11], 1);
}

#[test]
fn a_boot_that_leaves_a_register_alone_is_a_variant_without_records() {
    let mut with = boot("42");
    with.push(measured(12, EventKind::LoadOptions, "credentials"));
    let mut without = leaf(boot("41"));
    without
        .pcrs
        .insert(12, BTreeMap::from([(BANK, Digest::zero(BANK))]));
    let pcrlock = files(&[named("41", vec![without]), named("42", vec![leaf(with)])]).unwrap();
    let of_12: Vec<(&str, usize)> = pcrlock
        .files
        .iter()
        .filter(|file| file.name.contains("pcr12"))
        .map(|file| (file.name.as_str(), file.records.len()))
        .collect();
    assert_eq!(
        of_12,
        [
            ("650-uki-pcr12.pcrlock.d/41.pcrlock", 0),
            ("650-uki-pcr12.pcrlock.d/42.pcrlock", 1)
        ]
    );
}

#[test]
fn refuses_more_values_than_systemd_pcrlock_can_admit() {
    let generations = |count: usize| -> Vec<Named> {
        let names = (1..=count).map(|number| number.to_string());
        names
            .map(|name| named(&name, vec![leaf(boot(&name))]))
            .collect()
    };
    assert!(files(&generations(8)).is_ok());
    assert_eq!(
        files(&generations(9)),
        Err(PcrlockError::TooMany { pcr: 4, values: 9 })
    );
}

#[test]
fn leaves_out_what_only_the_machine_knows_and_refuses_what_has_no_component() {
    let mut measurements = boot("42");
    measurements.push(measured(0, EventKind::Separator, "firmware"));
    let pcrlock = files(&[named("42", vec![leaf(measurements.clone())])]).unwrap();
    assert_eq!(pcrlock.left_out, [0]);
    measurements.push(measured(16, EventKind::LoadOptions, "for debugging"));
    assert!(matches!(
        files(&[named("42", vec![leaf(measurements)])]),
        Err(PcrlockError::NoComponent { pcr: 16, .. })
    ));
}

#[test]
fn what_the_loader_and_the_disk_add_to_pcr_5_stands_between_systemds_own_components() {
    let exit = |what| measured(5, EventKind::ExitBootServices, what);
    let mut measurements = boot("42");
    measurements.extend([
        measured(5, EventKind::Separator, "separator"),
        measured(5, EventKind::PartitionTable, "disk"),
        measured(5, EventKind::LoaderConfiguration, "loader.conf"),
        exit("invocation"),
        exit("success"),
    ]);
    let pcrlock = files(&[named("42", vec![leaf(measurements.clone())])]).unwrap();
    assert!(names(&pcrlock).contains(&"600-gpt.pcrlock.d/generated.pcrlock"));
    assert!(names(&pcrlock).contains(&"650-uki-pcr05.pcrlock.d/42.pcrlock"));
    assert!(
        names(&pcrlock).contains(&"700-action-efi-exit-boot-services.pcrlock.d/600-absent.pcrlock")
    );
    // A firmware whose first attempt fails: systemd would take that one for the only one.
    measurements.push(exit("success after a failure"));
    assert!(matches!(
        files(&[named("42", vec![leaf(measurements)])]),
        Err(PcrlockError::NoComponent { pcr: 5, .. })
    ));
}

#[test]
fn writes_what_systemd_writes() {
    let record = Record {
        pcr: 11,
        digests: vec![RecordDigest {
            hash_alg: BANK,
            digest: BANK.hash(b"enter-initrd"),
        }],
    };
    let file = PcrlockFile {
        name: String::new(),
        generations: Vec::new(),
        records: vec![record],
    };
    // As /usr/lib/pcrlock.d/750-enter-initrd.pcrlock, in one bank.
    assert_eq!(
        String::from_utf8(file.to_json().unwrap()).unwrap(),
        "{\"records\":[{\"pcr\":11,\"digests\":[{\"hashAlg\":\"sha256\",\"digest\":\"51e6b92f405d1f98d96e3de343d61d420ad6923b25de21d766f9298192f14fed\"}]}]}\n"
    );
}
