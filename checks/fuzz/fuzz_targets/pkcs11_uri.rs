//! RFC 7512 URIs: any text is read or refused; what was read is written as a URI that reads as the same, and no text that gives a PIN is read.
//!
//! Seeds: `rfc` has the attributes of RFC 7512 section 3, `every` each attribute that is known, `module` a folder and a name, `empty` none;
//! `pin-value`, `program`, `type`, `twice`, `unknown` and `raw` are refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_token::Uri;

fuzz_target!(|text: &str| {
    let Ok(uri) = text.parse::<Uri>() else {
        return;
    };
    assert!(!text.contains("pin-value="), "it gives a PIN: {text}");
    let written = uri.to_string();
    assert_eq!(written.parse(), Ok(uri.clone()), "{written}");
    let name: Uri = uri.name().parse().expect("a name is a URI");
    assert_eq!((name.token, name.object), (uri.token, uri.object));
    assert_eq!(name.pin_source, None);
});
