use proptest::prelude::*;

use super::*;

const HASH: &str = "0123456789abcdfghijklmnpqrsvwxyz";

fn line(words: &str) -> String {
    words.replace("STORE", &format!("/nix/store/{HASH}-nixos"))
}

#[test]
fn the_kernel_knows_double_quotes() {
    for (text, words) in [
        ("", vec![]),
        ("  a  b=c ", vec!["a", "b=c"]),
        ("\"a b\" c", vec!["a b", "c"]),
        ("a=\"b c\" d", vec!["a=b c", "d"]),
        ("\"a=b c\" d", vec!["a=b c", "d"]),
        ("a\"b c\"d e", vec!["a\"b c\"d", "e"]),
        ("'a b'", vec!["'a", "b'"]),
        ("a=\"b c", vec!["a=b c"]),
        ("=\"a\"", vec!["=\"a\""]),
    ] {
        assert_eq!(kernel_words(text), words, "{text}");
    }
}

#[test]
fn systemd_knows_quotes_of_both_kinds_and_no_backslash() {
    for (text, words) in [
        ("", vec![]),
        (" a\tb=c\n", vec!["a", "b=c"]),
        ("'a b' \"c d\"", vec!["a b", "c d"]),
        ("a'b c'd", vec!["ab cd"]),
        ("\"it's\" x", vec!["it's", "x"]),
        ("a\\ b", vec!["a\\", "b"]),
        ("a='' ''", vec!["a=", ""]),
        ("a='b c", vec!["a=b c"]),
    ] {
        assert_eq!(systemd_words(text), words, "{text}");
    }
}

#[test]
fn the_stub_makes_spaces_of_control_characters() {
    assert_eq!(cleaned("\u{1} a\nb\tc\0\n"), "a b c");
}

#[test]
fn one_init_names_the_toplevel() {
    let found = toplevel(&line(
        "quiet init=STORE/init root=x dyndbg=\"file a +p\" --",
    ))
    .unwrap();
    assert_eq!(found.as_str(), line("STORE"));
}

#[test]
fn anything_but_one_init_is_refused() {
    for words in [
        "init=STORE/init init=STORE/init",
        "init=STORE/init \"init=STORE/init\"",
        "init=STORE/init 'init=/bin/sh'",
        "init=STORE/init a=' init=/bin/sh'",
        "init=STORE/init a=\" init=/bin/sh\"",
        "'init=STORE/init'",
        "\"init=STORE/init\"",
        "init=\"STORE/init\"",
        "i'n'it=STORE/init",
    ] {
        assert_eq!(toplevel(&line(words)), Err(InitError::Several), "{words}");
    }
    for words in ["", "quiet", "rdinit=STORE/init", "xinit=STORE/init"] {
        assert_eq!(toplevel(&line(words)), Err(InitError::None), "{words}");
    }
}

#[test]
fn an_init_that_is_no_toplevels_is_refused() {
    for init in [
        "",
        "/bin/sh",
        "STORE",
        "STORE/bin/init",
        "STORE/../init",
        "STORE//init",
        "STORE/init/",
        "/nix/store/../init",
        "/nix/store/./x/init",
        "/nix/store/short-nixos/init",
        "/nix//store/0123456789abcdfghijklmnpqrsvwxyz-nixos/init",
    ] {
        let error = toplevel(&line(&format!("init={init}"))).unwrap_err();
        assert!(matches!(error, InitError::Form(_)), "{init}: {error}");
    }
}

proptest! {
    #[test]
    fn without_quotes_all_readers_agree(words in proptest::collection::vec("[a-z=.,/-]{1,8}", 0..8)) {
        let line = words.join(" ");
        prop_assert_eq!(kernel_words(&line), words.clone());
        prop_assert_eq!(systemd_words(&line), words.clone());
        prop_assert_eq!(plain_words(&line), words);
    }

    #[test]
    fn any_text_is_cut(line in "\\PC{0,80}") {
        let _ = (kernel_words(&line), systemd_words(&line), toplevel(&line));
    }
}
