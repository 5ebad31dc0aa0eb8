//! How a URI finds module, token and key.

use super::{Hsm, SOFTHSM};

/// Two tokens, each with two keys; in each, `db` is the key of the certificate `db.pem`.
fn with_two_tokens() -> Hsm {
    Hsm::new(
        "key db rsa:2048; key other rsa:2048\n\
         for name in one two; do token $name; import db $name db 0a; import other $name other 0b; done",
    )
}

/// What a token says of itself, from the URI that pkcs11-tool prints.
fn attribute(hsm: &Hsm, token: &str, name: &str) -> String {
    let slots = hsm.done("pkcs11-tool --module $MODULE --list-token-slots");
    let uri = slots
        .lines()
        .find(|line| {
            line.trim_start().starts_with("uri") && line.contains(&format!("token={token}"))
        })
        .unwrap_or_else(|| panic!("no token {token} in {slots}"));
    let start = uri.find(&format!("{name}=")).unwrap() + name.len() + 1;
    uri[start..].split(';').next().unwrap().to_owned()
}

#[test]
fn token_and_key_by_each_of_their_attributes() {
    let hsm = with_two_tokens();
    let expected = hsm.sign("db.key", "db.pem");
    let serial = attribute(&hsm, "two", "serial");
    let model = attribute(&hsm, "two", "model");
    let manufacturer = attribute(&hsm, "two", "manufacturer");
    // SoftHSM2 makes the slot's number from the serial's last eight digits.
    let slot = u32::from_str_radix(&serial[8..], 16).unwrap() & 0x7fff_ffff;
    for path in [
        "token=two;object=db".to_owned(),
        "token=one;id=%0A".to_owned(),
        "token=one;id=%0a;object=db;type=private".to_owned(),
        format!("serial={serial};id=%0A"),
        format!("slot-id={slot};object=db"),
        format!("token=two;model={model};manufacturer={manufacturer};object=db"),
        "token=two;object=db;library-manufacturer=SoftHSM;library-description=Implementation%20of%20PKCS11;library-version=2.6".to_owned(),
        "token=two;object=db;slot-manufacturer=SoftHSM%20project".to_owned(),
    ] {
        assert!(hsm.sign(&hsm.key(&path), "db.pem") == expected, "{path}");
    }
}

#[test]
fn the_module_by_folder_and_name() {
    let hsm = Hsm::with_key("rsa:2048");
    let expected = hsm.sign("db.key", "db.pem");
    let key = hsm.key_of("/usr/lib/softhsm", "token=check;object=db");
    assert!(hsm.sign(&format!("{key}&module-name=softhsm2"), "db.pem") == expected);
    assert!(hsm.sign(&format!("{key}&module-name=libsofthsm2"), "db.pem") == expected);
}

/// Debian tells p11-kit of SoftHSM2: nothing but the token is named.
#[test]
fn the_module_that_the_machine_is_configured_with() {
    let hsm = Hsm::with_key("rsa:2048");
    let expected = hsm.sign("db.key", "db.pem");
    let pin = hsm.work.path("pin");
    let key = format!(
        "pkcs11:token=check;object=db?pin-source=file://{}",
        pin.display()
    );
    assert!(!key.contains(SOFTHSM));
    assert!(hsm.sign(&key, "db.pem") == expected);
}
