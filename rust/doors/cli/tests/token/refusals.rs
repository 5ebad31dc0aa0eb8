//! What cannot be signed with a token: one error each, exit status 1, nothing written, no PIN shown.

use super::{Hsm, PIN, SOFTHSM, signing, without_pin};
use crate::refusals::{Refusal, assert_one_error, names};

impl Hsm {
    /// Signing with this key is refused with this code and these words, and writes nothing.
    pub(super) fn refuses(&self, key: &str, certificate: &str, code: &str, facts: &[&str]) {
        self.refuses_under(key, certificate, code, facts, &[]);
    }

    /// The same, with these variables in the environment.
    pub(super) fn refuses_under(
        &self,
        key: &str,
        certificate: &str,
        code: &str,
        facts: &[&str],
        environment: &[(&str, &str)],
    ) {
        let before = names(&self.work);
        let mut command = self.command(super::TOUCHSTONE);
        command.envs(environment.iter().copied());
        let output = without_pin(command.args(signing(key, certificate)).output().unwrap());
        assert_one_error(&output, &Refusal::new(code, "", facts));
        assert_eq!(names(&self.work), before, "{key}: files appeared or went");
    }
}

fn uri(path: &str, pin: &str) -> String {
    format!("pkcs11:{path}?module-path={SOFTHSM}{pin}")
}

#[test]
fn a_pin_that_is_wrong_or_missing() {
    let hsm = Hsm::with_key("rsa:2048");
    let refuses = |pin: &str, code, facts: &[&str]| {
        let file = hsm.work.path("other-pin");
        hsm.refuses(
            &uri(
                "token=check;object=db",
                &pin.replace('@', file.to_str().unwrap()),
            ),
            "db.pem",
            code,
            facts,
        );
    };
    hsm.work.write("other-pin", "161803\n");
    refuses("&pin-source=@", "key.wrong-secret", &["the PIN is wrong"]);
    // Shorter than SoftHSM2 takes them.
    hsm.work.write("other-pin", "1\n");
    refuses("&pin-source=@", "key.wrong-secret", &["the PIN is wrong"]);
    hsm.work.write("other-pin", "");
    refuses(
        "&pin-source=@",
        "key.secret-needed",
        &["first line", "is empty"],
    );
    hsm.work.write("other-pin", [b'1'; 5000]);
    refuses(
        "&pin-source=@",
        "key.secret-needed",
        &["longer than any PIN"],
    );
    refuses(
        "&pin-source=@-not",
        "key.secret-needed",
        &["other-pin-not", "No such file"],
    );
    refuses("", "key.secret-needed", &["wants a PIN", "pin-source"]);
}

#[test]
fn a_pin_in_the_uri_or_in_the_store_or_asked_of_a_program() {
    let hsm = Hsm::with_key("rsa:2048");
    let path = "token=check;object=db";
    for key in [
        uri(path, &format!("&pin-value={PIN}")),
        format!("pkcs11:{path};pin-value={PIN}?module-path={SOFTHSM}"),
        format!("pkcs11:{path}&pin-value={PIN}"),
    ] {
        hsm.refuses(
            &key,
            "db.pem",
            "key.name",
            &["a PIN in a URI", "pin-source"],
        );
    }
    let in_store = uri(
        path,
        "&pin-source=/nix/store/00000000000000000000000000000000-pin",
    );
    hsm.refuses(
        &in_store,
        "db.pem",
        "key.refused",
        &["PIN lies in the Nix store"],
    );
    let program = uri(path, "&pin-source=|/bin/ask");
    hsm.refuses(&program, "db.pem", "key.name", &["none is run"]);
}

#[test]
fn a_passphrase_for_a_token() {
    let hsm = Hsm::with_key("rsa:2048");
    let key = uri("token=check", &format!("&pin-value={PIN}"));
    let words = [&signing(&key, "db.pem")[..], &["--passphrase-file", "pin"]].concat();
    let facts = ["passphrase opens key files only", "pin-source"];
    assert_one_error(
        &hsm.touchstone(&words),
        &Refusal::new("key.refused", "pkcs11:token=check", &facts),
    );
    assert!(!hsm.work.path("signed.efi").exists());
}

#[test]
fn a_token_that_is_not_there() {
    let hsm = Hsm::with_key("rsa:2048");
    for path in [
        "token=chock;object=db",
        "token=check;serial=1",
        "slot-id=77",
        "token=check;model=x",
    ] {
        let facts = ["no token matches", "token=check"];
        hsm.refuses(&hsm.key(path), "db.pem", "key.missing", &facts);
    }
    let library = hsm.key("library-manufacturer=Other;object=db");
    hsm.refuses(
        &library,
        "db.pem",
        "key.missing",
        &["another one", "SoftHSM"],
    );
}

