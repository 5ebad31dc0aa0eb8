//! Signed updates of Secure Boot's variables: any bytes are read or refused; a signature is good for
//! one variable and one kind of write at most, and for nothing once time or lists are others.
//!
//! Seeds: `replace`, `append` and `remove` from sign-efi-sig-list, with P-256 keys that touchstone
//! made; `attributes` and `content-info` around signatures that `openssl smime` made, with signed
//! attributes and without.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_sign::auth::{SignedUpdate, Variable};
use touchstone_sign::esl;

fuzz_target!(|bytes: &[u8]| {
    let Ok(update) = SignedUpdate::parse(bytes) else {
        return;
    };
    assert_eq!(&bytes[..16], update.time.to_bytes());
    assert!(bytes.ends_with(&update.lists));
    let _ = esl::parse(&update.lists);
    let Ok(Some(found)) = update.variable() else {
        return;
    };
    update.signer().expect("a good signature has a signer");
    for variable in Variable::ALL {
        for append in [false, true] {
            let good = update.verify(variable, append).is_ok();
            assert_eq!(good, (variable, append) == found);
        }
    }
    let mut other = update.clone();
    other.lists.push(0);
    assert_eq!(other.variable(), Ok(None));
});
