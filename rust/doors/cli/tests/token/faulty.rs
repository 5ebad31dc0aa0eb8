//! Tokens that fail as real ones do. SoftHSM2 never does: it counts no wrong PINs, cannot be taken out, and signs right. The module of
//! `checks/faulty-token` stands between, with SoftHSM2's real sessions behind it.

use super::{Hsm, SOFTHSM, signing, without_pin};
use crate::support::assert_same_bytes;

impl Hsm {
    fn faulty_key(&self) -> String {
        let module = self.work.inputs.faulty_token.as_ref().unwrap();
        self.key_of(module.to_str().unwrap(), "token=check;object=db")
    }

    fn fails(&self, fault: &str, key: &str, code: &str, facts: &[&str]) {
        let environment = [
            ("FAULTY_TOKEN_FAULT", fault),
            ("FAULTY_TOKEN_MODULE", SOFTHSM),
        ];
        self.refuses_under(key, "db.pem", code, facts, &environment);
    }

    /// Signs with the faulty token; the answer is what was written, or nothing when it was refused.
    fn try_to_sign(&self, fault: &str, file: &str, key: &str) -> Option<Vec<u8>> {
        let mut command = self.command(super::TOUCHSTONE);
        command
            .env("FAULTY_TOKEN_FAULT", fault)
            .env("FAULTY_TOKEN_MODULE", SOFTHSM)
            .env("FAULTY_TOKEN_FILE", self.work.path(file));
        let output = without_pin(command.args(signing(key, "db.pem")).output().unwrap());
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.success() {
            let signed = self.work.read("signed.efi");
            std::fs::remove_file(self.work.path("signed.efi")).unwrap();
            return Some(signed);
        }
        assert!(said.contains("[key.wrong-signature]"), "{said}");
        assert!(!self.work.path("signed.efi").exists());
        None
    }
}

#[test]
fn a_signature_with_one_wrong_bit_is_not_given_out() {
    for algorithm in ["rsa:2048", "ec -pkeyopt ec_paramgen_curve:P-256"] {
        let hsm = Hsm::with_key(algorithm);
        let facts = ["does not verify", "faulty"];
        hsm.fails(
            "wrong-signature",
            &hsm.faulty_key(),
            "key.wrong-signature",
            &facts,
        );
    }
}

#[test]
fn a_token_that_fails_now_and_then_gives_right_signatures_or_none() {
    let hsm = Hsm::with_key("rsa:2048");
    let expected = hsm.sign("db.key", "db.pem");
    let key = hsm.faulty_key();
    for signs in [false, true, false, true] {
        match hsm.try_to_sign("sometimes-wrong", "count", &key) {
            Some(signed) if signs => assert_same_bytes("signed", &signed, &expected),
            None if !signs => (),
            _ => panic!("every second signature is wrong, and no other"),
        }
    }
}

#[test]
fn a_token_that_is_locked() {
    let hsm = Hsm::with_key("rsa:2048");
    for fault in ["pin-locked", "says-locked"] {
        let facts = ["the token is locked", "security officer"];
        hsm.fails(fault, &hsm.faulty_key(), "key.locked", &facts);
    }
}

/// Shown by a PIN that is wrong: as long as it is not tried, the token does not say so.
#[test]
fn the_last_try_of_a_pin_is_made_on_request_alone() {
    let hsm = Hsm::with_key("rsa:2048");
    hsm.work.write("pin", "161803");
    let key = hsm.faulty_key();
    let facts = ["none was tried", "x-touchstone-last-try=yes"];
    hsm.fails("says-last-try", &key, "key.wrong-secret", &facts);
    let asked = format!("{key}&x-touchstone-last-try=yes");
    hsm.fails(
        "says-last-try",
        &asked,
        "key.wrong-secret",
        &["the PIN is wrong"],
    );
    hsm.work.write("pin", super::PIN);
    assert!(hsm.try_to_sign("says-last-try", "unused", &asked).is_some());
}

#[test]
fn a_token_that_is_taken_out() {
    let hsm = Hsm::with_key("rsa:2048");
    for fault in ["removed", "removed-at-login"] {
        hsm.fails(fault, &hsm.faulty_key(), "key.unreachable", &["removed"]);
    }
}

#[test]
fn a_pin_that_is_typed_on_the_reader_stands_in_no_file() {
    let hsm = Hsm::with_key("rsa:2048");
    let expected = hsm.sign("db.key", "db.pem");
    let key = hsm.faulty_key();
    let without = key.split("&pin-source").next().unwrap();
    hsm.work.write("typed", super::PIN);
    let signed = hsm.try_to_sign("keys-on-reader", "typed", without).unwrap();
    assert_same_bytes("signed", &signed, &expected);
}

/// Else a test with a misspelt fault would pass for the wrong reason.
#[test]
fn without_a_known_fault_there_is_no_module() {
    let hsm = Hsm::with_key("rsa:2048");
    hsm.fails(
        "no-such-fault",
        &hsm.faulty_key(),
        "key.failed",
        &["C_GetFunctionList"],
    );
}