#[test]
fn two_tokens_that_match() {
    let hsm = Hsm::new("token one; token two; key db rsa:2048; import db one db 01");
    let facts = ["2 tokens match", "token=one", "token=two"];
    hsm.refuses(&hsm.key("object=db"), "db.pem", "key.ambiguous", &facts);
}

#[test]
fn a_key_that_is_not_there_or_is_not_the_only_one() {
    let hsm = Hsm::new(
        "token check; key db rsa:2048; key other rsa:2048\n\
         import db check db 01; import other check db 02; import other check other 03\n\
         openssl x509 -in db.pem -outform der -out db.der\n\
         tool check --write-object db.der --type cert --label only-a-certificate --id 07",
    );
    let missing = hsm.key("token=check;object=dob");
    hsm.refuses(
        &missing,
        "db.pem",
        "key.missing",
        &["no object of the token"],
    );
    let facts = ["2 private keys", "object=db;id=%01", "object=db;id=%02"];
    hsm.refuses(
        &hsm.key("token=check;object=db"),
        "db.pem",
        "key.ambiguous",
        &facts,
    );
    hsm.refuses(
        &hsm.key("token=check"),
        "db.pem",
        "key.ambiguous",
        &["3 private keys"],
    );
    let certificate = hsm.key("token=check;object=only-a-certificate");
    hsm.refuses(&certificate, "db.pem", "key.not-a-key", &["no private key"]);
    let typed = hsm.key("token=check;object=db;type=cert");
    hsm.refuses(&typed, "db.pem", "key.name", &["`type`", "private"]);
}

#[test]
fn a_token_without_keys() {
    let hsm = Hsm::new("token check; key db rsa:2048");
    let facts = ["no object of the token", "no private key"];
    hsm.refuses(&hsm.key("token=check"), "db.pem", "key.missing", &facts);
}

#[test]
fn a_certificate_of_another_key_or_of_another_time() {
    let hsm = Hsm::with_key("rsa:2048");
    hsm.done(
        "key other rsa:2048; key ca rsa:2048; key curve ec -pkeyopt ec_paramgen_curve:P-256\n\
         certify check db old -not_before 20200101000000Z -not_after 20200201000000Z",
    );
    let key = hsm.key("token=check;object=db");
    for other in ["other.pem", "curve.pem"] {
        hsm.refuses(&key, other, "key.mismatch", &["does not belong"]);
    }
    hsm.refuses(&key, "old.pem", "key.expired", &["CN=db", "not now"]);
    hsm.sign_with(&key, "old.pem", &["--allow-expired"]);
}

#[test]
fn keys_that_firmware_does_not_verify() {
    let hsm = Hsm::new(
        "token check; key db rsa:2048; key short rsa:1024; import short check short 01\n\
         tool check --keypairgen --key-type EC:secp521r1 --label p521 --usage-sign\n\
         tool check --keypairgen --key-type EC:secp256k1 --label k256 --usage-sign\n\
         tool check --keypairgen --key-type EC:edwards25519 --label ed25519 --usage-sign",
    );
    let refuses = |label: &str, facts: &[&str]| {
        let key = hsm.key(&format!("token=check;object={label}"));
        hsm.refuses(&key, "db.pem", "key.unsupported", facts);
    };
    refuses("short", &["1024 bits"]);
    refuses("p521", &["another curve"]);
    refuses("k256", &["another curve"]);
    refuses("ed25519", &["cannot sign boot files"]);
}

/// SoftHSM2 signs with ECDSA in one step only, and this key wants its PIN between two.
#[test]
fn a_key_that_wants_its_pin_where_the_token_does_not_take_it() {
    let hsm = Hsm::new(
        "token check; key ca rsa:2048\n\
         tool check --keypairgen --key-type EC:prime256v1 --label db --usage-sign --always-auth\n\
         certify check db db",
    );
    let key = hsm.key("token=check;object=db");
    hsm.refuses(
        &key,
        "db.pem",
        "key.unsupported",
        &["PIN for each", "in steps"],
    );
}

#[test]
fn a_module_that_cannot_be_loaded() {
    let hsm = Hsm::with_key("rsa:2048");
    let refuses = |module: &str, facts: &[&str]| {
        let key = hsm.key_of(module, "token=check;object=db");
        hsm.refuses(&key, "db.pem", "key.unreachable", facts);
    };
    refuses(
        "/nowhere/module.so",
        &["/nowhere/module.so", "cannot be loaded"],
    );
    refuses(
        "/usr/lib/x86_64-linux-gnu/libm.so.6",
        &["no function C_GetFunctionList"],
    );
    refuses("/etc/passwd", &["/etc/passwd", "cannot be loaded"]);
    refuses(
        "/usr/lib/softhsm&module-name=other",
        &["libother.so", "other.so"],
    );
}
