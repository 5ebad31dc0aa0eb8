//! What systemd 262 draws between firmware and operating system.

use super::*;
use crate::predict::os_separator::REGISTERS;

fn ask(pcrs: &[u32], os_separator: Option<bool>) -> Ask {
    Ask {
        pcrs: pcrs.to_vec(),
        banks: Bank::ALL.to_vec(),
        phases: vec![PhasePath::none(), "enter-initrd".parse().unwrap()],
        os_separator,
    }
}

/// Of one bank alone: the images of these tests were hashed in it.
fn ask_one(pcrs: &[u32], os_separator: Option<bool>) -> Ask {
    Ask {
        banks: SHA256.to_vec(),
        ..ask(pcrs, os_separator)
    }
}

#[test]
fn extends_each_register_once_behind_the_first_phase() {
    let prediction = predict(&boot("262.1", true), &ask_one(&[7, 12], Some(true))).unwrap();
    let [before, after] = prediction.leaves.as_slice() else {
        panic!("{prediction:?}")
    };
    let word = Bank::Sha256.hash(b"os-separator");
    for pcr in [7, 12] {
        let value = before.pcrs[&pcr][&Bank::Sha256];
        assert_eq!(after.pcrs[&pcr][&Bank::Sha256], value.extended(&word));
    }
}

#[test]
fn has_to_be_decided_with_stub_262_alone() {
    let both = |version: &str, said| predict(&boot(version, true), &ask_one(&[7, 11], said));
    assert_eq!(both("262.1", None), Err(PredictError::OsSeparator));
    assert!(both("262.1", Some(false)).is_ok());
    assert!(both("257.1", None).is_ok());
    let eleven = predict(&boot("262.1", true), &ask_one(&[11], None));
    assert!(eleven.is_ok(), "PCR 11 has no such line");
}

#[test]
fn pcr_9_is_refused_where_two_words_come_in_either_order() {
    let refused = predict(&boot("262.1", true), &ask_one(&[9], Some(true)));
    assert!(matches!(
        refused,
        Err(PredictError::NotCompared { pcr: 9, .. })
    ));
}

/// systemd ships what it extends, for systemd-pcrlock.
#[test]
fn is_what_systemd_262_says_that_it_extends() {
    let inputs = touchstone_harness::inputs();
    let root = inputs.roots.sid.expect("the sid root");
    let file = root.join("usr/lib/pcrlock.d/750-os-separator.pcrlock");
    let systemds: serde_json::Value =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let ask = ask(&REGISTERS, Some(true));
    let phase = "enter-initrd".parse().unwrap();
    let ours = crate::predict::os_separator::events(&ask, REGISTERS.into_iter(), &phase);
    let records = systemds["records"].as_array().unwrap();
    assert_eq!(ours.len(), records.len());
    for record in records {
        let pcr = record["pcr"].as_u64().unwrap();
        let event = ours.iter().find(|event| u64::from(event.pcr) == pcr);
        let event = event.unwrap_or_else(|| panic!("PCR {pcr}"));
        let digests = record["digests"].as_array().unwrap();
        assert_eq!(digests.len(), 4);
        for digest in digests {
            let bank: Bank = digest["hashAlg"].as_str().unwrap().parse().unwrap();
            let value = event.digests.get(bank).unwrap().to_string();
            assert_eq!(digest["digest"], value, "PCR {pcr}, {bank}");
        }
    }
}
