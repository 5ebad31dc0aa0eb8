//! What needs no TPM; the digests of real ones are compared in the tests of the command line.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::Leaf;
use crate::bank::{Bank, Digest};

fn value(seed: u32) -> Digest {
    Bank::Sha256.hash(&seed.to_le_bytes())
}

fn outcome(name: &str, seed: u32) -> Outcome {
    Outcome {
        name: name.to_owned(),
        values: [7, 11, 12, 13]
            .into_iter()
            .map(|pcr| (pcr, value(seed * 100 + pcr)))
            .collect(),
    }
}

fn outcomes(count: u32) -> Vec<Outcome> {
    (0..count)
        .map(|seed| outcome(&format!("generation {seed}"), seed))
        .collect()
}

fn policy(outcomes: Vec<Outcome>) -> Result<PcrPolicy, PolicyError> {
    PcrPolicy::new(Bank::Sha256, Bank::Sha256, outcomes, Vec::new())
}

/// What a session holds that goes the branch's way.
fn walked(branch: &Branch) -> PolicyDigest {
    let mut digest = branch.policy_pcr;
    for alternatives in &branch.path {
        assert!((2..=8).contains(&alternatives.len()));
        assert!(
            alternatives.contains(&digest),
            "a TPM refuses: the session is at none of the alternatives"
        );
        digest = PolicyDigest::or(alternatives).unwrap();
    }
    digest
}

#[test]
fn every_branch_of_every_size_leads_to_the_policy() {
    for count in [
        1, 2, 7, 8, 9, 10, 16, 17, 63, 64, 65, 73, 120, 512, 513, 585, 1500,
    ] {
        let policy = policy(outcomes(count)).unwrap();
        assert_eq!(policy.branches.len(), count as usize);
        for branch in &policy.branches {
            assert_eq!(walked(branch), policy.policy, "{count}");
        }
        let depth = policy.branches.iter().map(|branch| branch.path.len()).max();
        let needed = (0..).find(|depth| 8_u32.pow(*depth) >= count);
        assert_eq!(depth, needed.map(|needed| needed as usize), "{count}");
        policy.check().unwrap();
    }
}

#[test]
fn a_single_outcome_is_a_policy_without_a_policy_or() {
    let policy = policy(outcomes(1)).unwrap();
    assert_eq!(policy.policy, policy.branches[0].policy_pcr);
    assert!(policy.branches[0].path.is_empty());
}

#[test]
fn a_set_gives_one_policy_in_whatever_order_it_is_named() {
    let mut reversed = outcomes(120);
    reversed.reverse();
    assert_eq!(
        policy(outcomes(120)).unwrap().policy,
        policy(reversed).unwrap().policy
    );
}

#[test]
fn outcomes_with_the_same_values_are_one_branch() {
    let both = policy(vec![outcome("a", 1), outcome("b", 1), outcome("c", 2)]).unwrap();
    assert_eq!(both.branches.len(), 2);
    assert!(
        both.branches
            .iter()
            .any(|branch| branch.names == ["a", "b"])
    );
    let one = policy(vec![outcome("x", 1), outcome("c", 2)]).unwrap();
    assert_eq!(both.policy, one.policy);
}

#[test]
fn admits_its_outcomes_and_no_other() {
    let policy = policy(outcomes(120)).unwrap();
    for seed in 0..120 {
        let name = format!("generation {seed}");
        let branch = policy.admits(&outcome("", seed).values).unwrap();
        assert_eq!(branch.names, [name]);
    }
    assert_eq!(policy.admits(&outcome("", 120).values), None);
    let mut mixed = outcome("", 3).values;
    mixed.insert(7, outcome("", 4).values[&7]);
    assert_eq!(policy.admits(&mixed), None);
}

#[test]
fn refuses_registers_that_protect_nothing() {
    let of = |bank, pcrs: &[u32]| check_pcrs(bank, &pcrs.iter().copied().collect());
    assert_eq!(of(Bank::Sha256, &[11]), Err(PolicyError::Pcr11Alone));
    assert_eq!(of(Bank::Sha256, &[]), Err(PolicyError::NoPcr));
    assert_eq!(of(Bank::Sha256, &[7, 23]), Err(PolicyError::Resettable(23)));
    assert_eq!(of(Bank::Sha1, &[7, 11]), Err(PolicyError::WeakBank));
    assert_eq!(of(Bank::Sha384, &[7, 11]), Ok(()));
}

#[test]
fn refuses_sha_1_as_the_hash_of_a_policy() {
    assert_eq!(PolicyDigest::start(Bank::Sha1), Err(PolicyError::WeakHash));
    let digest = format!("\"{}\"", "00".repeat(20));
    assert!(serde_json::from_str::<PolicyDigest>(&digest).is_err());
}

#[test]
fn refuses_one_name_for_two_outcomes() {
    assert_eq!(
        policy(vec![outcome("a", 1), outcome("a", 2)]),
        Err(PolicyError::NameTwice("a".into()))
    );
}

