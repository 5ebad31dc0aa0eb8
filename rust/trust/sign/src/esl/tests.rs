use proptest::prelude::*;

use super::*;
use crate::test_keys::{certificate, other_rsa, rsa};

const OWNER: Uuid = uuid!("11223344-5566-7788-99aa-bbccddeeff00");
const OWNER_BYTES: [u8; 16] = [
    0x44, 0x33, 0x22, 0x11, 0x66, 0x55, 0x88, 0x77, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff, 0,
];

#[test]
fn a_certificate_has_a_list_of_its_own() {
    let [a, b] = [certificate(rsa()), certificate(other_rsa())];
    let bytes = of_certificates(OWNER, &[a.clone(), b.clone()]).unwrap();
    let der = a.to_der().unwrap();
    let length = u32::try_from(der.len()).unwrap();
    let x509 = [
        0xa1, 0x59, 0xc0, 0xa5, 0xe4, 0x94, 0xa7, 0x4a, 0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0,
        0x72,
    ];
    let sizes = [28 + 16 + length, 0, 16 + length]
        .map(u32::to_le_bytes)
        .concat();
    assert!(bytes.starts_with(&[&x509, &*sizes, &OWNER_BYTES, &der].concat()));

    let lists = parse(&bytes).unwrap();
    let entries: Vec<_> = lists
        .iter()
        .map(|list| (list.kind, &list.signatures[0].data, list.signatures.len()))
        .collect();
    assert_eq!(entries, [(X509, &der, 1), (X509, &b.to_der().unwrap(), 1)]);
}

#[test]
fn digests_share_one_list() {
    let bytes = of_sha256(OWNER, &[[1; 32], [2; 32]]).unwrap();
    assert_eq!(bytes.len(), 28 + 2 * 48);
    let lists = parse(&bytes).unwrap();
    assert_eq!(
        (lists.len(), lists[0].kind, lists[0].signatures.len()),
        (1, SHA256, 2)
    );
    assert_eq!(
        lists[0].signatures[1],
        Signature {
            owner: OWNER,
            data: vec![2; 32]
        }
    );
}

#[test]
fn nothing_gives_no_list() {
    assert_eq!(of_sha256(OWNER, &[]).unwrap(), b"");
    assert_eq!(of_certificates(OWNER, &[]).unwrap(), b"");
    assert_eq!(parse(b""), Ok(Vec::new()));
}

#[test]
fn refuses_entries_of_unequal_length() {
    let signatures = [1, 2]
        .map(|length| Signature {
            owner: OWNER,
            data: vec![0; length],
        })
        .to_vec();
    let list = SignatureList {
        kind: SHA256,
        header: Vec::new(),
        signatures,
    };
    assert!(matches!(
        list.to_bytes(),
        Err(EslWriteError::UnequalLengths)
    ));
}

#[test]
fn refuses_a_list_that_goes_past_the_end() {
    let two = [
        of_sha256(OWNER, &[[1; 32]]).unwrap(),
        of_sha256(OWNER, &[[2; 32]]).unwrap(),
    ]
    .concat();
    assert_eq!(
        parse(&two[..two.len() - 1]),
        Err(EslError::Truncated { offset: 76 })
    );
    assert_eq!(parse(&two[..10]), Err(EslError::Truncated { offset: 0 }));
}

#[test]
fn refuses_sizes_that_contradict_one_another() {
    // Offsets 16, 20 and 24: the sizes of list, header and entry.
    for (at, size) in [
        (16, 0_u32),
        (16, 27),
        (16, 77),
        (20, 49),
        (20, 1),
        (24, 0),
        (24, 15),
        (24, 47),
        (20, u32::MAX),
    ] {
        let mut bytes = [of_sha256(OWNER, &[[1; 32]]).unwrap(), vec![0; 8]].concat();
        bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
        assert_eq!(
            parse(&bytes),
            Err(EslError::Sizes { offset: 0 }),
            "{size} at {at}"
        );
    }
}

#[test]
fn a_revoked_certificate_is_a_digest_and_a_time() {
    let from: EfiTime = "2026-01-31T12:34:56Z".parse().unwrap();
    let list = SignatureList::of_revoked(OWNER, &[([1; 32], None), ([2; 32], Some(from))]).unwrap();
    let bytes = list.to_bytes().unwrap();
    assert_eq!(bytes[..4], [0x92, 0xa4, 0xd2, 0x3b]);
    assert_eq!(bytes.len(), 28 + 2 * (16 + 32 + 16));
    assert_eq!(
        bytes[28 + 16..28 + 64],
        [[1; 32].as_slice(), &[0; 16]].concat()
    );
    assert_eq!(bytes[28 + 64 + 48..], from.to_bytes());
    assert_eq!(SignatureList::of_revoked(OWNER, &[]), None);
}

#[test]
fn an_entry_that_stood_before_is_left_out_whoever_owns_it() {
    let list = |owner, digests: &[[u8; 32]]| SignatureList::of_sha256(owner, digests).unwrap();
    let certificate = SignatureList::of_certificate(OWNER, &certificate(rsa())).unwrap();
    let lists = vec![
        list(OWNER, &[[1; 32], [2; 32], [1; 32]]),
        certificate.clone(),
        list(X509, &[[2; 32], [3; 32]]),
        list(OWNER, &[[3; 32]]),
        certificate.clone(),
    ];
    let kept = [
        list(OWNER, &[[1; 32], [2; 32]]),
        certificate,
        list(X509, &[[3; 32]]),
    ];
    assert_eq!(without_duplicates(lists), kept);
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn what_is_written_is_read_again(
        kind in any::<u128>(),
        header in prop::collection::vec(any::<u8>(), 0..8),
        data in prop::collection::vec(any::<[u8; 40]>(), 1..5),
        length in 0_usize..40,
    ) {
        let entry = |data: [u8; 40]| Signature { owner: OWNER, data: data[..length].to_vec() };
        let signatures = data.into_iter().map(entry).collect();
        let list = SignatureList { kind: Uuid::from_u128(kind), header, signatures };
        let bytes = list.to_bytes().unwrap();
        prop_assert_eq!(parse(&[&*bytes, &bytes].concat()), Ok(vec![list.clone(), list]));
    }
}
