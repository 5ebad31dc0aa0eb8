//! Documents of predictions that were made for these tests.

use super::compare::{Side, compare};
use super::*;
use crate::measurement::{EventKind, replay};
use crate::predict::{Leaf, Prediction};

const BANKS: [Bank; 2] = [Bank::Sha1, Bank::Sha256];

/// What is measured: register, kind, reason; the reason is hashed.
type Told<'a> = (u32, EventKind, &'a str);

fn prediction(leaves: &[(&str, &[Told<'_>])]) -> Prediction {
    let leaf = |(path, told): &(&str, &[Told<'_>])| {
        let measured = |(pcr, kind, why): &Told<'_>| {
            BANKS.map(|bank| Measurement {
                pcr: *pcr,
                digest: bank.hash(why.as_bytes()),
                kind: *kind,
                why: (*why).to_owned(),
            })
        };
        let measurements: Vec<Measurement> = told.iter().flat_map(measured).collect();
        let mut pcrs: ByRegister<Digest> = BTreeMap::new();
        for bank in BANKS {
            for (pcr, value) in replay(bank, &measurements) {
                pcrs.entry(pcr).or_default().insert(bank, value);
            }
        }
        Leaf {
            path: vec![(*path).to_owned()],
            pcrs,
            measurements,
        }
    };
    Prediction {
        leaves: leaves.iter().map(leaf).collect(),
        assumptions: vec!["all is well".to_owned()],
    }
}

fn boot<'a>(image: &'a str, initrd: &'a str) -> [Told<'a>; 2] {
    [
        (4, EventKind::Image, image),
        (11, EventKind::SectionContent, initrd),
    ]
}

fn named(name: &str, image: &str, initrd: &str) -> Named {
    Named {
        name: name.to_owned(),
        prediction: prediction(&[("", &boot(image, initrd))]),
    }
}

fn two() -> Reference {
    let generations = [named("41", "a", "x"), named("42", "b", "y")];
    Reference::of(&generations, &Selection::default()).unwrap()
}

fn values(reference: &Reference, generation: usize) -> ByRegister<Digest> {
    reference.generations[generation].leaves[0].pcrs.clone()
}

#[test]
fn names_each_generation_with_its_values_and_lists_all_of_them() {
    let reference = two();
    assert_eq!(
        (reference.pcrs.as_slice(), reference.banks.as_slice()),
        (&[4, 11][..], &BANKS[..])
    );
    assert_eq!(reference.values[&4][&Bank::Sha256].len(), 2);
    assert!(reference.validate().is_ok());
    let json = serde_json::to_string(&reference).unwrap();
    assert_eq!(serde_json::from_str::<Reference>(&json).unwrap(), reference);
    assert!(json.starts_with(r#"{"format":"touchstone-reference","version":1,"#));
}

#[test]
fn admits_each_generation_by_name_and_no_mixture_of_them() {
    let reference = two();
    for (number, name) in [(0, "41"), (1, "42")] {
        let verdict = reference.check(&values(&reference, number)).unwrap();
        assert!(verdict.admitted);
        assert_eq!(verdict.by[0].generation, name);
        assert_eq!(verdict.nearest, None);
    }
    let mut mixture = values(&reference, 0);
    mixture.insert(11, values(&reference, 1)[&11].clone());
    let verdict = reference.check(&mixture).unwrap();
    assert!(!verdict.admitted);
    let nearest = verdict.nearest.unwrap();
    assert_eq!(
        (nearest.generation.as_str(), nearest.differs[0].pcr),
        ("41", 11)
    );
    assert_eq!(nearest.differs[0].found_in, ["42"]);
}

#[test]
fn a_missing_value_never_admits() {
    let reference = two();
    let mut values = values(&reference, 0);
    values.get_mut(&4).unwrap().remove(&Bank::Sha256);
    assert_eq!(
        reference.check(&values),
        Err(ReferenceError::NotGiven {
            pcr: 4,
            bank: Bank::Sha256
        })
    );
}

#[test]
fn refuses_names_that_are_none_or_stand_twice() {
    let with = |one: &str, other: &str| {
        let generations = [named(one, "a", "x"), named(other, "b", "y")];
        Reference::of(&generations, &Selection::default())
    };
    assert_eq!(
        with("1", "1"),
        Err(ReferenceError::SameName("1".to_owned()))
    );
    for name in ["", "../x", "a/b", ".hidden", "a b"] {
        assert_eq!(with("1", name), Err(ReferenceError::Name(name.to_owned())));
    }
}

#[test]
fn refuses_a_prediction_or_a_document_that_contradicts_itself() {
    let mut changed = named("41", "a", "x");
    changed.prediction.leaves[0].measurements[0].digest = Bank::Sha1.hash(b"other");
    assert!(matches!(
        Reference::of(&[changed], &Selection::default()),
        Err(ReferenceError::Contradiction { pcr: 4, .. })
    ));
    let mut reference = two();
    reference.values.get_mut(&11).unwrap().remove(&Bank::Sha1);
    assert_eq!(reference.validate(), Err(ReferenceError::Values(11)));
}

#[test]
fn refuses_a_register_or_bank_that_a_prediction_lacks() {
    let selection = Selection {
        pcrs: Some(vec![4, 7]),
        ..Selection::default()
    };
    assert!(matches!(
        Reference::of(&[named("41", "a", "x")], &selection),
        Err(ReferenceError::Missing { pcr: 7, .. })
    ));
}

#[test]
fn writes_for_keylime_only_what_admits_no_mixture_or_was_accepted() {
    let reference = two();
    assert_eq!(
        keylime::policy(&reference, false),
        Err(ReferenceError::Mixtures {
            admitted: 4,
            predicted: 2
        })
    );
    let policy = keylime::policy(&reference, true).unwrap();
    assert_eq!(keylime::mask(&policy), "0x810");
    assert_eq!(policy[&4].len(), 4, "two values in each of two banks");
    let split = keylime::split(&reference).unwrap();
    let names: Vec<&str> = split.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["41", "42"]);
    assert!(split.iter().all(|(_, policy)| policy[&4].len() == 2));
}

#[test]
fn phases_of_one_generation_are_no_mixture_for_keylime() {
    let leaf = |initrd| boot("a", initrd);
    let prediction = prediction(&[("one", &leaf("x")), ("two", &leaf("y"))]);
    let name = "42".to_owned();
    let reference = Reference::of(&[Named { name, prediction }], &Selection::default()).unwrap();
    assert!(keylime::policy(&reference, false).is_ok());
}

#[test]
fn says_which_component_moved_which_register() {
    let before = prediction(&[(
        "",
        &[
            (
                4,
                EventKind::Image,
                "the Authenticode digest of systemd-boot 257.9",
            ),
            (4, EventKind::Image, "the Authenticode digest of the UKI"),
            (
                11,
                EventKind::SectionContent,
                "the content of .initrd, 12 bytes",
            ),
            (
                11,
                EventKind::SectionContent,
                "the content of .uname, 5 bytes",
            ),
            (12, EventKind::LoadOptions, "options"),
        ],
    )]);
    let after = prediction(&[(
        "",
        &[
            (
                4,
                EventKind::Image,
                "the Authenticode digest of systemd-boot 257.13",
            ),
            (4, EventKind::Image, "the Authenticode digest of the UKI"),
            (
                11,
                EventKind::SectionContent,
                "the content of .initrd, 300 bytes",
            ),
            (
                11,
                EventKind::SectionContent,
                "the content of .uname, 5 bytes",
            ),
            (
                11,
                EventKind::SectionContent,
                "the content of .sbat, 9 bytes",
            ),
            (12, EventKind::LoadOptions, "options"),
        ],
    )]);
    let comparison = compare(&Side::from(&before), &Side::from(&after));
    assert_eq!(
        comparison.lines(),
        [
            "PCR 4: the Authenticode digest of systemd-boot 257.9 → 257.13",
            "PCR 11: the content of .initrd, 12 bytes → 300 bytes",
            "PCR 11: newly measured: the content of .sbat, 9 bytes",
        ]
    );
    assert!(compare(&Side::from(&before), &Side::from(&before)).unchanged);
}

#[test]
fn a_component_of_the_same_description_is_told_by_its_digest() {
    let before = named("1", "a", "x").prediction;
    let mut after = before.clone();
    for measurement in &mut after.leaves[0].measurements {
        if measurement.pcr == 4 {
            measurement.digest = measurement.digest.bank().hash(b"rebuilt");
        }
    }
    for (bank, value) in after.leaves[0].pcrs.get_mut(&4).unwrap() {
        *value = Digest::zero(*bank).extended(&bank.hash(b"rebuilt"));
    }
    let lines = compare(&Side::from(&before), &Side::from(&after)).lines();
    assert_eq!(
        lines,
        ["PCR 4: a: 86f7e437faa5… → e8e1f7ec5e3b…"].map(|line| {
            let (start, _) = line.split_once(" → ").unwrap();
            format!(
                "{start} → {}…",
                &Bank::Sha1.hash(b"rebuilt").to_string()[..12]
            )
        })
    );
}

#[test]
fn documents_are_compared_generation_by_generation() {
    let selection = Selection {
        explained: true,
        ..Selection::default()
    };
    let document =
        |generations: &[Named]| Side::from(&Reference::of(generations, &selection).unwrap());
    let before = document(&[named("41", "a", "x"), named("42", "b", "y")]);
    let after = document(&[named("42", "b", "z"), named("43", "c", "y")]);
    let comparison = compare(&before, &after);
    assert_eq!(
        comparison.lines(),
        [
            "PCR 11: y → z",
            "  for 42",
            "no longer there: 41",
            "not expected: 43"
        ]
    );
}

#[test]
fn a_quotation_is_one_word() {
    let line = |text| prediction(&[("", &[(9, EventKind::CommandLine, text)])]);
    let (before, after) = (line("line: \"quiet a\""), line("line: \"quiet b\""));
    let lines = compare(&Side::from(&before), &Side::from(&after)).lines();
    assert_eq!(lines, ["PCR 9: line: \"quiet a\" → \"quiet b\""]);
}