#[test]
fn a_policy_or_takes_two_to_eight() {
    let digests: Vec<PolicyDigest> = policy(outcomes(9)).unwrap().tree[0].clone();
    for count in [0, 1, 9] {
        assert_eq!(
            PolicyDigest::or(&digests[..count]),
            Err(PolicyError::Alternatives(count))
        );
    }
    let other = PolicyDigest::start(Bank::Sha384).unwrap();
    assert!(matches!(
        PolicyDigest::or(&[digests[0], other]),
        Err(PolicyError::OtherHash { .. })
    ));
}

#[test]
fn a_changed_policy_file_is_noticed() {
    let made = policy(outcomes(10)).unwrap();
    let changes: [fn(&mut PcrPolicy); 6] = [
        |policy| policy.policy = policy.branches[0].policy_pcr,
        |policy| policy.pcrs = vec![7, 11],
        |policy| policy.selection = "00".into(),
        |policy| policy.branches[3].policy_pcr = policy.branches[4].policy_pcr,
        |policy| policy.branches[3].path.clear(),
        |policy| policy.tree.truncate(1),
    ];
    for change in changes {
        let mut changed = made.clone();
        change(&mut changed);
        assert!(matches!(changed.check(), Err(PolicyError::Altered(_))));
    }
    // A value that is shown and not bound would be a lie as well.
    let mut more = made.clone();
    more.branches[3].values.insert(4, value(1));
    assert!(matches!(more.check(), Err(PolicyError::OtherPcrs(_))));
}

#[test]
fn a_prediction_that_contradicts_itself_is_refused() {
    let measured = crate::Measurement {
        pcr: 7,
        digest: value(1),
        kind: crate::EventKind::Separator,
        why: String::new(),
    };
    let right = Digest::zero(Bank::Sha256).extended(&value(1));
    let leaf = |value: Digest| Leaf {
        path: Vec::new(),
        pcrs: BTreeMap::from([(7, BTreeMap::from([(Bank::Sha256, value)]))]),
        measurements: vec![measured.clone()],
    };
    let of = |leaf: &Leaf, pcr| Outcome::of_leaf("x", leaf, Bank::Sha256, &BTreeSet::from([pcr]));
    assert_eq!(of(&leaf(right), 7).unwrap().values[&7], right);
    assert!(matches!(
        of(&leaf(value(1)), 7),
        Err(PolicyError::Contradiction { pcr: 7, .. })
    ));
    assert!(matches!(
        of(&leaf(right), 4),
        Err(PolicyError::NotPredicted { pcr: 4, .. })
    ));
}

#[test]
fn writes_a_selection_as_a_tpm_reads_it() {
    let selection: PcrSelection = "sha1:0,1+sha256:7,23".parse().unwrap();
    assert_eq!(
        selection.to_bytes(),
        [0, 0, 0, 2, 0, 4, 3, 3, 0, 0, 0, 0x0b, 3, 0x80, 0, 0x80]
    );
    assert_eq!(selection.to_string(), "sha1:0,1+sha256:7,23");
    for malformed in [
        "",
        "sha256",
        "sha256:",
        "sha256:x",
        "sha3:1",
        "sha256:24",
        "sha256:1+sha256:2",
    ] {
        assert!(malformed.parse::<PcrSelection>().is_err(), "{malformed}");
    }
}

#[test]
fn writes_signatures_as_each_peer_does() {
    let key = touchstone_sign::PublicKey::point(
        &data_encoding::HEXLOWER
            .decode(b"0460fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb67903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299")
            .unwrap(),
    )
    .unwrap();
    let policy = PolicyDigest::start(Bank::Sha256).unwrap();
    let signed =
        |reference| SignedDigest::new(vec![11], policy, reference, Proof::Elsewhere(&key)).unwrap();
    let mut signatures = PcrSignatures::default();
    signatures.add(Bank::Sha256, signed(None));
    signatures.add(Bank::Sha256, signed(None));
    let (zero, pkfp) = ("00".repeat(32), fingerprint(&key).unwrap());
    assert_eq!(
        signatures.to_line(),
        format!(
            "{{\"sha256\":[{{\"pcrs\":[11],\"pkfp\":\"{pkfp}\",\"pol\":\"{zero}\",\"tbs\":\"{zero}\"}}]}}\n"
        )
    );
    assert_eq!(
        signatures.to_section(),
        format!(
            "{{\"sha256\": [{{\"pcrs\": [11], \"pkfp\": \"{pkfp}\", \"pol\": \"{zero}\", \"tbs\": \"{zero}\"}}]}}"
        )
    );
    assert_eq!(
        PcrSignatures::parse(signatures.to_section().as_bytes()),
        Ok(signatures.clone())
    );
    // SHA-256 of `hello`: as systemd-measure 262 writes it.
    assert!(
        signed(Some("hello"))
            .tbs
            .unwrap()
            .ends_with("2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    );
    assert!(!signed(None).is_by(&key));
}

#[test]
fn a_reference_is_what_all_write_alike() {
    assert!(check_reference("initrd \"x\"").is_ok());
    for refused in ["", "a\nb", "ü", "\u{7f}"] {
        assert_eq!(check_reference(refused), Err(PolicyError::Reference));
    }
}
