//! loader.conf: any text is read, and written as it was read; a setting that is taken is the one that counts, and leaves all other lines as they are; a pattern in
//! it is matched in bounded time.
//!
//! Seeds: `usual` is a file as installers write it, `every` has all keys, `twice` one key twice, `unknown` keys and comments that nobody knows, `carriage-return` other ends of lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use touchstone_esp::loader_conf::{LoaderConf, check};
use touchstone_esp::order;

fuzz_target!(|text: &str| {
    let read = LoaderConf::read(text);
    let written = read.to_string();
    assert_eq!(LoaderConf::read(&written), read);
    for (key, value) in read.settings() {
        let _ = order::matches(value, key);
        let mut changed = read.clone();
        if check(key, value).is_ok() {
            changed.set(key, value).expect("it was taken");
            assert_eq!(changed.value(key), Some(value));
        }
        let others = |conf: &LoaderConf| -> Vec<String> {
            let others = conf.settings().filter(|(other, _)| *other != key);
            others.map(|(key, value)| format!("{key} {value}")).collect()
        };
        assert_eq!(others(&changed), others(&read));
        changed.unset(key);
        assert_eq!(changed.value(key), None);
        assert_eq!(others(&changed), others(&read));
    }
});
