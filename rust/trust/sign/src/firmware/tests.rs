use der::Encode;
use proptest::prelude::*;
use uuid::Uuid;

use super::table::{Entry, Table, walk};
use super::*;
use crate::authenticode::{self, ImageDigest};
use crate::esl::{Signature, SignatureList, X509};
use crate::test_keys::{self, certificate, signer};

mod chains;
mod signatures;

/// The SHA-256 digest of the image that is judged.
const DIGEST: [u8; 32] = [0x5a; 32];

fn digests() -> ImageDigests {
    [
        (DigestKind::Sha256, DIGEST.to_vec()),
        (DigestKind::Sha384, vec![0x38; 48]),
    ]
    .into()
}

fn signed(key: &test_keys::TestKey) -> Vec<u8> {
    authenticode::signature(&ImageDigest::sha256(&DIGEST), &signer(key)).unwrap()
}

/// A list of one entry.
fn list(kind: Uuid, data: &[u8]) -> SignatureList {
    SignatureList {
        kind,
        header: Vec::new(),
        signatures: vec![Signature {
            owner: Uuid::nil(),
            data: data.to_vec(),
        }],
    }
}

fn of_key(key: &test_keys::TestKey) -> Database {
    let der = certificate(key).to_der().unwrap();
    Database::new(&[list(X509, &der)])
}

fn of_image() -> Database {
    Database::new(&[list(crate::esl::SHA256, &DIGEST)])
}

fn rules(verdict: &Verdict) -> Vec<Rule> {
    verdict.reasons.iter().map(|reason| reason.rule).collect()
}

/// The verdict on these signatures by these lists: whether the image boots, and the rules that decided.
fn verdict(signatures: &[&[u8]], db: &Database, dbx: &Database) -> (bool, Vec<Rule>) {
    let verdict = judge(
        &digests(),
        Some(&Table::of(signatures.iter().copied())),
        db,
        dbx,
    );
    (verdict.boots, rules(&verdict))
}

#[test]
fn one_trusted_signature_suffices() {
    let (ours, theirs) = (signed(test_keys::rsa()), signed(test_keys::other_rsa()));
    let db = of_key(test_keys::rsa());
    let nothing = Database::default();
    let trusted = (true, vec![Rule::SignatureTrusted]);
    assert_eq!(verdict(&[&ours], &db, &nothing), trusted);
    assert_eq!(verdict(&[&theirs, &ours], &db, &nothing), trusted);
    assert_eq!(
        verdict(&[&theirs], &db, &nothing),
        (false, vec![Rule::NoChain])
    );
}

#[test]
fn one_forbidden_signature_suffices_too() {
    let (ours, theirs) = (signed(test_keys::rsa()), signed(test_keys::other_rsa()));
    let forbidden = (false, vec![Rule::CertificateInDbx]);
    let (db, dbx) = (of_key(test_keys::rsa()), of_key(test_keys::other_rsa()));
    assert_eq!(verdict(&[&ours, &theirs], &db, &dbx), forbidden);
    assert_eq!(verdict(&[&theirs, &ours], &db, &dbx), forbidden);
}

#[test]
fn a_digest_in_dbx_outweighs_everything() {
    let ours = signed(test_keys::rsa());
    let db = of_key(test_keys::rsa());
    let denied = (false, vec![Rule::DigestInDbx]);
    assert_eq!(verdict(&[&ours], &db, &of_image()), denied);
    let unsigned = judge(&digests(), None, &of_image(), &of_image());
    assert_eq!((unsigned.boots, rules(&unsigned)), denied);
}

#[test]
fn ecdsa_signatures_are_verified() {
    for key in [test_keys::p256(), test_keys::p384()] {
        let trusted = verdict(&[&signed(&key)], &of_key(&key), &Database::default());
        assert_eq!(trusted, (true, vec![Rule::SignatureTrusted]));
    }
}

#[test]
fn what_firmware_passes_over_is_told() {
    let kind = Uuid::from_u128(7);
    let db = Database::new(&[list(kind, b"whatever")]);
    let verdict = judge(&digests(), None, &db, &Database::default());
    assert!(!verdict.boots);
    assert!(
        verdict.notes[0].contains(&kind.to_string()),
        "{:?}",
        verdict.notes
    );
}

#[test]
fn an_entry_of_another_size_matches_nothing() {
    for data in [&DIGEST[..31], &[&DIGEST[..], &[0]].concat()] {
        let db = Database::new(&[list(crate::esl::SHA256, data)]);
        assert!(!judge(&digests(), None, &db, &Database::default()).boots);
    }
}

