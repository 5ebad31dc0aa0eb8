use proptest::prelude::*;
use touchstone_esp::loader_conf::{LoaderConf, SettingError, check, known_since};

const TEXT: &str =
    "# written by hand\ntimeout 3\ndefault nixos-*\n\nfuture-key  some value\ntimeout\t5\n";

#[test]
fn what_nobody_changes_stays_as_it_is() {
    let mut conf = LoaderConf::read(TEXT);
    assert_eq!(conf.to_string(), TEXT);
    conf.set("timeout", "menu-force").unwrap();
    assert_eq!(
        conf.to_string(),
        "# written by hand\ndefault nixos-*\n\nfuture-key  some value\ntimeout menu-force\n"
    );
    conf.unset("default");
    conf.set("editor", "no").unwrap();
    assert_eq!(
        conf.to_string(),
        "# written by hand\n\nfuture-key  some value\ntimeout menu-force\neditor no\n"
    );
}

#[test]
fn the_last_of_two_lines_counts() {
    assert_eq!(LoaderConf::read(TEXT).value("timeout"), Some("5"));
    assert_eq!(LoaderConf::read(TEXT).value("console-mode"), None);
}

#[test]
fn a_carriage_return_ends_a_line() {
    let conf = LoaderConf::read("timeout 3\r\neditor no\rdefault a\r");
    assert_eq!(conf.to_string(), "timeout 3\neditor no\ndefault a\n");
    assert_eq!(conf.value("editor"), Some("no"));
}

#[test]
fn quotes_around_a_value_are_dropped() {
    assert_eq!(
        LoaderConf::read("default \"a b\"").value("default"),
        Some("a b")
    );
}

#[test]
fn a_setting_that_systemd_boot_would_skip_is_refused() {
    for (key, value) in [
        ("timeout", "soon"),
        ("timeout", "-1"),
        ("timeout", "4294967295"),
        ("editor", "maybe"),
        ("default", "@last"),
        ("default", ""),
        ("default", "a\neditor yes"),
        ("default", " a"),
        ("console-mode", "81x25"),
        ("secure-boot-enroll", "yes"),
        ("log-level", "loud"),
    ] {
        let refused = check(key, value).unwrap_err();
        assert!(
            matches!(refused, SettingError::Value { .. }),
            "{key} {value}"
        );
    }
    assert_eq!(
        check("time-out", "5"),
        Err(SettingError::Key("time-out".to_owned()))
    );
}

#[test]
fn every_setting_of_the_manual_is_taken() {
    for (key, value) in [
        ("timeout", "0"),
        ("timeout", "menu-hidden"),
        ("timeout", "menu-disabled"),
        ("default", "nixos-*"),
        ("default", "@saved"),
        ("preferred", "nixos-12-*"),
        ("editor", "no"),
        ("auto-entries", "1"),
        ("auto-firmware", "off"),
        ("auto-poweroff", "true"),
        ("auto-reboot", "f"),
        ("beep", "y"),
        ("reboot-for-bitlocker", "on"),
        ("reboot-on-error", "auto"),
        ("reboot-on-error", "no"),
        ("secure-boot-enroll", "if-safe"),
        ("secure-boot-enroll-action", "shutdown"),
        ("secure-boot-enroll-timeout-sec", "hidden"),
        ("console-mode", "keep"),
        ("console-mode", "2"),
        ("log-level", "debug"),
        ("random-seed-mode", "off"),
    ] {
        assert_eq!(check(key, value), Ok(()), "{key} {value}");
    }
}

#[test]
fn preferred_is_younger_than_default() {
    assert_eq!(known_since("default"), Some(252));
    assert_eq!(known_since("preferred"), Some(260));
    assert_eq!(known_since("prefered"), None);
}

proptest! {
    #[test]
    fn any_text_is_read_and_written(text in "([a-z#-]{0,8}[ \t\"']{0,3}\\PC{0,8}\n){0,8}") {
        let mut conf = LoaderConf::read(&text);
        prop_assert_eq!(LoaderConf::read(&conf.to_string()), conf.clone());
        conf.set("default", "nixos-*").unwrap();
        prop_assert_eq!(conf.value("default"), Some("nixos-*"));
        conf.unset("default");
        prop_assert_eq!(conf.value("default"), None);
    }

    #[test]
    fn what_is_set_is_read(value in "\\PC{0,12}") {
        let mut conf = LoaderConf::default();
        if conf.set("default", &value).is_ok() {
            let read = LoaderConf::read(&conf.to_string());
            prop_assert_eq!(read.value("default"), Some(value.as_str()));
        }
    }
}
