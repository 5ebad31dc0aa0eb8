use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use proptest::option;
use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Uri {
    text.parse().unwrap()
}

fn refused(text: &str) -> UriError {
    text.parse::<Uri>().unwrap_err()
}

#[test]
fn reads_every_attribute_of_rfc_7512() {
    let uri = read(
        "pkcs11:library-manufacturer=Snake%20Oil,%20Inc.;library-description=Soft%20Token;library-version=1.20;slot-id=327;\
         slot-description=Sun%20Metaslot;slot-manufacturer=Oracle;token=The%20Software%20PKCS%2311%20Softtoken;\
         manufacturer=Me;serial=4711;model=v2;object=my-signing-key;type=private;id=%69%95%3E%5C%F4\
         ?pin-source=file:/etc/token_pin&module-path=/usr/lib/softhsm&module-name=softhsm2&x-touchstone-last-try=yes",
    );
    assert_eq!(
        uri,
        Uri {
            library: Library {
                manufacturer: Some("Snake Oil, Inc.".to_owned()),
                description: Some("Soft Token".to_owned()),
                version: Some((1, 20)),
            },
            slot: Slot {
                id: Some(327),
                description: Some("Sun Metaslot".to_owned()),
                manufacturer: Some("Oracle".to_owned()),
            },
            token: Token {
                label: Some("The Software PKCS#11 Softtoken".to_owned()),
                manufacturer: Some("Me".to_owned()),
                serial: Some("4711".to_owned()),
                model: Some("v2".to_owned()),
            },
            object: Object {
                label: Some("my-signing-key".to_owned()),
                id: Some(b"i\x95>\\\xf4".to_vec()),
            },
            module: Module::InFolder {
                folder: "/usr/lib/softhsm".into(),
                name: "softhsm2".to_owned(),
            },
            pin_source: Some("/etc/token_pin".into()),
            last_try: true,
        }
    );
}

#[test]
fn reads_the_shortest_uri_as_one_that_any_key_matches() {
    assert_eq!(read("pkcs11:"), Uri::default());
    assert_eq!(read("pkcs11:?"), Uri::default());
    assert_eq!(read("pkcs11:type=private"), Uri::default());
}

#[test]
fn reads_the_pin_file_as_a_path_or_as_a_uri_of_this_machine() {
    let file = |source: &str| read(&format!("pkcs11:?pin-source={source}")).pin_source;
    for source in [
        "/a%20b",
        "file:/a%2520b",
        "file:///a%2520b",
        "file://localhost/a%2520b",
    ] {
        assert_eq!(file(source).as_deref(), Some(Path::new("/a b")), "{source}");
    }
    for source in [
        "pin",
        "file:pin",
        "file://elsewhere/pin",
        "https:%2F%2Fpin",
        "",
    ] {
        let error = refused(&format!("pkcs11:?pin-source={source}"));
        assert_eq!(
            error,
            UriError::NotAbsolute("pin-source".to_owned()),
            "{source}"
        );
    }
}

#[test]
fn runs_no_program_for_a_pin() {
    for source in ["|/bin/pinentry", "%7C/bin/pinentry"] {
        assert_eq!(
            refused(&format!("pkcs11:?pin-source={source}")),
            UriError::PinCommand
        );
    }
}

#[test]
fn takes_no_pin_and_never_shows_one() {
    for text in [
        "pkcs11:token=a?pin-value=271828",
        "pkcs11:token=a;pin-value=271828",
        "pkcs11:token=a&pin-value=271828",
        "pkcs11:tok en=a;pin-value=271828?pin-value=271828",
        "pkcs11:?pin-source=/a&pin-value=271828",
        "pkcs11:?pin-valeu=271828",
        "pkcs11:pin=271828",
        "pkcs11:?271828",
        "pkcs11:271828",
        "pkcs11:?pin-value%3D271828",
        "pkcs11:?pin-source=271828",
        "pkcs11:slot-id=x271828",
        "pkcs11:type=271828",
        "pkcs11:?module-name=271828",
    ] {
        let error = refused(text);
        assert!(
            !format!("{error} {error:?}").contains("271828"),
            "{text}: {error}"
        );
    }
    assert_eq!(refused("pkcs11:?pin-value=1"), UriError::PinValue);
    assert_eq!(refused("pkcs11:pin-value=1"), UriError::PinValue);
    assert_eq!(refused("pkcs11:token=a&pin-value=1"), UriError::PinValue);
    let label = read("pkcs11:token=pin-value%3D1");
    assert_eq!(label.to_string(), "pkcs11:token=pin-value%3D1");
}

#[test]
fn refuses_what_could_name_another_key_than_the_one_that_was_meant() {
    let unknown = |part, name: &str| UriError::Unknown {
        part,
        name: name.to_owned(),
    };
    assert_eq!(refused("pkcs11:x-vendor=1"), unknown("path", "x-vendor"));
    assert_eq!(refused("pkcs11:Token=a"), unknown("path", "Token"));
    assert_eq!(
        refused("pkcs11:pin-source=/a"),
        unknown("path", "pin-source")
    );
    assert_eq!(refused("pkcs11:?token=a"), unknown("query", "token"));
    assert_eq!(
        refused("pkcs11:token=a;token=a"),
        UriError::Twice("token".to_owned())
    );
    assert_eq!(
        refused("pkcs11:?pin-source=/a&pin-source=/b"),
        UriError::Twice("pin-source".to_owned())
    );
    for class in ["cert", "public", "secret-key", "data", "Private", ""] {
        assert_eq!(
            refused(&format!("pkcs11:type={class}")),
            UriError::NotPrivate
        );
    }
}