#[test]
fn shim_wants_rsa_in_an_entry_of_the_common_type() {
    let objection = |entry: Entry, key: &test_keys::TestKey| {
        let table = Table {
            entries: vec![entry],
            malformed: None,
        };
        let (db, dbx) = (of_key(key), Database::default());
        let verdict = judge(&digests(), Some(&table), &db, &dbx);
        assert!(verdict.boots);
        let reasons = objections_of_shim(&verdict, Some(&table), &digests(), &db, &dbx);
        reasons.first().map(|reason| reason.rule)
    };
    let (rsa, p256) = (test_keys::rsa(), &test_keys::p256());
    assert_eq!(objection(Entry::Signature(signed(rsa)), rsa), None);
    let guid = objection(Entry::GuidSignature(signed(rsa)), rsa);
    assert_eq!(guid, Some(Rule::ShimType));
    let elliptic = objection(Entry::Signature(signed(p256)), p256);
    assert_eq!(elliptic, Some(Rule::ShimEllipticCurve));
}

#[test]
fn shim_wants_sha256() {
    let digests = digests();
    let image = ImageDigest::new(crate::Hash::Sha384, &digests[&DigestKind::Sha384]).unwrap();
    let by_sha384 = authenticode::signature(&image, &signer(test_keys::rsa())).unwrap();
    let (db, dbx) = (of_key(test_keys::rsa()), Database::default());
    let rule = |signatures: &[&[u8]]| {
        let table = Table::of(signatures.iter().copied());
        let verdict = judge(&digests, Some(&table), &db, &dbx);
        assert!(verdict.boots);
        let reasons = objections_of_shim(&verdict, Some(&table), &digests, &db, &dbx);
        reasons.first().map(|reason| reason.rule)
    };
    assert_eq!(rule(&[&by_sha384]), Some(Rule::ShimDigest));
    assert_eq!(rule(&[&by_sha384, &signed(test_keys::rsa())]), None);
}

#[test]
fn digests_are_needed_for_what_lists_and_signatures_name() {
    let nothing = Database::default();
    let needed = |table, db| Vec::from_iter(digests_needed(table, db, &nothing));
    assert_eq!(needed(None, &nothing), [DigestKind::Sha256]);
    let signature = Table::of([&*signed(test_keys::rsa())]);
    assert_eq!(needed(Some(&signature), &nothing), [DigestKind::Sha256]);
    let sha1 = Uuid::from_u128(0x826c_a512_cf10_4ac9_b187_be01_4966_31bd);
    let db = Database::new(&[list(sha1, &[1; 20])]);
    assert_eq!(needed(None, &db), [DigestKind::Sha1, DigestKind::Sha256]);
}

/// An entry of the table as signers write it.
fn entry(kind: u16, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(8 + data.len()).unwrap();
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend([0, 2]);
    bytes.extend(kind.to_le_bytes());
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

#[test]
fn a_table_ends_where_its_last_entry_does() {
    let whole = entry(2, b"signature");
    let entries = vec![Entry::Signature(b"signature".to_vec())];
    let found = |bytes: &[u8]| walk(bytes);
    let malformed = None;
    assert_eq!(found(&whole), Table { entries, malformed });
    let cut = found(&whole[..whole.len() - 1]);
    assert_eq!((cut.entries.len(), cut.malformed), (0, Some(0)));
    let more = found(&[&whole[..], &[0; 8]].concat());
    assert_eq!((more.entries.len(), more.malformed), (1, Some(24)));
    let empty = found(&[&whole[..], &entry(2, b"")].concat());
    assert_eq!((empty.entries.len(), empty.malformed), (1, Some(24)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn tables_are_read_as_they_were_written(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..5)) {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| entry(2, part)).collect();
        let entries = parts.into_iter().map(Entry::Signature).collect();
        prop_assert_eq!(walk(&bytes), Table { entries, malformed: None });
    }

    #[test]
    fn no_bytes_are_trusted(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let db = of_key(test_keys::rsa());
        let verdict = judge(&digests(), Some(&walk(&bytes)), &db, &of_key(test_keys::other_rsa()));
        prop_assert!(!verdict.boots);
    }

    /// Whatever byte changes: what a stranger signed is not trusted, and nothing panics.
    #[test]
    fn no_change_makes_a_stranger_trusted(at in any::<prop::sample::Index>(), to in any::<u8>()) {
        let mut signature = signed(test_keys::other_rsa());
        let at = at.index(signature.len());
        signature[at] = to;
        let (boots, _) = verdict(&[&signature], &of_key(test_keys::rsa()), &Database::default());
        prop_assert!(!boots);
    }

    /// A changed signature is refused, or gives the same statement about the same image by the same signer.
    #[test]
    fn a_changed_statement_is_refused(bit in 0_usize..256) {
        let mut signature = signed(test_keys::rsa());
        let place = signature.windows(32).position(|part| part == DIGEST).unwrap();
        signature[place + bit / 8] ^= 1 << (bit % 8);
        let (boots, by) = verdict(&[&signature], &of_key(test_keys::rsa()), &Database::default());
        prop_assert_eq!((boots, by), (false, vec![Rule::ImageChanged]));
        let mut other = digests();
        other.get_mut(&DigestKind::Sha256).unwrap()[bit / 8] ^= 1 << (bit % 8);
        let judged = judge(&other, Some(&Table::of([&*signature])), &of_key(test_keys::rsa()), &Database::default());
        prop_assert_eq!((judged.boots, rules(&judged)), (false, vec![Rule::SignatureBad]));
    }
}
