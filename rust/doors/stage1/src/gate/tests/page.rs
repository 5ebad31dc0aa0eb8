//! `docs/stage1.md` says what passes, and what is said of the rest.

use super::*;

const PAGE: &str = include_str!("../../../../../../docs/stage1.md");

/// What stands between these two headings.
fn section(from: &str, to: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(from).unwrap();
    rest.split_once(to).unwrap().0
}

/// The texts between back quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn the_page_names_exactly_the_credentials_that_pass() {
    let list = section("all others are refused:\n", "- those that `credential`");
    let (mut named, mut pass) = (quoted(list), credentials::HARMLESS.to_vec());
    named.sort_unstable();
    pass.sort_unstable();
    assert_eq!(named, pass);
}

#[test]
fn the_page_names_what_the_stub_may_bring() {
    let list = section("is whatever in `/.extra` is not known: ", " are. The EFI");
    let folders = ["credentials", "global_credentials"];
    let mut pass = extra::HARMLESS.to_vec();
    pass.retain(|name| !folders.contains(name));
    let mut named = quoted(list);
    named.sort_unstable();
    assert_eq!(named, pass);
}

#[test]
fn words_that_the_page_calls_harmless_are() {
    let table = section("| word | form |", "Everything else is refused");
    let alone = quoted(table.lines().find(|line| line.contains("alone")).unwrap());
    assert_eq!(alone.len(), 5);
    for word in alone {
        assert!(Boot::with_words(word).is_ok(), "{word}");
    }
    let kinds = quoted(
        table
            .lines()
            .find(|line| line.contains("console="))
            .unwrap(),
    );
    for kind in kinds[1..].iter().take_while(|kind| **kind != "115200n8") {
        let word = format!("console={kind}0,115200n8");
        assert!(Boot::with_words(&word).is_ok(), "{word}");
        let word = format!("console={kind}1234");
        assert!(Boot::with_words(&word).is_err(), "{word}");
    }
}

#[test]
fn the_page_lists_what_is_said() {
    let list = section("| what is said | what to do |", "## What is not covered");
    let said = |words: &str| Boot::with_words(words).unwrap_err().to_string();
    for (words, sentence) in [
        ("init=/x", "the command line has more than one init="),
        ("rdinit=/x", "an unsigned rdinit="),
        ("initrd=x", "the command line has initrd="),
        ("systemd.unit=x", "an unsigned word for systemd"),
        ("rd.break", "an unsigned word for the initrd"),
        (
            "root=x",
            "an unsigned word that says what is mounted as the root",
        ),
        (
            "single",
            "an unsigned word that is not known to be harmless",
        ),
    ] {
        assert!(said(words).contains(sentence), "{}", said(words));
        assert!(quoted(list).contains(&sentence), "{sentence}");
    }
}