#[test]
fn says_how_a_character_is_written() {
    for (text, character, encoded) in [
        ("pkcs11:token=a b", ' ', "%20"),
        ("pkcs11:object=a/b", '/', "%2F"),
        ("pkcs11:object=ä", 'ä', "%C3%A4"),
        ("pkcs11:object=a#b", '#', "%23"),
        ("pkcs11:?module-path=/a;b", ';', "%3B"),
    ] {
        assert!(matches!(
            refused(text),
            UriError::Character { character: c, encoded: e, .. } if c == character && e == encoded
        ));
    }
}

#[test]
fn refuses_damaged_values() {
    for text in [
        "pkcs11:token=%",
        "pkcs11:token=%2",
        "pkcs11:token=%zz",
        "pkcs11:token=%+1",
    ] {
        assert_eq!(
            refused(text),
            UriError::Percent("token".to_owned()),
            "{text}"
        );
    }
    assert_eq!(
        refused("pkcs11:token=%FF"),
        UriError::NotText("token".to_owned())
    );
    for number in ["", "+1", "-1", "1x", "99999999999999999999"] {
        assert_eq!(
            refused(&format!("pkcs11:slot-id={number}")),
            UriError::Number("slot-id".to_owned())
        );
    }
    for version in ["", ".", "1.", "1.2.3", "256", "1.+2"] {
        assert_eq!(
            refused(&format!("pkcs11:library-version={version}")),
            UriError::Number("library-version".to_owned())
        );
    }
    assert_eq!(
        read("pkcs11:library-version=2").library.version,
        Some((2, 0))
    );
    for text in [
        "pkcs11:;",
        "pkcs11:token",
        "pkcs11:=a",
        "pkcs11:a b=c",
        "pkcs11:?&",
    ] {
        assert!(
            matches!(refused(text), UriError::NotAnAttribute { place: 1, .. }),
            "{text}"
        );
    }
    assert_eq!(refused("PKCS11:token=a"), UriError::Scheme);
}

#[test]
fn takes_a_module_by_its_absolute_path_or_by_folder_and_name() {
    let file = read("pkcs11:?module-path=/usr/lib/x.so").module;
    assert_eq!(file, Module::File("/usr/lib/x.so".into()));
    assert_eq!(refused("pkcs11:?module-name=x"), UriError::NameWithoutPath);
    assert_eq!(
        refused("pkcs11:?module-path=x.so"),
        UriError::NotAbsolute("module-path".to_owned())
    );
    for name in ["", "a/b", "..%2Fx"] {
        let text = format!("pkcs11:?module-path=/usr/lib&module-name={name}");
        assert_eq!(refused(&text), UriError::ModuleName);
    }
}

fn text() -> impl Strategy<Value = Option<String>> {
    option::of(any::<String>())
}

fn path() -> impl Strategy<Value = PathBuf> {
    any::<Vec<u8>>().prop_map(|mut bytes| {
        bytes.insert(0, b'/');
        PathBuf::from(std::ffi::OsString::from_vec(bytes))
    })
}

fn module() -> impl Strategy<Value = Module> {
    prop_oneof![
        Just(Module::System),
        path().prop_map(Module::File),
        (path(), "[^/]+").prop_map(|(folder, name)| Module::InFolder { folder, name }),
    ]
}

prop_compose! {
    fn uris()(
        library in (text(), text(), option::of(any::<(u8, u8)>())),
        slot in (option::of(any::<u64>()), text(), text()),
        token in (text(), text(), text(), text()),
        object in (text(), option::of(any::<Vec<u8>>())),
        module in module(),
        pin_source in option::of(path()),
        last_try in any::<bool>(),
    ) -> Uri {
        let (manufacturer, description, version) = library;
        let library = Library { manufacturer, description, version };
        let (id, description, manufacturer) = slot;
        let slot = Slot { id, description, manufacturer };
        let (label, manufacturer, serial, model) = token;
        let token = Token { label, manufacturer, serial, model };
        let (label, id) = object;
        let object = Object { label, id };
        Uri { library, slot, token, object, module, pin_source, last_try }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(uri in uris()) {
        prop_assert_eq!(read(&uri.to_string()), uri.clone());
        let name = read(&uri.name());
        prop_assert_eq!(name, Uri { module: Module::System, pin_source: None, last_try: false, ..uri });
    }

    #[test]
    fn any_text_is_read_or_refused(text in "pkcs11:([a-z-]{0,9}[=;&?%|]|\\PC{0,3}){0,12}") {
        if let Ok(uri) = text.parse::<Uri>() {
            prop_assert_eq!(read(&uri.to_string()), uri);
        }
    }
}
