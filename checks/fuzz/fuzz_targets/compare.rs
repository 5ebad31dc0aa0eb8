//! A log beside predictions: whatever they say, one of the outcomes is named, and what fits is equal.
//!
//! Input: the log, a line `=`, and below it a prediction in JSON. Seeds: `fits` and `differs` are the log `crypto-agile` of
//! `event_log` beside a prediction of its PCR 7, and of another.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_measure::eventlog::compare::{Known, Question, Values, compare};
use touchstone_measure::{Prediction, eventlog};

fuzz_target!(|bytes: &[u8]| {
    let Some(at) = bytes.windows(3).position(|window| window == b"\n=\n") else {
        return;
    };
    let (log, json) = (&bytes[..at], &bytes[at + 3..]);
    let (Ok(log), Ok(prediction)) = (
        eventlog::parse(log),
        serde_json::from_slice::<Prediction>(json),
    ) else {
        return;
    };
    let mut known = Known::default();
    known.add_prediction(&prediction);
    let predictions = [("prediction".to_owned(), prediction)];
    let question = Question {
        log: &log,
        userspace: None,
        predictions: &predictions,
        known: &known,
        machine: &Values::new(),
    };
    let Ok(comparison) = compare(&question) else {
        return;
    };
    let differences = comparison.registers.values().flatten();
    assert!(
        differences
            .clone()
            .all(|found| !found.says.contains(char::is_control))
    );
    assert_eq!(comparison.fits, differences.count() == 0);
    // What fits has the values of one of the outcomes.
    if comparison.fits {
        let leaf = predictions[0]
            .1
            .leaves
            .iter()
            .find(|leaf| leaf.path == comparison.path)
            .unwrap();
        for bank in &comparison.banks {
            let values = log.replay(*bank).unwrap();
            let fits = predictions[0]
                .1
                .leaves
                .iter()
                .filter(|other| other.path == leaf.path)
                .any(|leaf| {
                    leaf.pcrs.iter().all(|(pcr, banks)| {
                        let zero = touchstone_measure::Digest::zero(*bank);
                        banks
                            .get(bank)
                            .is_none_or(|value| *value == values.get(pcr).copied().unwrap_or(zero))
                    })
                });
            assert!(fits);
        }
    }
});
