//! Which signatures count as made by their signer, of this image.

use super::*;
use crate::Hash;

#[test]
fn a_signature_is_of_no_image_whose_digest_by_its_hash_is_not_known() {
    let image = ImageDigest::new(Hash::Sha384, &digests()[&DigestKind::Sha384]).unwrap();
    for key in [test_keys::rsa(), &test_keys::p256()] {
        let pkcs7 = authenticode::signature(&image, &signer(key)).unwrap();
        let (trusted, nothing) = (of_key(key), Database::default());
        let by = (true, vec![Rule::SignatureTrusted]);
        assert_eq!(verdict(&[&pkcs7], &trusted, &nothing), by);
        for unknown in [None, Some(vec![]), Some(vec![0x38; 47])] {
            let mut digests = digests();
            digests.remove(&DigestKind::Sha384);
            digests.extend(unknown.map(|digest| (DigestKind::Sha384, digest)));
            let table = Table::of([&*pkcs7]);
            let judged = judge(&digests, Some(&table), &trusted, &nothing);
            assert_eq!(
                (judged.boots, rules(&judged)),
                (false, vec![Rule::HashUnknown])
            );
        }
    }
}
